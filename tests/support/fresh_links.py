"""The fresh links that were sent, as their mailboxes would read them."""

from __future__ import annotations

import json

from sqlalchemy import select

from delivery import tables
from delivery.outcome import Kind
from gateway.flows.rights.fresh_link import PURPOSE
from gateway.flows.sending.composing import content_place
from gateway.parts import Parts


async def sent_links(parts: Parts) -> list[str]:
    """The token in each mail that waits in the outbox, oldest first."""
    outbox, content = tables.outbox, tables.content
    query = select(outbox.c.subject, content.c.id, content.c.sealed).where(
        outbox.c.content == content.c.id, outbox.c.purpose == PURPOSE
    )
    async with parts.data.read() as connection:
        rows = (await connection.execute(query.order_by(outbox.c.id))).all()
    vault = await parts.keystore.vault({row.subject for row in rows})
    tokens = []
    for row in rows:
        place = content_place(row.id, Kind.SERVICE, PURPOSE)
        raw = vault.open(row.subject, "profile", place, row.sealed)
        assert raw is not None
        tokens.append(json.loads(raw)["links"]["my_data"].rpartition("/")[2])
    return tokens
