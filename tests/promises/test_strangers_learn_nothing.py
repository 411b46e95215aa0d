"""Promise 8: every public answer is the same, in content and in time; the next answer too.

First by structure: the same statements and the same suspensions before the
answer. Then by the clock, since a cache or an index could differ where the
structure does not.
"""

from __future__ import annotations

import asyncio
import itertools
import random  # noqa: TID251
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web

from consent import address, suppressions
from consent.keys import blind
from consent.suppressions import Stop, Suppression
from gateway.callers.api_keys import Scope
from gateway.flows.joining import intake
from tests.support.apps import App, open_app
from tests.support.remembering import remember
from tests.support.statements import statements
from tests.support.stops import stops_of

TIMED = ("unknown", "pending", "confirmed", "withdrawn", "suppressed", "objected")
# Known by the look-ups of others ("suppressed", "objected", "unknown"): not timed.
KINDS = (*TIMED, "blocked", "restricted", "erased")
ROUNDS = 400
PERMUTATIONS = 2000


def dice(seed: int) -> random.Random:
    """Chance that can be repeated: it orders and simulates, and keeps no secret."""
    return random.Random(seed)  # noqa: S311


class Steps:
    """What a request did before its answer: how often it was suspended."""

    def __init__(self) -> None:
        self.taken = 0

    @property
    def middleware(self) -> Any:
        @web.middleware
        async def count(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            return await _Counted(handler(request), self)

        return count


class _Counted:
    def __init__(self, inner: Awaitable[web.StreamResponse], steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, web.StreamResponse]:
        running, sent = self._inner.__await__(), None
        while True:
            try:
                waited_for = running.send(sent)
            except StopIteration as done:
                return done.value
            self._steps.taken += 1
            try:
                sent = yield waited_for
            except BaseException as error:  # noqa: BLE001 passed on to where it belongs
                running.throw(error)


class People:
    """One person of each kind, and as many unknown ones as are asked for."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._numbers = itertools.count()

    async def make(self) -> None:
        app = self.app
        confirm = ("confirmed", "withdrawn", "objected", "restricted", "erased")
        for kind in ("pending", *confirm):
            await app.sign_up(self._address(kind))
        mails = {mail.to: mail.token("confirm") for mail in await app.deliver()}
        for kind in confirm:
            token = mails[self._address(kind)]
            async with app.http.post(f"/confirm/{token}", data={"answer": "confirm"}) as page:
                assert page.status == 200
        for kind, how in (("withdrawn", "withdraw"), ("objected", "object")):
            leave = {
                "to": {"email": self._address(kind)},
                "all": True,
                "kind": how,
                "channel": "phone",
            }
            key = await app.key(Scope.CONSENTS_WITHDRAW)
            async with app.http.post("/v1/withdrawals", json=leave, headers=key) as done:
                assert done.status == 200
        restricted = await app.subject(self._address("restricted"))
        assert restricted is not None
        await stops_of(app.parts).restrict(restricted)
        key, erased = await app.key(Scope.SUBJECTS_MANAGE), {"email": self._address("erased")}
        async with app.http.post("/v1/erasures", json=erased, headers=key) as done:
            assert done.status == 202
        await self._stop("suppressed", Stop.COMPLAINT)
        await self._stop("blocked", Stop.ASKING)
        await app.sign_up("somebody@example.org")  # the first behind an erasure makes a key
        await app.tick()

    def of(self, kind: str) -> str:
        """An address of this kind; every unknown one is new."""
        if kind == "unknown":
            return f"unknown{next(self._numbers):06}@example.org"
        return self._address(kind)

    @staticmethod
    def _address(kind: str) -> str:
        return f"{kind:_<13}@example.org"  # as long as any other

    async def _stop(self, kind: str, stop: Stop) -> None:
        parts = self.app.parts
        canonical = address.parse(self._address(kind)).canonical
        keys = parts.keyring.suppression
        digest = blind.suppression_hash(keys.secret, canonical)
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            await suppressions.add(connection, [Suppression(digest, stop, kid=keys.kid)], now)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
async def app(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str], steps: Steps
) -> AsyncIterator[App]:
    async with open_app(
        tmp_path, new_database_url, dialect, limits=False, around=[steps.middleware]
    ) as opened:
        yield opened


Question = Callable[[App, str], Awaitable[tuple[int, bytes]]]


async def by_script(app: App, email: str) -> tuple[int, bytes]:
    async with app.http.post("/forms/signup", json=await app.posted(email)) as answer:
        return answer.status, await answer.read()


async def by_plain_form(app: App, email: str) -> tuple[int, bytes]:
    (text,) = await app.texts("newsletter")
    fields = {"email": email, "purpose": "newsletter", "text": text}
    async with app.http.post("/forms/signup", data=fields) as answer:
        return answer.status, await answer.read()


async def by_my_data(app: App, email: str) -> tuple[int, bytes]:
    async with app.http.post("/my-data", data={"email": email}) as answer:
        return answer.status, await answer.read()


@pytest.mark.parametrize("ask", [by_script, by_plain_form, by_my_data])
async def test_every_kind_of_address_takes_the_same_statements_and_steps(
    app: App, steps: Steps, ask: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(monkeypatch)  # what is read again by the clock is so for anybody
    people = People(app)
    await people.make()
    await app.texts("newsletter")

    seen: dict[str, set[Any]] = {kind: set() for kind in KINDS}
    for kind in KINDS * 3:
        email = people.of(kind)
        for which in ("first", "next"):  # the next one meets what the first left behind
            with statements() as ran:
                steps.taken = 0
                answer = await ask(app, email)
                seen[kind].add((which, answer, tuple(ran), steps.taken))
        await app.tick()

    unknown = seen["unknown"]
    assert len(unknown) <= 4, "the measure itself is not steady"
    for kind in KINDS:
        assert {one[:3] for one in seen[kind]} == {one[:3] for one in unknown}, kind
        # Whether a body arrives with its head is the network's doing.
        assert {one[3] for one in seen[kind]} <= {one[3] + n for one in unknown for n in (-1, 0, 1)}


async def test_the_key_store_does_the_same_work_for_every_kind_of_address(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(monkeypatch)
    people = People(app)
    await people.make()

    seen: dict[str, set[tuple[str, ...]]] = {}
    for kind in KINDS * 2:
        assert (await by_script(app, people.of(kind)))[0] == 202
        with statements() as ran:
            await intake.work_off(app.parts)
        # How many values an IN has depends on what was fetched within the last minute.
        keys = [one.partition(" IN (")[0] for one in ran if "dek" in one or "erasure" in one]
        seen.setdefault(kind, set()).add(tuple(keys))

    (unknown,) = seen["unknown"]
    assert any("INSERT INTO dek" in one for one in unknown)
    for kind in KINDS:
        assert seen[kind] == {unknown}, kind


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_every_kind_of_address_takes_the_same_time_and_so_does_the_next_request(
    tmp_path: Path, new_database_url: Callable[[str], str]
) -> None:
    """Whatever seems to differ must do so again in a second sample: eighteen looks find chance."""
    async with open_app(tmp_path, new_database_url, "sqlite") as app:
        people = People(app)
        await people.make()
        suspects = _suspects(await _measure(app, people, TIMED), "first sample")
        if suspects:
            again = await _measure(app, people, ("unknown", *{kind for _, kind in suspects}))
            suspects &= _suspects(again, "second sample")

    assert not suspects, "the time of an answer tells kinds of addresses apart"


async def _measure(
    app: App, people: People, kinds: Sequence[str]
) -> dict[str, dict[str, list[float]]]:
    """Seconds by request and kind.

    *next* is posted just when the duty begins to work off what *first* left; *meanwhile* is the
    longest of the looks at a page until the duty is done: what a loop that is held up shows.
    """
    order = [kind for kind in kinds for _ in range(ROUNDS)]
    dice(8).shuffle(order)
    times: dict[str, dict[str, list[float]]] = {"first": {}, "next": {}, "meanwhile": {}}
    body = await app.posted()

    async def post(email: str) -> float:
        begun = perf_counter()
        async with app.http.post("/forms/signup", json=body | {"email": email}) as answer:
            await answer.read()
        return perf_counter() - begun

    async def look() -> float:
        planned = perf_counter() + 0.001
        await asyncio.sleep(0.001)
        async with app.http.get("/my-data") as page:
            await page.read()
        return perf_counter() - planned  # a loop that is held up begins late, too

    for kind in order:
        times["first"].setdefault(kind, []).append(await post(people.of(kind)))
        duty = asyncio.create_task(intake.work_off(app.parts))
        times["next"].setdefault(kind, []).append(await post(people.of("pending")))
        longest = await look()
        while not duty.done():
            longest = max(longest, await look())
        times["meanwhile"].setdefault(kind, []).append(longest)
        await duty
    return times


def _suspects(measured: dict[str, dict[str, list[float]]], which: str) -> set[tuple[str, str]]:
    found = set()
    for request, times in measured.items():
        unknown = times["unknown"]
        typical, power = statistics.median(unknown) * 1000, _smallest_found(unknown) * 1000
        print(f"{which}, {request}: median {typical:.2f} ms; finds {power:.2f} ms and more")
        for kind in times:
            verdict = _verdict(unknown, times[kind])
            print(f"  {kind}: {verdict}")
            if verdict.leaks:
                found.add((request, kind))
    return found


class _Verdict:
    """How two samples differ, and how likely chance alone does as much."""

    def __init__(self, difference: float, base: float, p: float) -> None:
        self.difference = difference
        self.base = base
        self.p = p

    @property
    def leaks(self) -> bool:
        large = abs(self.difference) > max(0.05 * self.base, 0.0005)
        return large and self.p < 0.001

    def __str__(self) -> str:
        return f"{self.difference * 1000:+.3f} ms of {self.base * 1000:.3f} ms, p = {self.p:.4f}"


def _verdict(one: Sequence[float], other: Sequence[float]) -> _Verdict:
    """A permutation test; ends early where chance plainly does as much."""
    chance, difference = dice(9), _middle(other) - _middle(one)
    p = _p(one, other, chance, 200)
    if p < 0.05:
        p = _p(one, other, chance, PERMUTATIONS)
    return _Verdict(difference, _middle(one), p)


def _p(one: Sequence[float], other: Sequence[float], chance: random.Random, count: int) -> float:
    difference = abs(_middle(other) - _middle(one))
    pooled, split, extreme = [*one, *other], len(one), 0
    for _ in range(count):
        chance.shuffle(pooled)
        extreme += abs(_middle(pooled[split:]) - _middle(pooled[:split])) >= difference
    return (extreme + 1) / (count + 1)


def _middle(times: Sequence[float]) -> float:
    """The mean of the faster half: pauses of the machine say nothing of us."""
    return statistics.fmean(sorted(times)[: len(times) // 2])


def _smallest_found(times: Sequence[float]) -> float:
    """The smallest difference that such samples would have shown in four of five trials."""
    chance, shift = dice(10), 0.0005
    while shift < 0.1:
        found = 0
        for _ in range(5):
            one = chance.choices(times, k=len(times))
            other = [time + shift for time in chance.choices(times, k=len(times))]
            found += _verdict(one, other).leaks
        if found >= 4:
            break
        shift *= 1.5
    return shift


def test_the_measure_finds_what_it_is_for() -> None:
    chance = dice(11)
    times = [0.003 + chance.expovariate(2000) for _ in range(ROUNDS)]
    slower = [0.004 + chance.expovariate(2000) for _ in range(ROUNDS)]

    assert _verdict(times, slower).leaks
    assert not _verdict(times, [0.003 + chance.expovariate(2000) for _ in range(ROUNDS)]).leaks
