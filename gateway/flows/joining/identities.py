"""Former names and addresses of who mails: what the configuration declares stands in the log.

A consent covers mails of whom its wording named. So a declaration that somebody
is the one who had another name lets mails go out, and whoever audits sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime

import rfc8785

from audit.entry import Draft, Entry, Event, Item, draft
from audit.kinds import Actor, Kind
from gateway.config.config import Config
from gateway.config.mailing import mailing


def undeclared(
    config: Config, told: Collection[Entry], node: str, now: datetime
) -> Iterator[Draft]:
    """An event for each former name or address that *told* does not tell of yet.

    It says who is meant as they are called now: where that changes, the same
    former name is declared anew.
    """
    known = {event.refs.get("statement") for event in told}
    for statement in _statements(config):
        digest = hashlib.sha256(rfc8785.dumps(statement)).hexdigest()
        refs = {"identity": statement["identity"], "statement": f"sha256:{digest}"}
        if refs["statement"] not in known:
            # Names of who mails are nobody's secret; as an item, for no reference can hold them.
            event = Event(
                Kind.IDENTITY_DECLARED, Actor.SYSTEM, now, refs=refs, items=[Item(None, statement)]
            )
            yield draft(event, None, node)


def _statements(config: Config) -> Iterator[dict[str, str]]:
    who = mailing(config)
    named = {f"sender.{name}": party for name, party in who.senders.items()}
    for identity, party in {"controller": who.controller, **named}.items():
        for former in sorted(party.was):
            yield {
                "identity": identity,
                "was": former,
                "name": party.name,
                "address": party.address,
            }
