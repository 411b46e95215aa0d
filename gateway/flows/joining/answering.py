"""What one answer behind a confirmation mail's link changes, under the gate of whom it asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.kinds import Actor
from audit.rowmac import RowMacs
from consent import (
    answers,
    changes,
    external_ids,
    gates,
    history,
    leavings,
    links,
    personal,
    policy,
    re_permission,
    specimens,
)
from consent.consents import TABLE, Consent, Consents
from consent.errors import SealError
from consent.gates import Gate
from consent.history import History
from consent.keys.vault import Compartment, Vault
from consent.leavings import Acting
from consent.links import Confirmation, Handle
from consent.model import SubjectState
from consent.specimens import Specimen
from consent.trail import Trail
from delivery import permits
from delivery.permits import Open
from gateway.config.config import Purpose
from gateway.flows.bad_rows import put_aside
from gateway.flows.leaving import away, ending, hidden, withdraw
from gateway.flows.leaving.asked_there import of_asking
from gateway.flows.leaving.ending import Withdrawal
from gateway.watch.stuck import Why
from storage.errors import StorageAway
from storage.keysets import KeySet

log = structlog.get_logger()

# The links of its mails and the answers are sealed, and the confirmation is told of.
_CONFIRMING = (Compartment.PROFILE, Compartment.EVIDENCE)
DECLINED = "re-permission"  # the channel of who says no to what they were asked anew
NOT_CHOSEN = "confirmation-page"  # the channel of who confirms, and leaves this purpose out


class Declaration(StrEnum):
    """What a person can say behind the link."""

    CONFIRM = "confirm"
    DECLINE = "decline"  # no, to what the operator asked anew
    REJECT = "reject"  # "this was not me"


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a request a person confirms, and what they corrected of its answers."""

    purposes: frozenset[str] | None = None  # the others end rejected; None: all
    answers: Mapping[str, str] = field(default_factory=dict, repr=False)
    shown: Specimen | None = field(default=None, repr=False)  # of the page that it was made on

    def covers(self, consent: Consent) -> bool:
        return self.purposes is None or consent.purpose in self.purposes


def waiting(consent: Consent, vault: Vault, *, contested: bool) -> Mapping[str, str]:
    """The answers that wait with a request; none where a key is missing or a row was altered."""
    if not vault.has(consent.subject, Compartment.PROFILE):
        return {}
    try:
        said = personal.open_answers(consent, vault)
        return answers.unsaid(said) if contested else said
    except SealError:
        log.error("answers_not_opened")
        return {}


