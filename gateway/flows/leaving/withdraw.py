"""A person leaves: commit, tell the guard's store, wait until nothing for them can start, answer.

Once this returned, no SMTP transaction for what was withdrawn starts on any
node, nor does a restored backup permit it again. If a store is lost meanwhile the
withdrawal stands, the answer is 503, and repeating it is safe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from consent import address, gates, links, suppressions, taken_away
from consent.address import Address
from consent.gates import Gate
from consent.keys.vault import Compartment, Vault
from consent.links import Route
from consent.lookup import LookUp, Names
from consent.marks import Left
from consent.suppressions import Stop, Suppression
from consent.taken_away import TakingAway
from consent.trail import Trail
from delivery.permits import Open
from gateway.flows.leaving import (
    acknowledging,
    asking_kept_out,
    hidden,
    same_mailbox,
    unfound,
    whereabouts,
)
from gateway.flows.leaving.acknowledging import Leaver
from gateway.flows.leaving.asked_there import Askers, left_for_good
from gateway.flows.leaving.ending import Ending, Leaving, Withdrawal
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Question
from gateway.parts import Parts
from storage.errors import PartAway
from storage.grouping import Grouped, severally
from storage.honesty import RowKeys
from storage.keysets import KeySet
from storage.locks import keep_out

log = structlog.get_logger()

_NO_NAMES = Names((), whole=False)
_AT_ONCE = 100  # who shares a transaction holds the gates of all of them


def _tell_of_missing_keys(held: Mapping[str, Gate], vault: Vault) -> None:
    for gate in held.values():
        if gate.live and not gates.usable(gate, vault, Compartment.EVIDENCE):
            log.error("key_missing")  # they leave all the same


async def have_appeared(
    connection: AsyncConnection, lookup: LookUp, strangers: Sequence[Address]
) -> bool:
    """Whether intake admitted one of *strangers*; from here on it waits, and sees the mark."""
    if not strangers:
        return False
    await keep_out(connection, "intake")
    return bool(await lookup.find(connection, {stranger.canonical for stranger in strangers}))


def _require_there(leaving: Sequence[Leaving], held: Mapping[str, Gate]) -> None:
    """Raise `PartAway` where an address was somebody's whose row is away: it may come back."""
    by_address = {one.subject for one in leaving if one.email is not None} - {None}
    if by_address - held.keys():
        raise PartAway("data")


def _require_theirs(leaving: Sequence[Leaving], held: Mapping[str, Gate], vault: Vault) -> None:
    """Raise `PartAway` where an address leads to somebody who is mailed at another one.

    Whoever is told that they left would go on being mailed, and that somebody no more.
    """
    for one in leaving:
        gate = held.get(one.subject or "")
        if (
            one.email is not None
            and gate is not None
            and not whereabouts.may_be_at(gate, vault, one.email)
        ):
            log.error("address_elsewhere")
            raise PartAway("data")


def _strangers(leaving: Sequence[Leaving], *, objecting: bool = False) -> list[Address]:
    """Addresses that leave and are nobody's; all of them, or those that object."""
    return [
        leaver.email
        for leaver in leaving
        if leaver.subject is None
        and leaver.email is not None
        and (leaver.withdrawal.objection or not objecting)
    ]


def _objecting(leaving: Sequence[Leaving]) -> list[tuple[str | None, Address | None]]:
    return [(one.subject, one.email) for one in leaving if one.withdrawal.objection]


def _left(
    leaving: Sequence[Leaving],
    present: Mapping[str, Gate],
    names: Mapping[str, Names],
    lookup: LookUp,
    vault: Vault,
) -> Iterator[Left]:
    """What to mark: the address that was said, and that of whoever is *present*."""
    for leaver in leaving:
        indexes = [] if leaver.email is None else lookup.hashes(leaver.email.canonical)
        gate = present.get(leaver.subject or "")
        if gate is not None:
            indexes += _indexes(gate, names.get(gate.subject, _NO_NAMES), lookup, vault)
        yield from (Left(index, leaver.ends) for index in indexes)


def _indexes(gate: Gate, names: Names, lookup: LookUp, vault: Vault) -> list[bytes]:
    """By which what a person asked for is found, with no key of theirs.

    Where somebody altered that, also what the sealed address gives: they leave
    from what is asked for in their name, whatever rows say of it.
    """
    mailbox = None if names.whole else whereabouts.mailbox_of(gate, vault)
    made = [] if mailbox is None else lookup.hashes(address.parse(mailbox).canonical)
    return [*names.hashes, *made]


async def block_asking(
    connection: AsyncConnection,
    keys: RowKeys,
    suppression: KeySet,
    held: Sequence[Gate],
    vault: Vault,
    now: datetime,
    stop: Stop = Stop.ASKING,
) -> None:
    """No confirmation mails to these people's mailboxes for a year, unless a mailbox asks.

    Those that wait in the outbox end too: a claim has no address to look up, so
    the gate says when it happened. Hold the gates of all who share a mailbox
    (`SameMailbox.sharing`). An address that cannot be opened is not blocked:
    nobody is kept from leaving for it.
    """
    await gates.block_asking(connection, keys, held, now)
    known = [whereabouts.mailbox_of(gate, vault) for gate in held]
    mailboxes = [address.parse(mailbox) for mailbox in known if mailbox is not None]
    await _block_mailboxes(connection, suppression, mailboxes, now, stop)


