"""The link of a mail about an address: look, and press; a person is mailed elsewhere, or not.

Pressing moves whom the mail was about, under their gate and while nobody can be admitted:
how they are found, where they are mailed, and what waits, in one transaction. It is answered
once nothing to the address of before can start. What they agreed to stands, and so do their
objection and every link to leave by. Every session and personal link of theirs ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor, Kind
from consent import (
    address_links,
    changes,
    fresh_links,
    gates,
    history,
    holds,
    moving,
    personal,
    policy,
    service_mails,
    stops,
    suppressions,
    taken_away,
    tokens,
)
from consent.address import Address
from consent.address_links import AddressLink
from consent.fresh_links import SESSION_LIFE
from consent.gates import Gate
from consent.history import History
from consent.keys.vault import Compartment, Vault
from consent.marks import Left
from consent.moving import Became, Towards, Whose
from consent.subject_evidence import Corrected, Kept, Rectified
from consent.suppressions import Stop, Suppression
from consent.trail import Trail
from delivery import permits
from delivery.permits import Open
from gateway.flows.leaving import ending, hidden, whereabouts
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.rights import address_mails, erasing
from gateway.flows.rights.address_mails import About
from gateway.flows.rights.stopped_again import StoppingAgain
from gateway.parts import Parts
from storage.errors import StorageAway
from storage.ids import moment_of
from storage.locks import keep_out

log = structlog.get_logger()

_CHANGES = (Compartment.PROFILE, Compartment.EVIDENCE)  # the address is sealed, and told of
_CHANNEL = {Towards.NEW: "address-link", Towards.OLD: "address-taken-back"}
_LINKS = (Towards.NEW, Towards.OLD, Towards.LIFTED)
_TICK = timedelta(milliseconds=1)  # entries cut off what is less


@dataclass(frozen=True, slots=True)
class _Found:
    """A link that can be used, whom it is about, and where it leads."""

    link: AddressLink
    about: About
    to: Address
    other: Gate | None  # whose the address is that it leads to, if it is somebody else's
    known: History  # what the log tells of them
    now: datetime


@dataclass(frozen=True, slots=True)
class Moving:
    """Follows links of mails about addresses."""

    parts: Parts

    async def look(self, token: str) -> AddressLink | None:
        """What a link is for, and whom; None where it does nothing any more. Changes nothing."""
        link = await self._find(token)
        if link is None:
            return None
        async with self.parts.data.read() as connection:
            now = await self.parts.clock.now(connection)
        return link if policy.usable(link, now) else None

    async def press(self, token: str) -> Became:
        """Follow a link. Returned once no mail to another address of the person's can start."""
        link = await self._find(token)
        if link is None:
            return Became.OVER
        parts = self.parts
        vault = await parts.keystore.vault([link.subject])
        await self._end_sessions(link, token)
        async with parts.data.begin() as connection:
            # Before any gate: intake looks up whose an address is, and admits them to it.
            await keep_out(connection, "intake")
            found = await self._held(connection, link, vault)
            if found is None:
                return Became.OVER
            became = moving.press(link.kind, await self._whose(connection, found))
            if became is Became.KEPT:
                await self._keep(connection, found)
            elif became in (Became.MOVED, Became.BACK):
                _require(found.known.whole)  # it tells also whether the link was ended
                await self._move(connection, found)
            (still_open,) = await self._open(connection, found)
            held_back = await self._hidden(connection, found)
            taken = await taken_away.due_of(connection, parts.rows, [link.subject])
        if became is not Became.TAKEN:
            await parts.keystore.sessions.end_of(link.subject)
        await parts.takings.tell(taken)
        if became is not Became.TAKEN:
            _require(not held_back)  # it stands; nobody can say yet that it holds
            # No connection is held here: whoever waits must not keep others from the database.
            await parts.permit_wait.until_over(still_open)
        return became

    async def _end_sessions(self, link: AddressLink, token: str) -> None:
        """First, where the mailbox says that the session was not theirs.

        A crash behind the commit must leave none that its row, put back, would open again.
        """
        if link.kind is Towards.OLD and await self.look(token) is not None:
            await self.parts.keystore.sessions.end_of(link.subject)

    async def _find(self, token: str) -> AddressLink | None:
        digest = tokens.hash_of(token)
        if digest is None:
            return None
        async with self.parts.data.read() as connection:
            link = await address_links.find(connection, self.parts.rows, digest)
        return None if link is None or link.kind is Towards.LIFTED else link

    async def _held(
        self, connection: AsyncConnection, seen: AddressLink, vault: Vault
    ) -> _Found | None:
        parts, to = self.parts, seen.opened(vault)
        if to is None:
            return None
        whose = (await parts.lookup.find(connection, [to.canonical])).get(to.canonical)
        others = {whose.subject} - {seen.subject} if whose is not None else set()
        held = await gates.lock(connection, {seen.subject} | others)
        gate, now = held.get(seen.subject), await parts.clock.now(connection)
        # Again, under the gate: somebody else may have pressed it, or a newer one.
        link = (await address_links.get(connection, parts.rows, [seen.id])).get(seen.id)
        if link is None or not policy.usable(link, now) or gate is None or not gate.live:
            return None
        if not gates.usable(gate, vault, *_CHANGES) or not gate.is_honest(parts.rows):
            log.error("person_not_moved")
            raise StorageAway("key store")
        rows = (await parts.consents.of_subjects(connection, [gate.subject])).get(gate.subject, [])
        held_alone = {gate.subject: gate}
        known = await history.read(connection, parts.log.macs, held_alone, vault, rows)
        if address_links.is_over(link, known[gate.subject].told):
            return None
        # With one of before, put back for a moment, who takes theirs back would seem to have it.
        mailbox = whereabouts.mailbox_of(gate, vault)
        _require(not address_links.lives_elsewhere(mailbox, known[gate.subject].told))
        about = About(gate, vault, rows)
        other = next((held[one] for one in others if one in held), None)
        if others and other is None:  # its row is away for a moment
            raise StorageAway("data")
        return _Found(link, about, to, other, known[gate.subject], now)

    async def _whose(self, connection: AsyncConnection, found: _Found) -> Whose:
        parts, to, now = self.parts, found.to, found.now
        before = address_mails.on_file(found.about.gate, found.about.vault)
        ours = parts.lookup.held()
        hashes = suppressions.hashes_of(parts.keyring.suppression, to)
        stops = await suppressions.in_force(connection, hashes, now)
        indexes = parts.lookup.hashes(to.canonical)
        marked = await parts.marks.read(connection, indexes)
        # Else one may be of a key that we lack.
        await parts.lookup.require_still(connection, ours)
        left = marked.bars(indexes, None, found.link.created_at, now)
        return Whose(
            themselves=before is not None and before.canonical == to.canonical,
            others=found.other is not None,
            spare=await self._is_spare(connection, found.other),
            closed=bool(stops) or left,
        )

    async def _is_spare(self, connection: AsyncConnection, other: Gate | None) -> bool:
        """Whether nobody but a form knows them: they never decided anything, nor stopped it."""
        if other is None or not other.live or not other.is_honest(self.parts.rows):
            return False
        theirs = await self.parts.consents.of_subjects(connection, [other.subject])
        rows = theirs.get(other.subject, [])
        if await holds.of_subjects(connection, self.parts.rows, [other.subject]):
            return False
        decided = any(one.state.decided or not one.honest for one in rows)
        return not decided and other.objected_at is None and other.restricted_at is None

    async def _keep(self, connection: AsyncConnection, found: _Found) -> None:
        """The log tells of it, or a row put back could move them after all."""
        parts, gate = self.parts, found.about.gate
        trail = Trail(parts.log, found.about.vault, {gate.subject: gate}, parts.rows)
        said, kind = Kept(found.link.id), Kind.SUBJECT_ADDRESS_KEPT
        trail.record(kind, gate.subject, Actor.SUBJECT, found.now, evidence=said)
        await self._stop_again(connection, found, trail)
        await self._end_links(connection, found)
        await trail.stage(connection)

    async def _move(self, connection: AsyncConnection, found: _Found) -> None:
        parts, gate, vault, now = self.parts, found.about.gate, found.about.vault, found.now
        before = address_mails.on_file(gate, vault)
        trail = Trail(parts.log, vault, {gate.subject: gate}, parts.rows)
        if before is None or before.canonical != found.to.canonical:
            await self._find_elsewhere(connection, found, before)
            await self._leave_behind(connection, found, trail)
        if found.link.kind is Towards.OLD:
            await self._take_back(connection, found, trail)
            await self._stop_again(connection, found, trail)
        sealed = personal.seal_mailbox(gate.subject, found.to.mailbox, vault)
        await gates.set_address(connection, gate.subject, sealed)
        await address_links.spend(connection, found.link, now)
        await self._end_links(connection, found)
        told = None
        if before is not None and before.canonical != found.to.canonical:
            told = await self._tell(connection, found, before)
        said, kind = _proof(found, told), Kind.SUBJECT_RECTIFIED
        trail.record(kind, gate.subject, Actor.SUBJECT, now, evidence=said)
        await trail.stage(connection)
        if found.other is not None:
            # Last: it stages events. Only a stranger's form knew them.
            rest = (parts.rows, parts.lookup, None, [found.other], now)
            await erasing.begin(parts.log, connection, *rest)

    async def _find_elsewhere(
        self, connection: AsyncConnection, found: _Found, before: Address | None
    ) -> None:
        """How the person is found; what was received for the address of before does not count."""
        parts, subject = self.parts, found.about.gate.subject
        names = (await parts.lookup.of(connection, [subject])).get(subject)
        if found.other is not None:
            await parts.lookup.forget(connection, [found.other.subject])
        if not await parts.lookup.move(connection, subject, found.to.canonical):
            log.error("person_not_moved")
            raise StorageAway("data")  # a row stands in the way that nobody is found by
        left = [Left(index, None) for index in (() if names is None else names.hashes)]
        await parts.marks.add(connection, left, found.now)
        keys = parts.keyring.suppression
        if before is not None:
            await service_mails.moved(connection, keys, subject, before, found.to)
        objected_at = found.about.gate.objected_at
        if objected_at is not None:  # it stays where it was, too
            digest = suppressions.mailbox_hash(keys.secret, found.to)
            until = suppressions.blocked_until(objected_at)
            block = Suppression(digest, Stop.ASKING, until, kid=keys.kid)
            await suppressions.add(connection, [block], found.now)

    async def _leave_behind(self, connection: AsyncConnection, found: _Found, trail: Trail) -> None:
        """No link that went to the address of before confirms anything for the new one.

        Of a row that the log tells otherwise of nothing is believed: it confirms nothing either.
        """
        gate, rows, macs = found.about.gate, found.about.consents, self.parts.log.macs
        held = {gate.subject: gate}
        told = (await history.read(connection, macs, held, found.about.vault, rows)).get(
            gate.subject
        )
        ended = [
            changes.leave_behind(one, trail, found.now)
            for one in policy.superseded(rows, confirmed="")
            if told is not None and told.vouches(one)
        ]
        await self.parts.consents.write(connection, ended)

    async def _take_back(self, connection: AsyncConnection, found: _Found, trail: Trail) -> None:
        """Nothing stands that was agreed to at the mailbox that they were moved to.

        Who takes their address back never agreed to it, whatever its proof says.
        """
        meanwhile = _agreed_since(found.known, found.link.created_at)
        rows = [one for one in found.about.consents if one.id in meanwhile]
        # One that is away for a moment would be back when mails go out.
        standing = meanwhile & found.known.standing(None).keys()
        _require(standing <= {one.id for one in rows})
        leave = Withdrawal(None, Actor.SUBJECT, _CHANNEL[Towards.OLD])
        ended = [ending.take_back(one, leave, trail, found.now) for one in rows]
        await self.parts.consents.write(connection, [one for one in ended if one is not None])

    async def _stop_again(self, connection: AsyncConnection, found: _Found, trail: Trail) -> None:
        """What was lifted in the session of whoever asked for the change, or since."""
        parts, known = self.parts, found.known
        keys, blocking = parts.rows, parts.keyring.suppression
        theirs = (found.about.gate, found.to, _CHANNEL[Towards.OLD], found.now)
        again = StoppingAgain(keys, blocking, *theirs)
        since = _asked_at(known, found.link.created_at) - SESSION_LIFE
        await again.of(connection, trail, stops.lifted_since(known.told, since))

    async def _end_links(self, connection: AsyncConnection, found: _Found) -> None:
        """Personal links and sessions; and those about addresses that this one outdoes.

        Who takes their address back ends all that came after the change, or whoever made it
        would take it back in turn.
        """
        keys, subject, now = self.parts.rows, found.about.gate.subject, found.now
        await fresh_links.end(connection, keys, subject, now)
        back = found.link.kind is Towards.OLD
        kinds, since = (_LINKS, found.link.created_at) if back else ((Towards.NEW,), None)
        await address_links.end(
            connection, keys, subject, now, kinds=kinds, since=since, but=found.link.id
        )

    async def _tell(self, connection: AsyncConnection, found: _Found, before: Address) -> str:
        """The mailbox of before, by which link; what is on file by now is not asked for it."""
        back = found.link.kind is Towards.OLD
        tell = address_mails.taken_back if back else address_mails.done
        mail = tell(self.parts.config, found.about, before, found.now)
        await address_mails.send(connection, self.parts.rows, [mail], found.now)
        return mail.link.id

    async def _open(self, connection: AsyncConnection, found: _Found) -> list[Open]:
        """Permits that carry the address of before: what is claimed later sees the new one."""
        return await permits.open_of(connection, [(found.about.gate.subject, None)], found.now)

    async def _hidden(self, connection: AsyncConnection, found: _Found) -> bool:
        """Whether the log grants one that no row tells of: it would be back when its mail goes."""
        parts, subject, vault = self.parts, found.about.gate.subject, found.about.vault
        ttl = parts.config.delivery.permit_ttl
        macs, now = parts.log.macs, found.now
        return bool(await hidden.holders(connection, macs, vault, {subject}, now, ttl))


