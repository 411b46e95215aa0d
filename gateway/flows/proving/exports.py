"""The log is taken out as a whole, of a time, or about one person; who does is told in it first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import trail, witnessed
from audit.canonical import canonical
from audit.entry import Event, draft, format_moment
from audit.export import bundle
from audit.export.bundle import Part, Wanted
from audit.export.disclosed import Disclosing, Showing
from audit.export.jsonl import jsonl
from audit.kinds import Actor, Kind
from audit.witnesses import Witness, attached
from consent import gates, specimens, texts
from consent.keys.vault import Compartment
from consent.specimens import Specimen
from gateway.flows.errors import PersonEnded
from gateway.flows.proving import consent_proof
from gateway.flows.rights import address_mails
from gateway.flows.rights.dossier import Aside
from gateway.flows.rights.handing_out import Asked, HandingOut
from gateway.flows.sending.permission import Question, find_subjects
from gateway.look import resources
from gateway.parts import Parts

T = TypeVar("T")

Bytes = AsyncIterator[bytes]
_OF_CONSENTS: Final = frozenset(kind for kind in Kind if kind.startswith("consent."))
_NONE: Final[Mapping[str, Sequence[bytes]]] = {}


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes the log, as what, for which case; there is nothing personal in it."""

    form: str
    actor: Actor
    caller: str | None = None
    case: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def refs(self) -> dict[str, str]:
        times = {"since": self.since, "until": self.until}
        said = {"format": self.form, "api_key": self.caller, "case": self.case}
        said |= {name: None if at is None else format_moment(at) for name, at in times.items()}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(slots=True)
class _Shown:
    """What may be seen of a person: not what somebody else said in their name.

    As in their dossier (`dossier.py`): a request that was contested, and mails to a mailbox
    that need not be theirs.
    """

    contested: frozenset[str]
    waiting: frozenset[str] = frozenset()  # consents that a link in a mail can still confirm
    of_others: set[str] = field(default_factory=set)

    def __call__(self, kind: Kind, facts: Mapping[str, Any]) -> Showing:
        message = facts.get("message")
        if facts.get("purpose") == address_mails.ASKING and message is not None:
            self.of_others.add(message)
        if message in self.of_others:
            return Showing.LEFT_OUT
        if kind is Kind.CONSENT_REQUESTED and facts.get("consent") in self.contested:
            return Showing.WITHHELD
        if kind is Kind.CONSENT_MAIL_SENT and self.waiting.intersection(facts.get("consents", ())):
            return Showing.WITHHELD
        return Showing.OPENED


