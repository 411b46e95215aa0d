"""A person corrects what is kept of them (Art. 16 GDPR), or asks for another address.

Answers are corrected at once. An address is only asked for here: whose it is nobody looks
at before both mailboxes have been written to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.kinds import Actor, Kind
from consent import gates, intakes, personal
from consent.address import Address
from consent.gates import Gate
from consent.intakes import NewAddress, Under
from consent.keys.vault import Compartment, Vault
from consent.subject_evidence import Corrected, Rectified
from consent.trail import Trail
from gateway.door import Visit
from gateway.flows.joining.neighbourhoods import neighbourhood
from gateway.limits import Wait
from gateway.parts import Parts
from storage.errors import StorageAway

CHANNEL = "my-data"
_FORM = "my-data-address"
_LOCALE = "language"  # as what was corrected


@dataclass(frozen=True, slots=True)
class OnFile:
    """What can be corrected of a person."""

    email: str = field(repr=False)
    locale: str
    profile: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rectifying:
    """Corrections, each under the gate of whose they are."""

    parts: Parts

    async def look(self, subject: str) -> OnFile | None:
        """What stands now; None for who is no longer live. Changes nothing."""
        vault = await self.parts.keystore.vault([subject])
        async with self.parts.data.read() as connection:
            gate = (await gates.peek(connection, [subject])).get(subject)
        if not gates.usable(gate, vault, Compartment.PROFILE):
            return None
        mailbox = personal.open_mailbox(gate, vault) or ""
        return OnFile(mailbox, gate.locale, personal.open_profile(gate, vault))

    async def correct(self, subject: str, said: Mapping[str, str], locale: str) -> None:
        """Put what was *said* in the place of what stands; nothing removes it.

        No answer is added: it would be kept without the reason for which forms ask. What
        proves consents says what was said then, and is left alone.
        """
        parts = self.parts
        vault = await parts.keystore.vault([subject])
        async with parts.data.begin() as connection:
            held = await gates.lock(connection, [subject])
            gate = held.get(subject)
            if gate is not None and not gate.live:
                return
            if not gates.usable(gate, vault, Compartment.PROFILE, Compartment.EVIDENCE):
                raise StorageAway("key store")  # nothing changes that the log cannot tell of
            now = await parts.clock.now(connection)
            profile, changed = _corrected(gate, vault, said, locale)
            if not changed:
                return
            sealed = personal.seal_profile(subject, profile, vault)
            await gates.set_profile(connection, subject, locale, sealed)
            trail = Trail(parts.log, vault, held, parts.rows)
            proof = Rectified(Corrected.PROFILE, CHANNEL, changed)
            trail.record(Kind.SUBJECT_RECTIFIED, subject, Actor.SUBJECT, now, evidence=proof)
            await trail.stage(connection)

    async def ask(self, subject: str, email: Address, network: str | None) -> Wait | None:
        """Keep that somebody wants another address; None once it is kept, else how long to wait.

        As a sign-up for it: limits of network and form are told, and the work does not
        depend on whether the address is known.
        """
        parts = self.parts
        parts.lookup.require()
        visit = Visit(_FORM, network)
        weekly = [secret for _, secret in await parts.keystore.limit_keys(parts.clock.wall())]
        (wait,) = parts.door.waiting(weekly[0], [visit])
        if wait is not None:
            return wait
        asked = NewAddress(subject, email, neighbourhood(network))
        intake_key = await parts.keystore.intake_key(parts.clock.wall())
        under = Under(*intake_key, *parts.lookup.newest)
        async with parts.data.begin() as connection:
            held = await parts.door.hold(connection, weekly, [visit])
            now = await parts.clock.now(connection)
            (wait,) = await held.count(connection, now)
            if wait is None:
                await intakes.add(connection, [intakes.seal_new_address(asked, under, now)])
                parts.keystore.require_in_time(under.key_id)
        return wait


def _corrected(
    gate: Gate, vault: Vault, said: Mapping[str, str], locale: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The answers from now on, and the names of those that changed."""
    before = personal.open_profile(gate, vault)
    wanted = {name: said.get(name, value).strip() for name, value in before.items()}
    changed = [name for name, value in before.items() if wanted[name] != value]
    changed += [_LOCALE] if locale != gate.locale else []
    return {name: value for name, value in wanted.items() if value}, tuple(changed)
