"""The log is taken out as a whole, of a time, or about one person; who does is told in it first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from audit import witnessed
from audit.canonical import canonical
from audit.entry import Event, draft, format_moment
from audit.export import selection
from audit.export.disclosed import Disclosing, Showing
from audit.export.pseudonyms import Pseudonyms
from audit.export.selection import Part, Passed, Wanted, unseen
from audit.kinds import Actor, Kind
from audit.trail import Told
from audit.witnesses import Witness, attached
from consent import gates, history, moving, specimens, texts
from consent.history import History
from consent.keys.vault import Compartment
from consent.specimens import Specimen
from gateway.flows.errors import NoSuchExport, PersonEnded
from gateway.flows.leaving import whereabouts
from gateway.flows.proving import consent_proof, export_forms
from gateway.flows.proving.export_forms import Bytes, Export, Files, Form, Order, Source
from gateway.flows.proving.unanswered import Unanswered
from gateway.flows.rights.dossier import Aside
from gateway.flows.rights.handing_out import Asked, HandingOut
from gateway.flows.sending.permission import Question, find_subjects
from gateway.look import resources
from gateway.parts import Parts

T = TypeVar("T")

_PEOPLE: Final = "audit.export.people"
_NONE: Final[Files] = {}
_LETTING_GO: Final = (Kind.SUBJECT_ERASED, Kind.EVIDENCE_ENDED)


class Extent(StrEnum):
    """What an export says of people."""

    PERIOD = "period"  # nothing
    AUTHORITY = "authority"  # which events are the same person's, under names of this export


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes the log, as what, for which case; there is nothing personal in it."""

    form: Form
    actor: Actor
    caller: str | None = None
    case: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    extent: Extent = Extent.PERIOD
    zone: tzinfo = UTC

    @property
    def refs(self) -> dict[str, str]:
        times = {"since": self.since, "until": self.until}
        by = "operator" if self.actor is Actor.OPERATOR else "api_key"
        said = {"format": self.form, by: self.caller, "case": self.case}
        said |= {name: None if at is None else format_moment(at) for name, at in times.items()}
        if self.extent is not Extent.PERIOD:
            said["scope"] = self.extent
        return {name: value for name, value in said.items() if value is not None}


@dataclass(slots=True)
class _Shown:
    """What may be seen of a person: not what somebody else said in their name.

    As in their dossier (`dossier.py`): a request that was contested, and mails to a mailbox
    that need not be theirs.
    """

    contested: frozenset[str]
    unanswered: Unanswered = field(default_factory=Unanswered)
    of_others: set[str] = field(default_factory=set)

    def __call__(self, kind: Kind, facts: Mapping[str, Any]) -> Showing:
        if self.unanswered.opens(facts):
            return Showing.WITHHELD
        message = facts.get("message")
        if facts.get("purpose") == moving.ASKING and message is not None:
            self.of_others.add(message)
        if message in self.of_others:
            return Showing.LEFT_OUT
        if kind is Kind.CONSENT_REQUESTED and facts.get("consent") in self.contested:
            return Showing.WITHHELD
        return Showing.OPENED


