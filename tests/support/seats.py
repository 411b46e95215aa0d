"""Operators of a gateway that lived: who sits at the desk, who did, and what lets them in."""

from __future__ import annotations

from dataclasses import dataclass, field

from consent import address
from gateway.callers import visits
from gateway.callers.operators import Role
from gateway.flows.desk.sitting import Desk
from gateway.flows.desk.staff import Entered, Staff
from gateway.parts import Parts

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
    return seats


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