@dataclass(frozen=True)
class Act:
    """What one answer changes, in one transaction under the gate."""

    connection: AsyncConnection
    consents: Consents
    purposes: Mapping[str, Purpose]
    suppression_keys: KeySet
    gate: Gate
    others: Sequence[Gate]  # of the same mailbox
    asking: Collection[str]  # it, and whose gates are held: whether their mails shall go there
    vault: Vault
    found: Confirmation
    wordings: Collection[str]  # by hash, those that can be shown
    contested: bool  # what was asked may say what somebody else said
    trail: Trail
    macs: RowMacs
    permit_ttl: timedelta
    now: datetime
    choice: Choice

    async def done(self, said: Declaration) -> Open | None:
        """Do what was said, and tell the log of it; the permits to wait for.

        None where these cannot be known.
        """
        still_open = await self._take(said)
        await self.trail.stage(self.connection)
        return still_open

    async def _take(self, said: Declaration) -> Open | None:
        match said:
            case Declaration.CONFIRM:
                await self.confirm()
                return {}
            case Declaration.DECLINE:
                return await self.decline()
            case Declaration.REJECT:
                return await self.reject()
            case _:
                assert_never(said)

    async def confirm(self) -> None:
        """Raises `StorageAway` where a key is missing: what nobody can prove is not confirmed.

        Nor is what nobody could read: it waits until its wording is back.
        """
        theirs, told = await self._known()
        asked = [
            consent
            for consent in theirs
            # Rows that we did not write must not confirm anything, nor be made honest by it.
            if consent.id in self.found.honest
            and consent.honest
            and policy.confirm(consent, self.now) is not None
        ]
        if not asked:
            return
        if not gates.usable(self.gate, self.vault, *_CONFIRMING):
            log.error("key_missing")
            raise StorageAway("key store")
        asked = await self._last_written(asked, told)
        shown = [consent for consent in asked if consent.text_hash in self.wordings]
        if asked and not shown:
            log.error("wording_missing")
            raise StorageAway("data")
        said = {consent.id: self._answers(consent) for consent in shown}
        chosen = [consent for consent in shown if self.choice.covers(consent)]
        links_of = await self._handles(chosen, told)
        confirmed = [
            c
            for one in chosen
            if (c := self._confirmed(one, said[one.id], links_of[one.purpose])) is not None
        ]
        # Their links end with them: one of an older mail would put an older wording in its place.
        lapsed = [
            changes.supersede(other, self.trail, self.now)
            for consent in confirmed
            for other in policy.superseded(
                [c for c in theirs if c.purpose == consent.purpose], consent.id
            )
            if told is not None and told.vouches(other)
        ]
        left_out = Withdrawal(None, Actor.SUBJECT, NOT_CHOSEN)
        rejected = self._ended([one for one in shown if one not in chosen], left_out)
        await self.consents.write(self.connection, [*confirmed, *lapsed, *rejected])
        if confirmed:
            pages = [] if self.choice.shown is None else [self.choice.shown]
            await specimens.keep(self.connection, pages, self.now)
            await self._keep_profile([said[one.id] for one in confirmed], confirmed[-1].locale)
            await external_ids.settle(
                self.connection, confirmed, self.vault, contested=self.contested
            )

    async def decline(self) -> Open | None:
        """Reject or withdraw; the permits to wait for, also if it was done before."""
        await self._say_no(Withdrawal(None, Actor.SUBJECT, DECLINED))
        # Of all purposes: the row that says which were meant may be away.
        return await self._still_open([(self.gate.subject, None)])

    async def reject(self) -> Open | None:
        """Reject or withdraw, and ask this address no more; the permits to wait for."""
        await self._say_no(Withdrawal(None, Actor.SUBJECT, ending.NOT_ME))
        await self._block_asking()
        return await self._all_open()

    async def say_again(self, said: Declaration) -> Open | None:
        """The permits that a "no" waits for, of who is being forgotten or whose link ran out."""
        gone = self.gate.gone(self.consents.keys)
        if gone and said is Declaration.REJECT:
            await self._block_asking()  # under another spelling the mailbox may be asked still
        if self.gate.state is SubjectState.ERASED:
            # Its permits were waited for, and deleted with the rest.
            return permits.together(await permits.open_of(self.connection, self._all(), self.now))
        return await self._all_open()

    async def _block_asking(self) -> None:
        keys, suppression = self.consents.keys, self.suppression_keys
        blocked = [self.gate, *self.others]
        await withdraw.block_asking(
            self.connection, keys, suppression, blocked, self.vault, self.now
        )

    def _all(self) -> list[tuple[str, str | None]]:
        """All whose mails end: fresh links too, and other spellings; of who asks, what asks."""
        theirs = [(gate.subject, None) for gate in (self.gate, *self.others)]
        return [*theirs, *of_asking(self.asking)]

    async def _all_open(self) -> Open | None:
        return await self._still_open(self._all())

    async def _say_no(self, why: Withdrawal) -> None:
        """End what was asked by this link, and what that was to replace."""
        rows, told = await self._known()
        asked = set(self.found.consents)
        if told is not None:  # what ties it to the link may be away, and comes back
            asked = told.asked_with(asked, self.found.token_hash)
        meant = re_permission.ended_by_no(rows, asked or {one.id for one in rows})
        ended = self._ended(meant, why)
        await self.consents.write(self.connection, ended)
        there = ending.there_are(rows, {consent.id for consent in ended})
        if told is None:
            await self._leave_unread(rows, meant, why.actor)
            return
        for one in away.by_request(told, asked, there):
            ending.tell_of(one, self.gate.subject, why, self.trail, self.now)

    async def _leave_unread(
        self, rows: Sequence[Consent], meant: Sequence[Consent], actor: Actor
    ) -> None:
        """Note that they said no, of everything where a row is away that says what they meant."""
        there = {one.id for one in rows if one.honest}
        asked = set(self.found.consents)
        purposes = {one.purpose for one in meant} if asked and asked <= there else {None}
        gate, keys = self.gate, self.consents.keys
        acting: Acting = (actor, {})
        said = {(gate.subject, purpose): acting for purpose in purposes}
        held = {gate.subject: gate}
        await leavings.note(self.connection, keys, self.trail, held, said, self.now)

    async def _still_open(self, ended: Sequence[tuple[str, str | None]]) -> Open | None:
        leaving, connection, now = {subject for subject, _ in ended}, self.connection, self.now
        ttl = self.permit_ttl
        if await hidden.holders(connection, self.macs, self.vault, leaving, now, ttl):
            return None
        return permits.together(await permits.open_of(connection, ended, now))

    async def _known(self) -> tuple[list[Consent], History | None]:
        """The rows of their consents, and what the log tells of these; none where a key is missing.

        Facts are read in statements after the lock.
        """
        subject, held = self.gate.subject, {self.gate.subject: self.gate}
        rows = (await self.consents.of_subjects(self.connection, [subject])).get(subject, [])
        told = await history.read(self.connection, self.macs, held, self.vault, rows)
        return rows, told.get(subject)

    async def _last_written(self, asked: Sequence[Consent], told: History | None) -> list[Consent]:
        """Without rows that were put back: a link that was spent would confirm what has ended."""
        last = [one for one in asked if told is not None and told.vouches(one)]
        old = {one.id: Why.ALTERED for one in asked if one not in last}
        await put_aside(self.connection, TABLE, old, self.now)
        return last

    def _ended(self, consents: Sequence[Consent], why: Withdrawal) -> list[Consent]:
        changed = [ending.take_back(one, why, self.trail, self.now) for one in consents]
        return [consent for consent in changed if consent is not None]

    def _answers(self, consent: Consent) -> dict[str, str]:
        said = waiting(consent, self.vault, contested=self.contested)
        return answers.settled(said, self.choice.answers)

    async def _handles(self, chosen: Sequence[Consent], told: History | None) -> dict[str, Handle]:
        """By purpose, what their mails let leave by: what is confirmed tells of it."""
        subject, keys = self.gate.subject, self.consents.keys
        pairs = {(subject, consent.purpose) for consent in chosen}
        had = {(subject, purpose) for purpose in (set() if told is None else told.confirmed)}
        made = await links.ensure_handles(self.connection, keys, pairs, self.vault, had)
        return {purpose: handle for (_, purpose), handle in made.items()}

    def _confirmed(
        self, consent: Consent, said: Mapping[str, str], handle: Handle
    ) -> Consent | None:
        # A purpose that left the configuration is confirmed all the same: the person said so.
        purpose = self.purposes.get(consent.purpose)
        after = purpose.expires_after if purpose else None
        ends_at = None if after is None else self.now + after
        return changes.confirm(
            consent,
            self.found.token_hash,
            self.trail,
            self.now,
            ends_at=ends_at,
            answers=said,
            handle=handle,
            contested=self.contested,
            shown=None if self.choice.shown is None else self.choice.shown.name,
        )

    async def _keep_profile(self, said: Sequence[Mapping[str, str]], locale: str) -> None:
        """Form answers become the person's own only now that the mailbox confirmed them."""
        gate, vault = self.gate, self.vault
        profile = personal.open_profile(gate, vault)
        for one in said:
            profile |= one
        sealed = personal.seal_profile(gate.subject, profile, vault)
        await gates.set_profile(self.connection, gate.subject, locale, sealed)