async def _block_mailboxes(
    connection: AsyncConnection,
    keys: KeySet,
    mailboxes: Sequence[Address],
    now: datetime,
    stop: Stop,
) -> None:
    until = suppressions.blocked_until(now)
    hashes = {suppressions.mailbox_hash(keys.secret, email) for email in mailboxes}
    blocks = [Suppression(digest, stop, until, kid=keys.kid) for digest in hashes]
    await suppressions.add(connection, blocks, now)


@dataclass(frozen=True, slots=True)
class _Said:
    """What somebody said, and of whom: by address before anybody looked whose it is."""

    question: Question
    withdrawal: Withdrawal


@dataclass(frozen=True, slots=True)
class _Written:
    """What is left to do before somebody is answered."""

    taken: Sequence[TakingAway]  # what the guard's store must hear of
    still_open: Open  # permits to wait for


class Withdrawals:
    """All withdrawals of one process: by link, on a page, passed on by a caller.

    Those that come at the same time are written in one transaction, and share no
    failure but that of the store; each then waits for its own permits.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._same_mailbox = SameMailbox(parts.keyring.suppression, parts.lookup)
        self._written = Grouped(severally(self._write), most=_AT_ONCE)

    async def withdraw(self, question: Question, withdrawal: Withdrawal) -> None:
        """Return when it is final; a repetition waits the same way.

        What was asked for before in the name of the address, and waits, has ended
        too, also where the address is nobody's; an objection also blocks asking
        it. Whose caller is gone is written all the same.
        """
        await self._ask_for(question.subject)
        written = await self._written(_Said(question, withdrawal))
        # No connection is held here: whoever waits must not keep others from the database.
        await self._parts.takings.tell(written.taken)
        await self._parts.permit_wait.until_over(written.still_open)

    async def by_link(self, token: str, channel: str) -> None:
        """Withdraw what an unsubscribe link stands for; a link that nobody has ends nothing.

        Ends whatever consent is current then, not only the one the mail was sent under.
        """
        async with self._parts.data.read() as connection:
            found = await links.follow(connection, self._parts.rows, Route.UNSUBSCRIBE, token)
        if found is not None:
            subject, purpose = found
            await self.by_subject(subject, Withdrawal(purpose, Actor.SUBJECT, channel))

    async def by_subject(self, subject: str, withdrawal: Withdrawal) -> None:
        """As `withdraw`, for somebody who showed a link of their own."""
        await self.withdraw(Question(withdrawal.purpose or "", subject=subject), withdrawal)

    async def _ask_for(self, subject: str | None) -> None:
        """Raises `PartAway` where a row is away that must be there: of who has a handle."""
        if subject is None:
            return
        async with self._parts.data.read() as connection:
            # In this order: who is erased in between has no handle either.
            gone = not await gates.named(connection, [subject])
            if gone and await links.with_handle(connection, [subject]):
                log.error("person_away")
                raise PartAway("data")

    async def _write(self, said: Sequence[_Said]) -> list[_Written | Exception]:
        askers = Askers(self._same_mailbox)
        trying = partial(self._try, said, askers)
        while (written := await askers.attempt(trying)) is None:
            pass  # somebody signed up, or asked for their mailbox, between the look and the lock
        return written

    async def _try(
        self, said: Sequence[_Said], askers: Askers
    ) -> list[_Written | Exception] | None:
        subjects = await self._subjects([word.question for word in said])
        leaving = [
            Leaving(word.withdrawal, subject, word.question.email)
            for word, subject in zip(said, subjects, strict=True)
        ]
        parts, strangers = self._parts, _strangers(leaving)
        stores = (parts.data, parts.keystore, parts.lookup, parts.rows)
        await unfound.require_none(*stores, parts.keyring.suppression, strangers)
        return await self._commit(leaving, askers)

    async def _subjects(self, questions: Sequence[Question]) -> list[str | None]:
        if all(question.email is None for question in questions):
            return [question.subject for question in questions]
        async with self._parts.data.read() as connection:
            found = await permission.find_subjects(connection, self._parts.lookup, questions)
        # Whoever wrote whose an address is: what is said in its name only takes away.
        return [None if one is None else one.subject for one in found]

    async def _sharing(
        self, connection: AsyncConnection, leaving: Sequence[Leaving], vault: Vault
    ) -> set[str]:
        """Who is asked in the mailboxes of those who object, by whatever spelling."""
        said = _objecting(leaving)
        if not said:
            return set()
        there = await same_mailbox.of_people(connection, vault, said)
        return await self._same_mailbox.sharing(connection, there)

    async def _acknowledge(
        self,
        connection: AsyncConnection,
        ending: Ending,
        leaving: Sequence[Leaving],
        vault: Vault,
    ) -> None:
        """Queue what tells of withdrawals, where the operator wants it.

        Of an objection nothing, nor of what a restore says again.
        """
        parts = self._parts
        said = ((leaver.subject, leaver.withdrawal) for leaver in leaving)
        untold = {subject for subject, word in said if word.objection or word.said_at}
        ended = (one for one in ending.changed.values() if one.subject not in untold)
        told = acknowledging.withdrawn(parts.config, ended)
        mailboxes = {one: whereabouts.mailbox_of(ending.held[one], vault) for one in told}
        left = [
            Leaver(ending.held[one], told[one], address.parse(mailbox))
            for one, mailbox in mailboxes.items()
            if mailbox is not None
        ]
        if left:
            boxes = self._same_mailbox
            await acknowledging.queue(
                connection, parts.config, parts.rows, boxes, left, vault, ending.now
            )

    async def _vault(self, leaving: Sequence[Leaving], subjects: Collection[str]) -> Vault:
        """The keys of these people, and of who shares a mailbox with them.

        Before anything is locked: the key store may be slow, and who holds gates holds up mail.
        """
        objecting = {one for one, _ in _objecting(leaving) if one is not None}
        vault = await self._parts.keystore.vault(objecting)
        async with self._parts.data.read() as connection:
            sharing = await self._sharing(connection, leaving, vault)
        return await self._parts.keystore.vault(sharing.union(subjects))

    async def _keep_asking_out(
        self, connection: AsyncConnection, leaving: Sequence[Leaving], vault: Vault
    ) -> None:
        """Nobody asks the mailboxes of those who object meanwhile."""
        keys, now = self._parts.keyring.suppression, await self._parts.clock.now(connection)
        await asking_kept_out.of_people(connection, keys, vault, _objecting(leaving), now)

    async def _object(
        self,
        connection: AsyncConnection,
        ending: Ending,
        leaving: Sequence[Leaving],
        others: Sequence[Gate],
        vault: Vault,
    ) -> None:
        """State objections, and have nobody asked for them, by whatever spelling."""
        keys, blocking, now = self._parts.rows, self._parts.keyring.suppression, ending.now
        stated = await gates.object_to(connection, keys, ending.objecting.values())
        await block_asking(connection, keys, blocking, list(stated.values()), vault, now)
        await gates.block_asking(connection, keys, others, now)
        unknown = _strangers(leaving, objecting=True)
        await _block_mailboxes(connection, blocking, unknown, now, Stop.ASKING)

    async def _commit(
        self, leaving: Sequence[Leaving], askers: Askers
    ) -> list[_Written | Exception] | None:
        """Write withdrawals in one transaction; for each, in order, what it has to wait for.

        None, and nothing written, where nobody's address became somebody's meanwhile.
        """
        subjects = {leaver.subject for leaver in leaving if leaver.subject is not None}
        parts, keys = self._parts, self._parts.rows
        vault = await self._vault(leaving, subjects | askers.subjects)
        async with parts.data.begin() as connection:
            await self._keep_asking_out(connection, leaving, vault)
            if await have_appeared(connection, parts.lookup, _strangers(leaving)):
                return None
            sharing = await self._sharing(connection, leaving, vault)
            together = await gates.lock(connection, subjects | sharing | askers.subjects)
            held = {one: gate for one, gate in together.items() if one in subjects}
            _require_there(leaving, held)
            _require_theirs(leaving, held, vault)
            names = await parts.lookup.of(connection, held)
            now = await parts.clock.now(connection)
            await askers.require_all(connection, *left_for_good(leaving, held, vault), now)
            _tell_of_missing_keys(held, vault)
            trail, macs = Trail(parts.log, vault, held, keys), parts.log.macs
            ending = await Ending.of(connection, parts.consents, macs, held, vault, trail, now)
            for leaver in leaving:
                ending.take(leaver)
            await ending.write(connection, parts.consents)
            others = [gate for one, gate in together.items() if one in sharing - subjects]
            await self._object(connection, ending, leaving, others, vault)
            # Of who is being erased it was marked then.
            present = {one: gate for one, gate in held.items() if not gate.gone(keys)}
            left = _left(leaving, present, names, parts.lookup, vault)
            await parts.marks.add(connection, left, now)
            still_open = await askers.open_of(connection, leaving, others, now)
            await self._acknowledge(connection, ending, leaving, vault)
            ttl = parts.config.delivery.permit_ttl
            held_back = await hidden.holders(connection, macs, vault, together, now, ttl)
            await ending.trail.stage(connection)
            # Also what was said before, and not told since a store was away.
            taken = await taken_away.due_of(connection, keys, subjects)
        return [
            PartAway("data")  # what was written stands; nobody can say that it holds
            if leaver.subject in held_back or held_back - subjects  # of another spelling
            else _Written([one for one in taken if one.subject == leaver.subject], theirs)
            for leaver, theirs in zip(leaving, still_open, strict=True)
        ]
