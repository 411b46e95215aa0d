"""Operators of a gateway that lived: who sits at the desk, who did, and what lets them in."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import insert

from consent import address
from gateway.callers import desk_exports, visits
from gateway.callers.desk_exports import Job, State
from gateway.callers.operators import Role
from gateway.flows.desk.sitting import Desk
from gateway.flows.desk.staff import Entered, Staff
from gateway.parts import Parts
from gateway.schema.tables import desk_export_piece
from storage.ids import random_id

MANY = 12


@dataclass
class Seat:
    """One operator, with a link that was spent, the session that it opened, and another link."""

    id: str
    spent: str = field(repr=False)
    session: bytes = field(repr=False)
    link: str = field(repr=False)


async def fill(parts: Parts) -> list[Seat]:
    """Let operators of every role sign in."""
    staff = Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
    seats = []
    for number in range(MANY):
        role = list(Role)[number % len(Role)]
        one = await staff.enter(address.parse(f"operator{number}@acme.example"), role, None)
        assert isinstance(one, Entered)
        session = await desk_of(parts).open(one.token)
        assert session is not None
        async with parts.data.begin() as connection:
            token, link = visits.new_link(one.id, await parts.clock.now(connection))
            await visits.add(connection, parts.rows, link)
        seats.append(Seat(one.id, one.token, session, token))
        await _export(parts, one.id)
    return seats


async def _export(parts: Parts, operator: str) -> None:
    """What they had made a file, of which a piece is kept."""
    name = random_id("exp")
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        wanted = '{"format": "jsonl", "locale": "en", "scope": "period"}'
        job = Job(name, operator, None, None, wanted, now, State.READY, ended_at=now)
        await desk_exports.add(connection, parts.rows, job)
        piece = {"export": name, "n": 0, "sealed": b"sealed"}
        await connection.execute(insert(desk_export_piece).values(piece))


async def empty(parts: Parts, seats: list[Seat]) -> None:
    """Some are revoked, some come by their other link too, some leave."""
    staff = Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
    revoked, twice, left = seats[:3], seats[3:6], seats[6:9]
    for one in revoked:
        assert await staff.revoke(one.id)
    for one in twice:
        assert await desk_of(parts).open(one.link) is not None
    for one in left:
        who = await desk_of(parts).who(one.session)
        assert who is not None
        await desk_of(parts).leave(who, one.session)


async def opened(parts: Parts, seats: list[Seat]) -> set[tuple[str, str]]:
    """What every link and session that ever was leads to."""
    found: set[tuple[str, str]] = set()
    for one in seats:
        who = await desk_of(parts).who(one.session)
        if who is not None:
            found.add((f"session of {one.id}", f"{who.id}, {who.role}"))
        for which in (one.spent, one.link):
            if await desk_of(parts).can_open(which):
                found.add((f"link of {one.id}", "the desk"))
    return found


def desk_of(parts: Parts) -> Desk:
    return Desk(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
