"""Public numbers as an oracle: a stranger reads everything before and after asking for somebody.

Whatever anybody can read (pages, documents, headers, what a limit says) must say the
same whoever was asked for. The one number that grows with what people do, the log's size,
is shown once a day, behind more cover entries than anybody could tell one person from.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from audit import public
from audit.public import FEWEST, SPREAD
from consent import gates
from gateway.callers.api_keys import Scope
from gateway.flows.rights import erasing
from gateway.people import stamps
from gateway.process import routes
from tests.support.apps import App, open_app
from tests.support.databases import Databases

DAY = timedelta(days=1)
KINDS = ("unknown", "pending", "confirmed", "withdrawn", "objected", "erased")
REQUESTS = 200
METHODS = ("GET", "HEAD", "OPTIONS")

# What a stranger puts where a path wants something; a wording's hash is told by every form.
PARTS_OF_PATHS = {"token": "A" * 43, "form": "signup", "slug": "invalid", "hash": ""}
_PART = re.compile(r"\{(\w+)[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
# Told by the clock and the dice of the page itself, to everybody: as long as ever.
_STAMP = re.compile(rb'(name="stamp" value="|"stamp": ?")[A-Za-z0-9._-]+')

_WORDINGS: dict[str, list[str]] = {}  # read once for each app

Seen = dict[tuple[str, str], tuple[int, dict[str, str], bytes]]


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, limits=True) as opened:
        yield opened


async def people(app: App) -> dict[str, str]:
    """One person of each kind, each asked about once."""
    everybody = {kind: f"{kind:_<9}@example.org" for kind in KINDS}  # as long as any other
    for kind in KINDS[1:]:
        await post(app, everybody[kind], "198.51.100.1")
    tokens = {mail.to: mail.token("confirm") for mail in await app.deliver()}
    for kind in KINDS[2:]:
        url = f"/confirm/{tokens[everybody[kind]]}"
        assert (await app.http.post(url, data={"answer": "confirm"})).status == 200
    for kind, how in (("withdrawn", "withdraw"), ("objected", "object")):
        await leave(app, everybody[kind], how)
    await erase(app, everybody["erased"])
    await app.tick()
    return everybody


async def leave(app: App, email: str, how: str) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW)
    said = {"to": {"email": email}, "all": True, "kind": how, "channel": "phone"}
    async with app.http.post("/v1/withdrawals", json=said, headers=key) as answer:
        assert answer.status == 200


async def erase(app: App, email: str) -> None:
    parts, subject = app.parts, await app.subject(email)
    assert subject is not None
    async with parts.data.begin() as connection:
        held = (await gates.lock(connection, [subject])).values()
        now = parts.clock.wall()
        await erasing.begin(parts.log, connection, parts.rows, parts.lookup, parts.marks, held, now)
    await erasing.finish(parts, [subject])


async def wordings(app: App) -> list[str]:
    if app.base not in _WORDINGS:
        _WORDINGS[app.base] = await app.texts("newsletter")
    return _WORDINGS[app.base]


async def post(app: App, email: str, network: str) -> tuple[int, str, dict[str, str], bytes]:
    """Sign somebody up, as a stranger does from one network; everything that comes back."""
    sent = {"X-Forwarded-For": network}
    body = {"email": email, "purposes": ["newsletter"], "texts": await wordings(app)}
    async with app.http.post("/forms/signup", json=body, headers=sent) as answer:
        return answer.status, "form", told(answer.headers.items()), await answer.read()


async def ask(app: App, email: str, network: str) -> tuple[int, str, dict[str, str], bytes]:
    """Ask for somebody's link."""
    sent = {"X-Forwarded-For": network}
    async with app.http.post("/my-data", data={"email": email}, headers=sent) as answer:
        return answer.status, "my-data", told(answer.headers.items()), await answer.read()