@dataclass(frozen=True, slots=True)
class Exports:
    """Takes the log out. None, and nothing told, where there is nothing to be taken yet."""

    parts: Parts
    aside: Aside

    async def as_lines(self, taking: Taking) -> Bytes:
        """The whole log as JSON lines."""
        await self._tell(taking)
        return jsonl(self.parts.data, self.parts.log, self.parts.publisher.verifier)

    async def of_log(self, taking: Taking, held: Sequence[str] = ()) -> Bytes | None:
        """A bundle of the log, or of a time of it, that continues the notes *held*."""
        logs, sizes = await self.logs(), self._sizes(held)
        if not logs:
            return None
        await self._tell(taking)
        wanted = Wanted(taking.since, taking.until, sizes=sizes)
        return await self._write(logs, wanted)

    async def of_person(
        self, question: Question, asked: Asked, held: Sequence[str] = ()
    ) -> Bytes | None:
        """A bundle with everything that the log holds of somebody; None for who is not live."""
        parts, logs, sizes = self.parts, await self.logs(), self._sizes(held)
        async with parts.data.read() as connection:
            (found,) = await find_subjects(connection, parts.lookup, [question])
        # Whoever wrote whose the address is might have somebody else's facts shown.
        if found is None or not found.honest or not logs:
            return None
        subject, vault = found.subject, await parts.keystore.vault([found.subject])
        if not await HandingOut(parts, self.aside).tell(subject, asked):
            return None
        async with parts.data.read() as connection:
            told = await trail.told(connection, [subject], _OF_CONSENTS, vault)
            shown = await specimens.get(connection, consent_proof.named_by(told))

        async def still(connection: AsyncConnection) -> None:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if not gates.usable(gate, vault, Compartment.EVIDENCE):
                raise PersonEnded

        contested = {one.facts["consent"] for one in told if one.facts.get("contested")}
        judge = _Shown(frozenset(contested), frozenset(consent_proof.waiting(told)))
        person = Disclosing(subject, vault, judge, still)
        wanted = Wanted(person=person, sizes=sizes)
        return await self._write(logs, wanted, specimen_files(shown.values()))

    async def of_disclosed(
        self,
        logs: Sequence[Part],
        person: Disclosing,
        files: Mapping[str, Sequence[bytes]],
        held: Sequence[str] = (),
    ) -> Bytes:
        """A bundle of what *person* discloses, of which the log was told; with *files* in it."""
        return await self._write(logs, Wanted(person=person, sizes=self._sizes(held)), files)

    async def of_time(
        self,
        logs: Sequence[Part],
        since: datetime,
        until: datetime,
        files: Mapping[str, Sequence[bytes]],
    ) -> Bytes:
        """A bundle of a time, with *files* in it; nobody is named, and nothing told."""
        return await self._write(logs, Wanted(since, until), files)

    async def logs(self) -> list[Part]:
        """Those that were published, with the words of witnesses under what they cosigned."""
        parts = self.parts
        known = witnessed.known(parts.config.audit.vkeys)
        logs = await bundle.parts_of(parts.data, parts.log, parts.publisher.verifier)
        return [await self._witnessed(one, known) for one in logs] if known else logs

    async def _witnessed(self, part: Part, known: Sequence[Witness]) -> Part:
        newest, *older = [
            one._replace(note=attached(one.note, await witnessed.of(self.parts.guard, one, known)))
            for one in (part.newest, *part.older)
        ]
        return replace(part, newest=newest, older=older)

    def _sizes(self, held: Sequence[str]) -> dict[int, list[int]]:
        """Where the hashes must be cut so that who has these notes can compare them."""
        return bundle.sizes_of(self.parts.publisher.verifier, held)

    async def _tell(self, taking: Taking) -> None:
        parts = self.parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            event = Event(Kind.AUDIT_EXPORTED, taking.actor, now, refs=taking.refs)
            await parts.log.stage(connection, [draft(event, None, parts.log.node)])

    async def _write(
        self, logs: Sequence[Part], wanted: Wanted, more: Mapping[str, Sequence[bytes]] = _NONE
    ) -> Bytes:
        parts = self.parts
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            files = _files(*await texts.kept(connection)) | dict(more)
        if notes := parts.publisher.signers.handovers:
            files["handovers.jsonl"] = [canonical(note) + b"\n" for note in notes]
        sign = partial(parts.publisher.sign_manifest, beside=logs[-1].newest.note)
        origin = parts.log.first
        return bundle.write(parts.data, origin, logs, wanted, files, sign, now, self.aside)


def specimen_files(shown: Iterable[Specimen]) -> dict[str, Sequence[bytes]]:
    """What was shown or sent, each as a file that its hash names."""
    return {f"specimens/{one.name.removeprefix('sha256:')}": [one.body] for one in shown}


def _files(
    wordings: Sequence[bytes], notices: Sequence[texts.PublishedNotice]
) -> dict[str, Sequence[bytes]]:
    folder = resources.templates() / "bundle"
    files: dict[str, Sequence[bytes]] = {
        name: [(folder / name).read_bytes()] for name in ("README.txt", "verify_audit.py")
    }
    files["texts.jsonl"] = [line + b"\n" for line in wordings]
    for notice in notices:
        files[f"notices/{notice.hash.removeprefix('sha256:')}.txt"] = [notice.body]
    return files


async def at_once(work: Callable[[], T]) -> T:
    """Do *work* here: a command holds up nobody."""
    return work()
