"""Public numbers as an oracle: a stranger reads everything before and after asking for somebody.

Whatever anybody can read (pages, documents, headers, what a limit says) must say the
same whoever was asked for. The one number that grows with what people do, the log's size,
is shown once a day, behind more cover entries than anybody could tell one person from.

What there is to read and to ask comes from the table of routes: a new one is read too, and
one that takes an address must be given a way to ask here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from audit import public
from audit.public import FEWEST, SPREAD
from consent import gates
from gateway.callers.api_keys import Scope
from gateway.flows.rights import erasing
from gateway.people import forms
from gateway.people.stamps import HEADER as STAMP
from gateway.process import routes
from tests.support.apps import ORIGIN, App, open_app
from tests.support.databases import Databases
from tests.support.served import ROWS, requests

DAY = timedelta(days=1)
KINDS = ("unknown", "known", "pending", "confirmed", "withdrawn", "objected", "erased")
REQUESTS = 200  # to each endpoint that takes an address
METHODS = ("GET", "HEAD", "OPTIONS", "POST")
# Told by the clock and the dice of the page itself, to everybody: as long as ever.
_STAMP = re.compile(rb'(name="stamp" value="|"stamp": ?")[A-Za-z0-9._-]+')

_WORDINGS: dict[str, list[str]] = {}  # read once for each app

DATED = ("GET", "/.well-known/security.txt")
SIZE = ("GET", "/v1/audit/checkpoint")
Seen = dict[tuple[str, str], tuple[int, dict[str, str], bytes]]


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect, limits=True) as opened:
        yield opened


async def people(app: App) -> dict[str, str]:
    """One person of each kind, each asked about once."""
    everybody = {kind: f"{kind:_<9}@example.org" for kind in KINDS}  # as long as any other
    await post(app, everybody["known"], "198.51.100.1")
    await app.deliver()
    app.step(timedelta(hours=73))  # of that request nothing is left but a person who is known
    for kind in KINDS[2:]:
        await post(app, everybody[kind], "198.51.100.1")
    tokens = {mail.to: mail.token("confirm") for mail in await app.deliver()}
    for kind in KINDS[3:]:
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
    await erasing.Erasing(parts).finish([subject])


async def described(app: App) -> dict[str, Any]:
    async with app.http.get("/forms/signup.json") as answer:
        said: dict[str, Any] = await answer.json()
        return said


async def wordings(app: App) -> list[str]:
    if app.base not in _WORDINGS:
        _WORDINGS[app.base] = await app.texts("newsletter")
    return _WORDINGS[app.base]


Answer = tuple[int, dict[str, str], bytes]
# Who asks, and how: a page of theirs, another site's, no page; in a language; with an old answer.
SENT: tuple[dict[str, str], ...] = (
    {},
    {"Origin": ORIGIN},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Accept-Language": "de", "If-None-Match": '"a"', "If-Modified-Since": "x"},
    {"Authorization": "Bearer nobody", "Cookie": "session=nobody", "Range": "bytes=0-9"},
)


async def post(app: App, email: str, network: str, headers: dict[str, str] | None = None) -> Answer:
    """Sign somebody up, as a stranger does from one network; everything that comes back."""
    body = {"email": email, "purposes": ["newsletter"], "texts": await wordings(app)}
    return await _asked(app, "/forms/signup", network, headers, json=body)


async def post_plain(app: App, email: str, network: str, headers: dict[str, str]) -> Answer:
    return await _asked(app, "/forms/signup", network, headers, data=await _fields(app, email))


async def post_parts(app: App, email: str, network: str, headers: dict[str, str]) -> Answer:
    parts = aiohttp.FormData(await _fields(app, email), default_to_multipart=True)
    return await _asked(app, "/forms/signup", network, headers, data=parts)


async def ask(app: App, email: str, network: str, headers: dict[str, str] | None = None) -> Answer:
    """Ask for somebody's link."""
    return await _asked(app, "/my-data", network, headers, data={"email": email})


async def ask_at_the_desk(
    app: App, email: str, network: str, headers: dict[str, str] | None = None
) -> Answer:
    """Ask for an operator's link, as if somebody were one."""
    return await _asked(app, "/dpo/sign-in", network, headers, data={"email": email})


async def _fields(app: App, email: str) -> dict[str, str]:
    return {"email": email, "purpose": "newsletter", "text": (await wordings(app))[0]}


async def _asked(
    app: App, path: str, network: str, headers: dict[str, str] | None, **body: Any
) -> Answer:
    sent = {"X-Forwarded-For": network} | (headers or {})
    async with app.http.post(path, headers=sent, allow_redirects=False, **body) as answer:
        return answer.status, told(answer.headers.items()), await answer.read()