def told(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What headers say, but the moment, and the stamp that the dice of the page give everybody."""
    return {name: value for name, value in headers if name not in ("Date", stamps.HEADER)}


async def everything(app: App, *methods: str) -> Seen:
    """What anybody can read without a key."""
    rows = [*routes.API, *routes.PAGES, *routes.OWN_PAGES, *routes.OPERATIONS]
    open_rows = [row for row in rows if row.scope is None or row.open_to_all]
    paths = {_PART.sub(lambda part: PARTS_OF_PATHS[part[1]], r.path) for r in open_rows}
    seen: Seen = {}
    for path in sorted({*paths, "/openapi.json", "/metrics", "/nowhere"}):
        for method in methods:
            async with app.http.request(method, path, allow_redirects=False) as answer:
                whole = await answer.read()
                body = _STAMP.sub(rb"\1", whole)
                headers = told(answer.headers.items())
                # A stamp is a number of its own, of this or that length.
                if body != whole or (method, path) == ("HEAD", "/forms/signup"):
                    headers["Content-Length"] = str(len(body))
                seen[method, path] = (answer.status, headers, body)
    return seen


async def size(app: App) -> int:
    async with app.http.get("/v1/audit/checkpoint") as answer:
        assert answer.status == 200
        return int((await answer.text()).splitlines()[1])


async def a_day_passes(app: App, dice: int) -> None:
    """Up to the next public checkpoint."""
    app.step(DAY)
    assert await public.show(app.parts.data, app.parts.log, app.parts.clock, lambda _: dice)
    await app.tick()


async def test_two_hundred_requests_leave_everything_that_anybody_can_read_alike(app: App) -> None:
    everybody = await people(app)
    before = await everything(app, *METHODS)
    assert before["GET", "/v1/audit/checkpoint"][0] == 200
    assert before["GET", "/metrics"][0] == 404

    said: dict[str, list[object]] = {kind: [] for kind in KINDS}
    for number, kind in enumerate(KINDS):
        network = f"203.0.113.{number}"  # one for each kind: what a limit says is compared
        for turn in range(REQUESTS // len(KINDS) // 2 + 1):
            email = f"{turn:_>9}@example.org" if kind == "unknown" else everybody[kind]
            said[kind] += [await post(app, email, network), await ask(app, email, network)]
        await app.deliver()
        seen = await everything(app, *(METHODS if kind == KINDS[-1] else METHODS[:1]))
        assert seen == {one: before[one] for one in seen}, kind

    assert sum(map(len, said.values())) >= REQUESTS
    assert all(one == said["unknown"] for one in said.values())


async def test_the_size_of_the_day_hides_whoever_was_asked_for(app: App) -> None:
    everybody = await people(app)
    await a_day_passes(app, 0)
    grew: dict[str, int] = {}
    for number, kind in enumerate(KINDS):
        shown = await size(app)
        for do in (post, ask):
            await do(app, everybody[kind], f"203.0.113.{number}")
            await app.deliver()
            assert await size(app) == shown, "before the day was over"
        await a_day_passes(app, 0)
        grew[kind] = await size(app) - shown - FEWEST - 1

    # Two requests about one person. How well anybody can tell two kinds apart who sees the sum
    # with covers: the share of sizes that only one of them can have.
    assert len(set(grew.values())) > 1, "nothing that covers would have to hide"
    assert (max(grew.values()) - min(grew.values())) / SPREAD < 0.01, grew


async def test_a_restart_shows_no_other_size(app: App) -> None:
    shown = await size(app)
    for _ in range(3):
        await app.subscribe(f"{len(app.begun)}@example.org")
        await app.tick()
        await public.show(app.parts.data, app.parts.log, app.parts.clock)
        await app.parts.publisher.publish(app.parts.data, app.parts.guard, app.parts.clock)

        assert await size(app) == shown

    key = await app.key(Scope.AUDIT_READ)
    async with app.http.get("/v1/audit/checkpoint", headers=key) as answer:
        newest = int((await answer.text()).splitlines()[1])
    assert newest > shown
