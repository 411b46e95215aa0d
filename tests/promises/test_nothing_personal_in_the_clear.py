"""Promise 4: a canary person goes through everything, and is then looked for everywhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import quopri
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from storage.database import open_database
from tests.support import stores
from tests.support.bundles import files_of
from tests.support.canary import Hunt
from tests.support.gateways import Gateway, open_gateway
from tests.support.postgres import Postgres, postgres

TYPED = "Zanzibara.Quuxotomy@Wunderkammer.Example"
TALKATIVE = "echo-dot.zanzibara@wunderkammer.example"  # the relay's replies quote it
REFUSED = "echo-rcpt.zanzibara@wunderkammer.example"
NAME = "Zénobie Xylophänger"
NETWORK = "203.0.113.77"
AGENT = "Quixotron/7.3"
PAGE = "https://www.acme.example/bumbershoot?campaign=cattywampus"
KEY = "order-gardyloo"
WORDS = (
    "zanzibara",
    "quuxotomy",
    "wunderkammer",
    "Zénobie",
    "Xylophänger",
    NETWORK,
    "quixotron",
    "bumbershoot",
    "cattywampus",
    "gardyloo",
    "tintinnabulation",  # message
    "flibbertigibbet",  # template data
    "snollygoster",  # reference
    "widdershins",  # how a withdrawal came
    "brouhaha",  # what is wrong in a broken request
    "taradiddle",  # the relay's reply
)
HASHED = (
    TYPED,
    TALKATIVE,
    REFUSED,
    "Zanzibara.Quuxotomy",
    "wunderkammer.example",
    NAME,
    NETWORK,
    f"{KEY}-0-{TYPED}",
    "zanzibaraquuxotomy@wunderkammer.example",
)
HUNT = Hunt.of(WORDS, HASHED)
READABLE = Hunt.of(WORDS, ())
HEADERS = {"User-Agent": AGENT, "X-Forwarded-For": f"198.51.100.9, {NETWORK}", "Referer": PAGE}

_numbers = itertools.count(1)


@pytest.fixture
def server(dialect: str) -> Iterator[Postgres | None]:
    """A PostgreSQL of one's own that writes down every statement with its parameters."""
    options = ["-c", "log_statement=all", "-c", "log_parameter_max_length_on_error=-1"]
    options += ["-c", "log_min_messages=info", "-c", "log_error_verbosity=verbose"]
    with postgres(options=options) if dialect == "postgresql" else nullcontext() as opened:
        yield opened


@pytest.fixture
async def gateway(dialect: str, tmp_path: Path, server: Postgres | None) -> AsyncIterator[Gateway]:
    def new_database_url(_: str) -> str:
        name = f"canary{next(_numbers)}"
        return server.create_database(name) if server else f"sqlite:///{tmp_path}/{name}.db"

    async with open_gateway(tmp_path, new_database_url, dialect, limits=True) as opened:
        proxied = '[server]\ntrusted_proxies = ["127.0.0.1/32"]\n'
        opened.config.write_text(opened.config.read_text().replace("[server]\n", proxied))
        await opened.start("serve", "serve", "--worker")
        yield opened