# Every endpoint that takes an address of a stranger, with the ways to ask there in turn.
ASKING: dict[tuple[str, str], tuple[Callable[..., Awaitable[Answer]], ...]] = {
    ("POST", forms.PATH): (post, post_plain, post_parts),
    ("POST", "/my-data"): (ask,),
    ("POST", "/dpo/sign-in"): (ask_at_the_desk,),
}


def told(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What headers say, but the moment, and the number of a stamp that everybody gets."""
    values = {name: value for name, value in headers if name != "Date"}
    return values | ({STAMP: "one"} if STAMP in values else {})


async def everything(app: App, *methods: str) -> Seen:
    """What anybody can read, or has answered, who has no key, no link and nobody's address."""
    readable = {path for _, path in requests()}
    asked = {path for method, path in requests() if method == "POST"}
    notice = (await described(app))["purposes"][0]["text"]["bundle"]["notice"]
    more = {"/openapi.json", "/metrics", "/nowhere", f"/notices/{notice}"}
    seen: Seen = {}
    stamped: set[str] = set()
    for path, method in itertools.product(sorted(readable | more), methods):
        if method == "POST" and path not in asked:
            continue
        # Who posts is counted; that is another's network than those that are compared.
        sent = {"X-Forwarded-For": "192.0.2.1"}
        async with app.http.request(method, path, headers=sent, allow_redirects=False) as answer:
            whole = await answer.read()
            body = _STAMP.sub(rb"\1", whole)
            headers = told(answer.headers.items())
            if path in stamped or body != whole:  # a stamp is of this or that length
                stamped.add(path)
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


def test_every_endpoint_that_takes_an_address_of_a_stranger_is_asked_here() -> None:
    """Who adds one that needs neither key nor link nor session adds a way to ask there."""
    acts = ("preferences", "leave", "restrict", "object", "erase", "pace", "rectify", "export")
    of_owners = {f"/my-data/{act}" for act in acts}  # in a session
    open_to_all = {
        (row.method, row.path)
        for row in ROWS
        if row.method != "GET"
        and (row.scope is None or row.open_to_all)
        and "{token:" not in row.path
        and row.path not in of_owners
        and (row not in routes.DESK or row.path == "/dpo/sign-in")  # the others: in a session
    }

    assert open_to_all == set(ASKING)


# Minutes of it: what is answered does not depend on the database, which the long tests hold too.
@pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
@pytest.mark.parametrize("endpoint", ASKING, ids=lambda endpoint: endpoint[1])
async def test_two_hundred_requests_leave_everything_that_anybody_can_read_alike(
    app: App, endpoint: tuple[str, str]
) -> None:
    everybody = await people(app)
    before = await everything(app, *METHODS)
    assert before["GET", "/v1/audit/checkpoint"][0] == 200
    assert before["GET", "/metrics"][0] == 404

    said: dict[str, list[Answer]] = {kind: [] for kind in KINDS}
    for number, kind in enumerate(KINDS):
        network = f"203.0.113.{number}"  # one for each kind: what a limit says is compared
        ways = itertools.product(SENT, ASKING[endpoint])
        for turn, (headers, way) in zip(range(REQUESTS // len(KINDS) + 1), itertools.cycle(ways)):
            email = f"{turn:_>9}@example.org" if kind == "unknown" else everybody[kind]
            said[kind].append(await way(app, email, network, headers))
        await app.deliver()
        seen = await everything(app, *(METHODS if kind == KINDS[-1] else METHODS[:1]))
        assert seen == {one: before[one] for one in seen}, kind

    assert sum(map(len, said.values())) >= REQUESTS
    assert all(one == said["unknown"] for one in said.values())


async def test_the_size_of_the_day_hides_whoever_was_asked_for(app: App) -> None:
    everybody = await people(app)
    await a_day_passes(app, 0)
    others = await everything(app, "GET")
    grew: dict[str, int] = {}
    for number, kind in enumerate(KINDS):
        shown = await size(app)
        for turn in range(REQUESTS // len(KINDS) // 2 + 1):
            for do in (post, ask):
                await do(app, everybody[kind], f"203.0.113.{number}")
            if turn % 6 == 0:  # also while they ask
                await app.deliver()
                assert await size(app) == shown, "before the day was over"
        await app.deliver()
        await a_day_passes(app, 0)
        grew[kind] = await size(app) - shown - FEWEST - 1
    seen = await everything(app, "GET")
    # And a file that says until which day it holds.
    assert [one for one in seen if seen[one] != others[one]] == [DATED, SIZE]

    # Two hundred requests about one person. How well anybody can tell two kinds apart who sees the
    # sum with covers: the share of sizes that only one of them can have.
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
