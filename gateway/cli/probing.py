"""`gateway doctor --probe`: a mail to an operator, by the way that every mail goes."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consent.address import Address
    from gateway.config.config import Config
    from gateway.flows.desk.probing import Heard
    from gateway.watch.findings import Finding

PATIENCE = 60.0  # seconds for a worker to take it up, and the relay to say its word
_LOOK_EVERY = 0.25
_ABOUT = "probe"


async def probe(config: Config, email: Address) -> list[Finding]:
    """Send it, and wait for the relay's last word; what keeps it back is said where none comes."""
    from gateway.cli.doctor import txt_records
    from gateway.flows.desk.probing import hear
    from gateway.flows.desk.sign_in import SignIns
    from gateway.flows.rights.erasing import Erasing
    from gateway.process.lifespan import open_parts
    from gateway.watch import held_up
    from gateway.watch.findings import fail
    from gateway.watch.held_up import Eyes
    from gateway.watch.hindrances import Facts, decide

    async with open_parts(config) as parts:
        of_mails = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
        desk = SignIns(*of_mails, parts.lookup, parts.marks, config, Erasing(parts))
        message = await desk.probe(email)
        if message is None:
            said = "that is no operator's mailbox, or one that must not be mailed"
            return [fail(_ABOUT, said, "`gateway operator create` enters one")]
        began, heard = monotonic(), await hear(parts.data, parts.keystore, message)
        while heard is not None and not heard.final and monotonic() - began < PATIENCE:
            await asyncio.sleep(_LOOK_EVERY)
            heard = await hear(parts.data, parts.keystore, message)
        if heard is not None and heard.final:
            return [_told(message, heard)]
        eyes = Eyes(parts.data, parts.keystore, parts.clock, parts.log.macs, parts.lookup)
        facts = await eyes.facts(Facts(now=parts.clock.wall()))
    status = "gone" if heard is None else heard.status
    fix = "`gateway status` says what keeps mail back"
    waits = [fail(_ABOUT, f"{message} is {status} after {PATIENCE:.0f} s", fix)]
    closer = await held_up.closer(config, facts, txt_records)
    return waits + [fail(_ABOUT, one.said, one.way_out) for one in decide(closer)]


def _told(message: str, heard: Heard) -> Finding:
    from gateway.watch.findings import fail, ok

    answer = " ".join(filter(None, [str(heard.code or ""), heard.said]))
    if heard.taken:
        return ok(_ABOUT, f"the relay took {message}: {answer}")
    if heard.code is None:
        why = "" if heard.reason is None else f", {heard.reason}"
        return fail(_ABOUT, f"{message} is {heard.status}{why}", "see docs/api.md, reasons")
    fix = "those are the relay's words: what they name is to be mended there, or in DNS"
    return fail(_ABOUT, f"{message} is {heard.status}: {answer}", fix)