@dataclass(frozen=True, slots=True)
class Exports:
    """Takes the log out; *aside* does what holds the processor."""

    parts: Parts
    aside: Aside
    passed: Passed = unseen

    async def of_log(
        self, taking: Taking, held: Sequence[str] = (), name: str | None = None
    ) -> Export | None:
        """An export of the log, or of a time of it, that continues the notes *held*.

        `tell` comes before its first byte. None before the first checkpoint, but for lines of the
        whole log, which are a header then. Raises `NoSuchExport` where *name* stands for other
        bytes than would be written now.
        """
        logs = await self._logs(name)
        wanted = Wanted(taking.since, taking.until, sizes=self._sizes(held), passed=self.passed)
        if taking.extent is Extent.AUTHORITY:
            wanted = replace(wanted, pseudonyms=self._pseudonyms(logs, wanted))
        if not logs and (taking.form is not Form.JSONL or wanted.kind != "log"):
            return None
        return await self._export(taking.form, logs, wanted, taking.zone, name)

    async def tell(self, export: Export, taking: Taking, start: int = 0) -> None:
        """Say in the log who takes it, from which byte on; before the first of them."""
        await self.tell_named(export.name, taking, start)

    async def tell_named(self, name: str, taking: Taking, start: int = 0) -> None:
        """The same of one that was made before, and has this name."""
        refs = taking.refs | {"export": name} | ({"from": str(start)} if start else {})
        await self._tell(taking.actor, refs)

    async def of_person(
        self,
        question: Question,
        asked: Asked | None,
        form: Form = Form.BUNDLE,
        held: Sequence[str] = (),
        zone: tzinfo = UTC,
        name: str | None = None,
    ) -> Export | None:
        """Everything that the log holds of somebody, which is told first; None: not live.

        Without *asked* it was told before.
        """
        parts, logs, sizes = self.parts, await self._logs(name), self._sizes(held)
        async with parts.data.read() as connection:
            (found,) = await find_subjects(connection, parts.lookup, [question])
        # Whoever wrote whose the address is might have somebody else's facts shown.
        if found is None or not found.honest or not logs:
            return None
        subject, vault = found.subject, await parts.keystore.vault([found.subject])
        async with parts.data.snapshot() as connection:
            gate = await gates.peek(connection, [subject])
            rows = (await parts.consents.of_subjects(connection, gate)).get(subject, [])
            known = await history.read(connection, parts.log.macs, gate, vault, rows)
            if subject not in known:
                return None  # without a key nobody reads what it holds
            email = question.email
            if email is not None and not whereabouts.may_be_at(gate[subject], vault, email):
                return None  # as where nobody can tell whose the address is
            named = consent_proof.named_by(known[subject].told)
            shown = await specimens.get(connection, named)

        async def still(connection: AsyncConnection) -> None:
            gate = (await gates.peek(connection, [subject])).get(subject)
            if not gates.usable(gate, vault, Compartment.EVIDENCE):
                raise PersonEnded

        person = Disclosing(subject, vault, _shown(known[subject]), still)
        wanted = Wanted(person=person, sizes=sizes, passed=self.passed)
        more = specimen_files(shown.values())
        export = await self._export(form, logs, wanted, zone, name, more)
        if asked is None or await HandingOut(parts, self.aside).tell(subject, asked):
            return export
        return None

    async def of_disclosed(
        self, logs: Sequence[Part], person: Disclosing, files: Files, held: Sequence[str] = ()
    ) -> Bytes:
        """A bundle of what *person* discloses, of which the log was told; with *files* in it."""
        wanted = Wanted(person=person, sizes=self._sizes(held))
        return (await self._export(Form.BUNDLE, logs, wanted, more=files)).read()

    async def of_time(
        self, logs: Sequence[Part], since: datetime, until: datetime, files: Files
    ) -> Bytes:
        """A bundle of a time, with *files* in it; nobody is named, and nothing told."""
        return (await self._export(Form.BUNDLE, logs, Wanted(since, until), more=files)).read()

    async def logs(self) -> list[Part]:
        """Those that were published, with the words of witnesses under what they cosigned."""
        return await self._logs(None)

    async def _logs(self, name: str | None) -> list[Part]:
        parts, up_to = self.parts, None
        if name is not None and (up_to := export_forms.up_to(name)) is None:
            raise NoSuchExport
        logs = await selection.parts_of(parts.data, parts.log, parts.publisher.verifier, up_to)
        if up_to and not logs:
            raise NoSuchExport
        known = witnessed.known(parts.config.audit.vkeys)
        return [await self._witnessed(one, known) for one in logs] if known else logs

    async def _witnessed(self, part: Part, known: Sequence[Witness]) -> Part:
        newest, *older = [
            one._replace(note=attached(one.note, await witnessed.of(self.parts.guard, one, known)))
            for one in (part.newest, *part.older)
        ]
        return replace(part, newest=newest, older=older)

    def _sizes(self, held: Sequence[str]) -> dict[int, list[int]]:
        """Where the hashes must be cut so that who has these notes can compare them."""
        return selection.sizes_of(self.parts.publisher.verifier, held)

    def _pseudonyms(self, logs: Sequence[Part], wanted: Wanted) -> Pseudonyms:
        """The same in every form of the same entries, and nowhere else."""
        times = [None if at is None else format_moment(at) for at in (wanted.since, wanted.until)]
        roots = [[part.generation, part.size, part.newest.checkpoint.root.hex()] for part in logs]
        of = canonical([roots, *times])
        return Pseudonyms(self.parts.rows.keyed(_PEOPLE, of).mac)

    async def _tell(self, actor: Actor, refs: Mapping[str, str]) -> None:
        parts = self.parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            event = Event(Kind.AUDIT_EXPORTED, actor, now, refs=refs)
            await parts.log.stage(connection, [draft(event, None, parts.log.node)])

    async def _export(
        self,
        form: Form,
        logs: Sequence[Part],
        wanted: Wanted,
        zone: tzinfo = UTC,
        name: str | None = None,
        more: Files = _NONE,
    ) -> Export:
        parts, state, files = self.parts, list[object](), dict[str, Sequence[bytes]]()
        async with parts.data.read() as connection:
            if form in (Form.BUNDLE, Form.PDF):
                files |= dict(_files(*await texts.kept(connection))) | dict(more)
                files |= dict(_handovers(parts.publisher.signers.handovers))
            if wanted.person is not None or wanted.pseudonyms is not None:
                # What was let go since is in none of the files any more.
                state.append(await selection.last_of(connection, _LETTING_GO))
        if wanted.person is not None:
            state.append(wanted.person.subject)
        if wanted.pseudonyms is not None:
            state.append(wanted.pseudonyms.of(""))
        order = Order(form, logs, wanted, zone, files, state)
        if name not in (None, order.name):
            raise NoSuchExport
        return export_forms.export(self._source, order)

    @property
    def _source(self) -> Source:
        parts = self.parts
        return Source(parts.data, parts.log, parts.publisher, self.aside)


def _shown(told: History) -> _Shown:
    """What may be seen of somebody, by what a gateway wrote of them."""
    confirmed = [one for one in told.told if one.kind is Kind.CONSENT_CONFIRMED]
    asked = {name for one in told.told for name in _asked(one)}
    theirs = {one.facts["consent"] for one in confirmed if not one.facts.get("contested")}
    contested = {one.facts["consent"] for one in confirmed} - theirs
    # That it was contested may be what is away.
    contested |= set() if told.whole else asked - theirs
    return _Shown(frozenset(contested), Unanswered.told_by(told.told, whole=told.whole))


def _asked(one: Told) -> Sequence[str]:
    return history.concerned(one) if one.kind is Kind.CONSENT_REQUESTED else ()


def specimen_files(shown: Iterable[Specimen]) -> dict[str, Sequence[bytes]]:
    """What was shown or sent, each as a file that its hash names."""
    return {f"specimens/{one.name.removeprefix('sha256:')}": [one.body] for one in shown}


def _handovers(notes: Sequence[Any]) -> Files:
    """By which key the log's signing key was followed, where it was."""
    return {"handovers.jsonl": [canonical(one) + b"\n" for one in notes]} if notes else {}


def _files(wordings: Sequence[bytes], notices: Sequence[texts.PublishedNotice]) -> Files:
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