def _agreed_since(known: History, made_at: datetime) -> set[str]:
    """The consents that were confirmed after the first change that a link made then undoes."""
    found: set[str] = set()
    moved = False
    for event in known.told:
        changes_it = event.facts.get("what") == Corrected.ADDRESS
        if event.kind is Kind.SUBJECT_RECTIFIED and changes_it:
            moved = moved or event.entry.at + _TICK > made_at
        elif moved and event.kind is Kind.CONSENT_CONFIRMED:
            found.update(history.concerned(event))
    return found


def _asked_at(known: History, made_at: datetime) -> datetime:
    """When the first change was asked for that a link made then undoes, or could."""
    changes_made = (
        event
        for event in known.told
        if event.facts.get("what") == Corrected.ADDRESS and event.entry.at + _TICK > made_at
    )
    return min([made_at, *(moment_of(event.facts["link"]) for event in changes_made)])


def _require(fits: bool) -> None:
    """Raise `StorageAway` where the row, or the log, is not as a gateway left it."""
    if not fits:
        log.error("person_not_moved")
        raise StorageAway("data")


def _proof(found: _Found, told: str | None) -> Rectified:
    back = found.link.kind is Towards.OLD
    return Rectified(
        Corrected.ADDRESS_BACK if back else Corrected.ADDRESS,
        _CHANNEL[found.link.kind],
        link=found.link.id,
        address=found.to.canonical,
        address_typed=found.to.typed,
        told=told,
    )
