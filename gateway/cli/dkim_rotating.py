"""`gateway dkim rotate`: begins where nothing is under way, and goes on where DNS agrees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.keyfiles.dkim_keys import Record
    from gateway.keyfiles.dkim_rotation import Next, Resolver


@dataclass(frozen=True)
class Rotated:
    """What became of the next keys, and which old ones went."""

    active: Sequence[Next]
    waiting: Sequence[Next]
    old: Sequence[Record]

    def as_dict(self) -> dict[str, object]:
        return {
            "active": [one.record.as_dict() for one in self.active],
            "waiting": [one.record.as_dict() | {"dns_holds": one.held} for one in self.waiting],
            "may_be_withdrawn": [record.as_dict() for record in self.old],
        }


async def rotate(config: Config, resolver: Resolver, now: datetime) -> Rotated:
    """Do what can be done now, and tell the log of each key that signs from here on."""
    from audit.kinds import Kind
    from gateway.cli.stores import open_stores
    from gateway.keyfiles import dkim_public, dkim_rotation

    # Before any key is made: one that no store could be told of would lie there, begun.
    async with open_stores(config) as stores:
        # One at a time in all domains: who asks again must not begin anew where DNS was quicker.
        if not dkim_rotation.records_of_next(config):
            dkim_rotation.begin(config, now)
        found = dkim_rotation.waiting(config, resolver)
        seen = [one for one in found if one.seen]
        for one in seen:
            async with stores.data.begin() as connection:
                moment = await stores.clock.now(connection)
                refs = {"domain": one.domain, "kind": "dkim", "selector": one.record.selector}
                refs["key"] = dkim_public.fingerprint(one.domain, one.path)
                await stores.record(connection, Kind.KEY_ROTATED, moment, refs)
                dkim_rotation.activate(one)
    old = dkim_rotation.forget(config, now)
    return Rotated(seen, [one for one in found if not one.seen], old)


def asked(one: Next) -> str:
    """What DNS was asked for, and what it said."""
    asked = f"asked DNS for {one.record.type} {one.record.name}: "
    if one.held is None:
        return asked + "no resolver answered"
    if one.seen:
        return asked + "it holds the record"
    if not one.held:
        return asked + "it holds none"
    return asked + "it holds another: " + "; ".join(json.dumps(value[:60]) for value in one.held)


def now() -> datetime:
    """What keys are dated by, and told old by."""
    from storage.clock import DatabaseClock

    return DatabaseClock().wall()
