"""Asking for fresh links, and those that were sent, as their mailboxes would read them."""

from __future__ import annotations

from sqlalchemy import select

from consent import address
from delivery import tables
from delivery.outcome import Kind
from gateway.flows.rights import fresh_link
from gateway.flows.rights.fresh_link import PURPOSE
from gateway.flows.sending.content import OurMail, place, read
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
        raw = vault.open(row.subject, "profile", place(row.id, Kind.SERVICE, PURPOSE), row.sealed)
        assert raw is not None
        said = read(raw)
        assert isinstance(said, OurMail)
        tokens.append(said.links["my_data"].rpartition("/")[2])
    return tokens


async def ask(parts: Parts, one: str) -> int:
    """Ask for a link and let the duty run; how many links there are now."""
    await fresh_link.accept(parts, address.parse(one), None)
    assert await fresh_link.work_off(parts) == 1
    return len(await sent_links(parts))