@pytest.mark.parametrize(
    "disguise",
    [
        pytest.param(str.encode, id="as it is"),
        pytest.param(lambda word: word.upper().encode(), id="in capitals"),
        pytest.param(lambda word: word.casefold().encode(), id="case-folded"),
        pytest.param(lambda word: base64.b64encode(word.encode()), id="base64"),
        pytest.param(lambda word: base64.b64encode(b"x" + word.encode()), id="base64, after one"),
        pytest.param(lambda word: base64.b64encode(b"xx" + word.encode()), id="base64, after two"),
        pytest.param(lambda word: base64.b32encode(b"xxx" + word.encode()), id="base32"),
        pytest.param(lambda word: quopri.encodestring(word.encode()), id="quoted-printable"),
        pytest.param(lambda word: word.encode("utf-16-le"), id="UTF-16, little end"),
        pytest.param(lambda word: word.encode("utf-16-be"), id="UTF-16, big end"),
        pytest.param(lambda word: quote(word).lower().encode(), id="in a URL"),
        pytest.param(lambda word: json.dumps(word).encode(), id="JSON"),
        pytest.param(lambda word: word.encode().hex().encode(), id="hex"),
    ],
)
def test_the_hunt_finds_every_word_in_every_disguise(disguise: Callable[[str], bytes]) -> None:
    """A search that finds nothing proves something only where it could find."""
    for word in WORDS:
        found = HUNT.search("here", b"..." + disguise(word) + b"...")
        assert any(repr(word) in one for one in found), word
    assert HUNT.search("here", disguise("nothing of the kind")) == []


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512", "blake2b"])
def test_the_hunt_finds_a_plain_hash(name: str) -> None:
    for said in (TYPED, TYPED.lower()):
        digest = hashlib.new(name, said.encode()).digest()
        for haystack in (digest, digest.hex().encode(), base64.b64encode(digest)):
            assert HUNT.search("here", b"..." + haystack + b"...") != []


async def test_a_canary_person_is_found_nowhere(gateway: Gateway, server: Postgres | None) -> None:
    key = await asyncio.to_thread(gateway.api_key)
    await go_through_everything(gateway, key)
    await force_errors(gateway, key)
    answers = await everything_public(gateway, key)
    seen_by_users_of_the_machine = process_list(gateway)
    rows = await all_rows(gateway)
    live = files(gateway)  # with write-ahead logs as they are while it runs
    gateway.kill("serve", signal.SIGTERM)
    at_rest = files(gateway)

    found = []
    for name, raw in {**answers, **seen_by_users_of_the_machine, **rows, **live, **at_rest}.items():
        found += HUNT.search(name, raw)
    if server is not None:
        found += HUNT.search("PostgreSQL's log", server.log.read_bytes())
        # Rows were hunted through already; here it is about what else lies in the files.
        for name, raw in pages_and_journals(server).items():
            found += READABLE.search(name, raw)

    assert found == []
    assert HUNT.search("relay", gateway.relay_log.read_bytes()) != [], "nothing was sent at all"
    log = gateway.log("serve")
    assert '"event": "request.failed"' in log, "no error was forced"


async def go_through_everything(gateway: Gateway, key: str) -> None:
    """Sign up by JSON and by form, confirm, be mailed and refused, leave."""
    for address in (TYPED, TALKATIVE, REFUSED):
        status = await gateway.sign_up(address, page_url=PAGE, profile={"first_name": NAME})
        assert status == 202
    await sign_up_by_form(gateway)
    local, _, domain = TYPED.partition("@")
    mailbox = f"{local}@{domain.lower()}"
    for address, count in ((mailbox, 1), (mailbox, 2), (TALKATIVE, 1)):
        mail = await gateway.await_mail(address, count)
        for method, data in (("GET", None), ("POST", {"answer": "confirm"})):
            async with gateway.http.request(
                method, mail.link("confirm"), data=data, headers=HEADERS
            ) as page:
                assert page.status == 200
    inline = {"subject": f"{NAME}, tintinnabulation", "text": f"Dear {NAME}, tintinnabulation."}
    template = {"template": "welcome", "data": {"first_name": "Flibbertigibbet"}}
    sent = []
    for number, (address, content) in enumerate(
        [(TYPED, inline), (TALKATIVE, template), (TYPED, template)]
    ):
        body = {"to": {"email": address}, "purpose": "newsletter", "content": content}
        body["reference"] = "snollygoster-7"
        headers = {**HEADERS, "Idempotency-Key": f"{KEY}-{number}-{address}"}
        for _ in range(2):
            status, answer = await gateway.call(key, "POST", "/v1/messages", body, **headers)
            assert status == 202, answer
        sent.append(answer["message_id"])
    for message in sent:
        await gateway.await_status(key, message, "sent")
    await wait_in_the_queue(gateway, key)
    for address in (REFUSED, f"unknown-{TYPED}"):
        assert (await gateway.send(key, address, reference="snollygoster-8"))[0] == 403
    question = {"to": {"email": TYPED}, "purpose": "newsletter"}
    assert (await gateway.call(key, "POST", "/v1/permissions", question, **HEADERS))[0] == 200
    leave = {"to": {"email": TALKATIVE}, "all": True, "kind": "object", "channel": "letter"}
    leave["reference"] = "widdershins-1"
    assert (await gateway.call(key, "POST", "/v1/withdrawals", leave, **HEADERS))[0] == 200


