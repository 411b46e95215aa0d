"""What rests on each wording, and whether it covers the mails of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.log import Log
from audit.rowmac import RowMacs
from consent import resting, texts, wordings
from consent.coverage import Lack
from consent.resting import Resting
from consent.texts import Text
from gateway.config.config import Config
from gateway.config.mailing import mailing
from gateway.errors import KeyFileError
from gateway.keyfiles import keyring
from gateway.watch import marketing
from gateway.watch.findings import Finding, ok, warn
from gateway.watch.numbers import counted
from storage.database import Database

_ABOUT = "wordings"


@dataclass(frozen=True, slots=True)
class Listed:
    """A wording, what rests on it, and why nobody is mailed under it, if so."""

    text: Text
    resting: Resting
    lacks: Sequence[Lack]


async def listed(connection: AsyncConnection, config: Config, macs: RowMacs) -> list[Listed]:
    """Every wording that there ever was, beside the configuration as it is."""
    who = mailing(config)
    same = await wordings.declared_same(connection, macs)
    known = await texts.list_texts(connection)
    counted = await resting.count(connection, [text.hash for text in known])
    return [
        Listed(text, counted[text.hash], who.lacks(text.bundle, who.sender_of(text.purpose), same))
        for text in known
    ]


async def about(config: Config, database: Database) -> list[Finding]:
    """Name the wordings under which people agreed and are not mailed; the rest as a number."""
    try:
        ring = keyring.load(config.keys.keyring)
    except KeyFileError:
        return []  # said already
    macs = Log(config.audit.origin, ring.audit, "doctor").macs
    async with database.read() as connection:
        held = await marketing.about(connection, macs)
        found = [one for one in await listed(connection, config, macs) if one.resting.standing]
    lacking = [_lacking(one) for one in found if one.lacks]
    said = f"consents rest on {counted(len(found), 'wording')}, and all cover the mails"
    return held + (lacking or [ok(_ABOUT, said)])


def _lacking(one: Listed) -> Finding:
    said = f"not covering the mails of {one.text.purpose}, by {', '.join(one.lacks)}"
    return warn(
        _ABOUT,
        f"{said}: {counted(one.resting.standing, 'consent')} to {one.text.hash}",
        "declare what is the same (`was`, `gateway texts declare`), or ask them anew"
        " (`gateway texts ask-again`)",
    )
