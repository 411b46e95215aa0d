"""Stamps are spent in order, once, and by the transaction that keeps what was posted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from consent import address
from consent.sign_ups import Asked, RenderedBy, SignUp
from gateway.flows.joining import attestations
from gateway.flows.joining.attestations import KEPT, Attestation, Use
from gateway.schema.tables import metadata, spent_stamp
from storage.database import Database
from tests.support.clock import SteppedClock
from tests.support.locks import blocked

ADA = SignUp(
    form="signup",
    email=address.parse("ada@example.org"),
    locale="en",
    asked=(Asked("newsletter", "sha256:a"), Asked("updates", "sha256:b")),
    page_url="https://www.acme.example/",
    profile={"first_name": "Ada", "company": "Analytical"},
)
GRACE = replace(ADA, email=address.parse("grace@example.org"))


def stamp(number: int) -> Attestation:
    return Attestation(f"{number:032x}".encode(), RenderedBy.PAGE)


@pytest.fixture
async def data(database: Database) -> AsyncIterator[Database]:
    async with database.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database


async def spend(
    data: Database, clock: SteppedClock, *posts: tuple[Attestation, SignUp]
) -> list[Use]:
    async with data.begin() as connection:
        return await attestations.spend(connection, posts, clock.wall())


async def test_the_first_post_of_a_stamp_spends_it(data: Database, clock: SteppedClock) -> None:
    one, other = stamp(1), stamp(2)

    together = await spend(data, clock, (one, ADA), (one, GRACE), (one, ADA), (other, GRACE))
    later = await spend(data, clock, (one, GRACE), (one, ADA), (other, ADA))

    assert together == [Use.FIRST, Use.OTHERS, Use.AGAIN, Use.FIRST]
    assert later == [Use.OTHERS, Use.AGAIN, Use.OTHERS]


@pytest.mark.parametrize(
    ("change", "use"),
    [
        pytest.param({}, Use.AGAIN, id="nothing"),
        pytest.param({"email": address.parse(" ADA@Example.org")}, Use.AGAIN, id="spelling"),
        pytest.param({"asked": ADA.asked[::-1]}, Use.AGAIN, id="order of purposes"),
        pytest.param(
            {"profile": {"company": "Analytical", "first_name": "Ada"}},
            Use.AGAIN,
            id="order of answers",
        ),
        pytest.param({"form_digest": "sha256:c"}, Use.AGAIN, id="a new configuration"),
        pytest.param({"email": GRACE.email}, Use.OTHERS, id="address"),
        pytest.param({"asked": ADA.asked[:1]}, Use.OTHERS, id="purposes"),
        pytest.param({"profile": {"first_name": "Ada"}}, Use.OTHERS, id="answers"),
        pytest.param({"page_url": None}, Use.OTHERS, id="page"),
        pytest.param({"locale": "de"}, Use.OTHERS, id="language"),
        pytest.param({"form": "linked"}, Use.OTHERS, id="form"),
    ],
)
async def test_the_same_post_is_one_that_says_the_same(
    data: Database, clock: SteppedClock, change: dict[str, object], use: Use
) -> None:
    await spend(data, clock, (stamp(1), ADA))

    assert await spend(data, clock, (stamp(1), replace(ADA, **change))) == [use]  # type: ignore[arg-type]  # of any field


async def test_what_is_rolled_back_spends_nothing(data: Database, clock: SteppedClock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with data.begin() as connection:
            await attestations.spend(connection, [(stamp(1), ADA)], clock.wall())
            raise ZeroDivisionError

    assert await spend(data, clock, (stamp(1), GRACE)) == [Use.FIRST]


async def test_nothing_is_asked_where_nobody_has_a_stamp(
    data: Database, clock: SteppedClock
) -> None:
    assert await spend(data, clock) == []


@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_who_comes_with_a_stamp_that_is_being_spent_waits(
    data: Database, clock: SteppedClock
) -> None:
    async with data.begin() as connection:
        await attestations.spend(connection, [(stamp(1), ADA), (stamp(2), ADA)], clock.wall())
        others = asyncio.create_task(spend(data, clock, (stamp(2), ADA), (stamp(1), GRACE)))
        await blocked(data, 1)

    assert await others == [Use.AGAIN, Use.OTHERS]


async def test_a_stamp_is_forgotten_after_its_day(data: Database, clock: SteppedClock) -> None:
    await spend(data, clock, (stamp(1), ADA))

    async def purge() -> int:
        async with data.begin() as connection:
            return await attestations.purge(connection, clock.wall())

    assert await purge() == 0
    clock.step(KEPT)
    assert await purge() == 1


async def test_a_stamp_that_was_spent_by_a_clock_ahead_is_kept_a_day_from_now(
    data: Database, clock: SteppedClock
) -> None:
    clock.step(timedelta(days=9))
    await spend(data, clock, (stamp(1), ADA))
    clock.step(-timedelta(days=9))

    async with data.begin() as connection:
        assert await attestations.purge(connection, clock.wall()) == 0
    clock.step(KEPT)
    async with data.begin() as connection:
        assert await attestations.purge(connection, clock.wall()) == 1
        left = (
            await connection.execute(select(func.count()).select_from(spent_stamp))
        ).scalar_one()

    assert left == 0