async def sign_up_by_form(gateway: Gateway) -> None:
    (wording,) = await gateway.texts("product-updates")
    fields = {
        "email": TYPED,
        "purpose": "product-updates",
        "text": wording,
        "page_url": PAGE,
        "profile.first_name": NAME,
    }
    url = f"{gateway.base}/forms/signup"
    async with gateway.http.post(url, data=fields, headers=HEADERS, allow_redirects=False) as page:
        assert page.status in (200, 303)


async def wait_in_the_queue(gateway: Gateway, key: str) -> None:
    """Something that is still queued when the databases are looked at."""
    content = {"subject": "tintinnabulation", "html": f"<p>{NAME} tintinnabulation</p>"}
    status, _ = await gateway.send(
        key, TYPED, content=content, send_at=stores.in_an_hour(), reference="snollygoster-9"
    )
    assert status == 202


async def force_errors(gateway: Gateway, key: str) -> None:
    """Everything that can go wrong with the canary in it: bad input, then a lost table."""
    url = f"{gateway.base}/forms/signup"
    broken: list[dict[str, Any]] = [
        {
            "data": f'{{"email": "{TYPED}", brouhaha',
            "headers": {"Content-Type": "application/json"},
        },
        {"json": {"email": f"{TYPED} brouhaha", "brouhaha": NAME}},
        {"json": {"email": TYPED, "purposes": ["brouhaha"], "texts": ["quux"]}},
        {"data": f"{TYPED}", "headers": {"Content-Type": f"text/brouhaha; x={NETWORK}"}},
        {"data": {"email": "brouhaha", "profile.quux": NAME}},
    ]
    for one in broken:
        async with gateway.http.post(url, **one) as answer:
            assert 400 <= answer.status < 500
    odd = [f"/confirm/{TYPED}", "/unsubscribe/brouhaha", "/forms/quux.json?email=zanzibara"]
    for path in [*odd, f"/brouhaha/{TYPED}?quux={NAME}", "/forms/signup.json?locale=brouhaha"]:
        for method in ("GET", "POST", "QUUX"):
            async with gateway.http.request(
                method, gateway.base + path, headers=HEADERS | {"Brouhaha": TYPED}
            ) as answer:
                assert answer.status < 500
    await gateway.send("brouhaha-key", TYPED)
    await gateway.send(key, TYPED, content={"template": "welcome", "data": {"brouhaha": NAME}})
    await gateway.send(key, TYPED, content={"subject": "{{ quux }}", "text": "{{ 1/0 }} brouhaha"})
    await lose_a_table(gateway, key)


async def lose_a_table(gateway: Gateway, key: str) -> None:
    """The database refuses rows that carry the canary: errors like to quote those."""
    content = {"subject": NAME, "text": "tintinnabulation"}
    message = {"to": {"email": TYPED}, "purpose": "newsletter", "content": content}
    async with stores.open_data(gateway) as data:
        for table in ("intake", "outbox", "idempotency"):
            headers = {**HEADERS, "Idempotency-Key": f"{KEY}-{table}"}
            async with data.begin() as connection:
                for statement in refuse(data.dialect, table):
                    await connection.execute(text(statement))

            statuses = [
                await gateway.sign_up(TYPED, page_url=PAGE, profile={"first_name": NAME}),
                (await gateway.call(key, "POST", "/v1/messages", message, **headers))[0],
            ]

            assert max(statuses) == 500, table
            async with data.begin() as connection:
                on = f" ON {table}" if data.dialect == "postgresql" else ""
                await connection.execute(text(f"DROP TRIGGER refuse{on}"))


