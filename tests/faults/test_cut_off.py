"""PostgreSQL ends a connection, or itself, amid a confirmation, a withdrawal or an erasure."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.support import crowds
from tests.support.gateways import Gateway, open_gateway
from tests.support.held_commits import HOLDING, HeldCommits
from tests.support.postgres import Postgres, postgres

PEOPLE = [f"person{n}@example.org" for n in range(12)]  # more than there are commits of one act
DONE, AWAY = {200, 202}, 503
BEGIN_ANEW = 303  # to whose session ended with the erasure that nobody told them of
# What the acts lock or write, and what a process does by itself leaves alone meanwhile.
DATA, KEYS = ("subject",), ("dek", "taking_away")


@dataclass
class Act:
    """What each of them does, once, and what is said of their permission before and after it."""

    post: Callable[[str], Awaitable[int]]
    before: str | None
    after: str | None


async def confirming(gateway: Gateway, _key: str) -> Act:
    assert {await gateway.sign_up(one) for one in PEOPLE} == {202}
    links = {one: (await gateway.await_mail(one)).link("confirm") for one in PEOPLE}
    return Act(lambda one: follow(gateway, links[one], answer="confirm"), "pending", None)


async def leaving(gateway: Gateway, key: str) -> Act:
    await crowds.subscribe(gateway, PEOPLE)
    await crowds.post(gateway, key, PEOPLE, "batch")
    links = {one: (await gateway.await_mail(one, 2)).link("unsubscribe") for one in PEOPLE}
    one_click = {"List-Unsubscribe": "One-Click"}
    return Act(lambda one: follow(gateway, links[one], **one_click), None, "withdrawn")


async def being_erased(gateway: Gateway, key: str) -> Act:
    await crowds.subscribe(gateway, PEOPLE)

    async def erase(one: str) -> int:
        named = {"Idempotency-Key": f"erase-{one}"}
        return (await gateway.call(key, "POST", "/v1/erasures", {"email": one}, **named))[0]

    return Act(erase, None, "unknown")


async def erasing_themselves(gateway: Gateway, _key: str) -> Act:
    await crowds.subscribe(gateway, PEOPLE)
    mine = {one: await session(gateway, one) for one in PEOPLE}

    async def erase(one: str) -> int:
        cookie, token = mine[one]
        return await follow(gateway, "/my-data/erase", cookie, csrf=token, answer="erase")

    return Act(erase, None, "unknown")


async def session(gateway: Gateway, person: str) -> tuple[str, str]:
    """The cookie of their own pages, and what a form of these must bring along."""
    async with gateway.http.post(f"{gateway.base}/my-data", data={"email": person}) as answer:
        assert answer.status == 200
    link = (await gateway.await_mail(person, 2)).link("my-data")
    async with gateway.http.post(link, allow_redirects=False) as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    url = f"{gateway.base}/my-data"
    async with gateway.http.get(url, headers={"Cookie": cookie}) as answer:
        found = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
    assert found is not None
    return cookie, found[1]


async def follow(gateway: Gateway, link: str, cookie: str = "", **said: str) -> int:
    url = link if link.startswith("http") else f"{gateway.base}{link}"
    headers = {"Cookie": cookie} if cookie else {}
    async with gateway.http.post(url, data=said, headers=headers, allow_redirects=False) as answer:
        assert answer.status != AWAY or "Retry-After" in answer.headers
        return answer.status


@dataclass
class Cut:
    """A gateway on a server that holds what it commits."""

    gateway: Gateway
    server: Postgres
    data: str
    commits: HeldCommits
    key: str
    act: Act

    async def stands(self, person: str) -> str | None:
        """Why they may not be mailed; None where they may."""
        asked = {"to": {"email": person}, "purpose": "newsletter"}
        asking = self.gateway.call(self.key, "POST", "/v1/permissions", asked)
        status, said = await self.commits.let_on(asking)
        assert status == 200, said
        reason: str | None = said.get("reason")
        return reason

    async def asks_again(self, person: str) -> None:
        """As whoever is told to; then it stands."""

        async def until_taken() -> int:
            while (status := await self.act.post(person)) == AWAY:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            return status

        assert await self.commits.let_on(until_taken()) in {*DONE, BEGIN_ANEW}
        assert await self.stands(person) == self.act.after


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as one:
        yield one


@asynccontextmanager
async def opened(
    tmp_path: Path, server: Postgres, prepare: Callable[[Gateway, str], Awaitable[Act]]
) -> AsyncIterator[Cut]:
    start_anew(server)
    data, keys = (server.create_database(f"{prepare.__name__}_{one}") for one in ("data", "keys"))
    urls = iter([data, keys])
    async with open_gateway(tmp_path, lambda _: next(urls), "postgresql") as gateway:
        await gateway.start("serve", "serve", "--worker")
        key = await asyncio.to_thread(gateway.api_key)
        act = await prepare(gateway, key)
        commits = await HeldCommits.of(server, {data: DATA, keys: KEYS})
        gateway.kill("serve")
        start_anew(server, *HOLDING)
        await commits.let_on(gateway.start("serve", "serve", "--no-worker"))
        yield Cut(gateway, server, data, commits, key, act)
        start_anew(server)
        await gateway.await_ready("serve")
        gateway.command("audit", "verify")
        assert '.failed"' not in gateway.log("serve")


def start_anew(server: Postgres, *options: str) -> None:
    server.kill()
    server.options = [*options]
    server.start()


@pytest.mark.long
@pytest.mark.timeout(600)  # three starts, and a server that starts anew
@pytest.mark.parametrize("prepare", [confirming, leaving, being_erased, erasing_themselves])
async def test_who_is_cut_off_is_told_so_and_asks_again(
    tmp_path: Path, server: Postgres, prepare: Callable[[Gateway, str], Awaitable[Act]]
) -> None:
    """What was answered holds at once; of what was not nothing is half done."""
    async with opened(tmp_path, server, prepare) as cut:
        early, amid, *others = PEOPLE
        unwritten = cut.commits.cut_before(cut.act.post(early), cut.data, "audit_pending")
        assert await unwritten == AWAY
        assert await cut.stands(early) == cut.act.before
        await cut.asks_again(early)

        restart = partial(start_anew, server, *HOLDING)
        answered, was_cut = await cut.commits.cut(cut.act.post(amid), 1, restart)
        assert was_cut
        assert answered in {*DONE, AWAY}
        await cut.asks_again(amid)

        answers = []
        for at, one in zip(count(1), others, strict=False):
            answered, was_cut = await cut.commits.cut(cut.act.post(one), at)
            answers.append(answered)
            if answered == AWAY:
                await cut.asks_again(one)
            assert await cut.stands(one) == cut.act.after
            if not was_cut:
                break
        assert not was_cut, "there are more commits than people"
        assert {*answers} <= {*DONE, AWAY}
        assert AWAY in answers