def refuse(dialect: str, table: str) -> list[str]:
    """A trigger that lets no row in, and quotes what it can."""
    if dialect == "sqlite":
        refusal = "SELECT RAISE(ABORT, 'refused')"
        return [f"CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN {refusal}; END"]
    body = "BEGIN RAISE EXCEPTION 'refused: %', NEW USING ERRCODE = '23514'; END"
    return [
        f"CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $${body}$$",
        f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()",
    ]


async def everything_public(gateway: Gateway, key: str) -> dict[str, bytes]:
    """Answers that must not tell of anybody: metrics, health, audit."""
    paths = ["/healthz", "/readyz", "/openapi.json"]
    paths += ["/v1/audit/checkpoint", "/v1/audit/events?limit=1000"]
    found = {}
    for path in (f"{gateway.admin}/metrics", *(gateway.base + one for one in paths)):
        headers = {"Authorization": f"Bearer {key}"}
        async with gateway.http.get(path, headers=headers) as answer:
            found[path] = await answer.read()
            assert answer.status == 200, path
    exported = await asyncio.to_thread(gateway.command, "audit", "export", "-o", "-")
    verified = await asyncio.to_thread(gateway.try_command, "audit", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    bundle = gateway.directory.with_suffix(".zip")
    as_bundle = ("audit", "export", "--format", "bundle", "-o", str(bundle))
    await asyncio.to_thread(gateway.command, *as_bundle)
    found |= {f"bundle {name}": raw for name, raw in files_of(bundle.read_bytes()).items()}
    return found | {"export": exported.encode(), "verify": verified.stdout.encode()}


def process_list(gateway: Gateway) -> dict[str, bytes]:
    """What `ps` shows of our processes: arguments and environment."""
    found = {}
    for process in gateway.processes.values():
        for name in ("cmdline", "environ"):
            found[f"{name} of {process.pid}"] = Path(f"/proc/{process.pid}/{name}").read_bytes()
    return found


async def all_rows(gateway: Gateway) -> dict[str, bytes]:
    """Every column of every table of both databases, as a dump has it."""
    found = {}
    for url in stores.urls(gateway):
        async with open_database("dumped", url) as database:
            for table, rows in (await stores.dump(database)).items():
                values = [value for row in rows for value in row.values()]
                raw = [one if isinstance(one, bytes) else str(one).encode() for one in values]
                found[f"{make_url(url).database} {table}"] = b"\0".join(raw)
    return found


def files(gateway: Gateway) -> dict[str, bytes]:
    """Everything in the gateway's directory but what the relay keeps."""
    found = {}
    for path in gateway.directory.rglob("*"):
        if path != gateway.relay_log and path.is_file():
            with suppress(FileNotFoundError):  # a journal that is cut meanwhile
                found[str(path)] = path.read_bytes()
    return found


def pages_and_journals(server: Postgres) -> dict[str, bytes]:
    """PostgreSQL's write-ahead log and the pages of databases that it was not born with."""
    assert b"INSERT INTO intake" in server.log.read_bytes(), "it does not log statements"
    directory = server.root / "d"
    born_with = {directory / "base" / number for number in ("1", "4", "5")}
    paths = [
        path
        for part in (directory / "pg_wal", directory / "base")
        for path in part.rglob("*")
        if path.is_file() and path.parent not in born_with
    ]
    return {str(path): path.read_bytes() for path in paths}
