"""Live a small life with the code of the commit that this directory is called by, and keep it.

In a set-up clone of that commit:

    PYTHONPATH=. .venv/bin/python /path/to/tests/data/c7d57fd/make.py /path/to/tests/data/c7d57fd

It imports that commit's `tests.support`, not today's, and changes nothing in the clone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.gateways import Gateway, Received, open_gateway

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"
DAN, EVE, FAY = "dan@example.org", "eve@example.org", "fay@example.org"
CAPPED = "product-updates"
NAMED = {"Idempotency-Key": "welcome-1"}


async def live(gateway: Gateway) -> dict[str, Any]:
    """What happened, as those who were there remember it: links, ids, a key."""
    key = await asyncio.to_thread(gateway.api_key)
    links = await _sign_ups(gateway, key)
    sent = await _said(gateway, key, "sent", ADA)
    newest = gateway.received(ADA)[-1]
    await _said(gateway, key, "sent", EVE, purpose=CAPPED)
    deferred = await _said(gateway, key, "deferred", EVE, purpose=CAPPED)
    later = (_now() + timedelta(minutes=30)).isoformat()
    queued = await _said(gateway, key, "queued", ADA, send_at=later)
    body = {"to": {"email": ADA}, "purpose": "newsletter", "reference": "welcome-1"}
    body |= {"content": {"subject": "Welcome", "text": "Hello again."}}
    _, answered = await gateway.call(key, "POST", "/v1/messages", body, **NAMED)
    await gateway.await_status(key, answered["message_id"], "sent")
    links["fresh"] = _path((await _fresh(gateway)).link("my-data"))
    links |= {route: _path(newest.link(route)) for route in ("unsubscribe", "why", "preferences")}
    await asyncio.sleep(2)  # every event gets its place, and the log its checkpoint
    async with gateway.http.get(f"{gateway.base}/v1/audit/checkpoint") as answer:
        checkpoint = await answer.text()
    return {
        "key": key,
        "links": links,
        "messages": {"sent": sent, "deferred": deferred, "queued": queued},
        "repeated": {"body": body, "headers": NAMED, "answer": answered},
        "checkpoint": checkpoint,
    }


async def _sign_ups(gateway: Gateway, key: str) -> dict[str, str]:
    """Confirmed, withdrawn, objected, rejected and pending; the link of who is pending."""
    for person in (ADA, BOB, CLEO):
        await gateway.subscribe(person)
    await gateway.subscribe(EVE, CAPPED)
    for person, kind in ((BOB, "withdraw"), (CLEO, "object")):
        said = {"to": {"email": person}, "all": True, "kind": kind, "channel": "phone"}
        assert (await gateway.call(key, "POST", "/v1/withdrawals", said))[0] == 200
    mails = {}
    for person in (DAN, FAY):
        assert await gateway.sign_up(person, profile={"first_name": "Dan"}) == 202
        mails[person] = await gateway.await_mail(person)
    async with gateway.http.post(mails[FAY].link("confirm"), data={"answer": "reject"}) as page:
        assert page.status == 200
    return {"confirm": _path(mails[DAN].link("confirm"))}


async def _said(gateway: Gateway, key: str, until: str, to: str, **more: Any) -> str:
    """Hand in a message and wait for what becomes of it; its id."""
    _, answer = await gateway.send(key, to, **more)
    await gateway.await_status(key, answer["message_id"], until)
    return str(answer["message_id"])


async def _fresh(gateway: Gateway) -> Received:
    before = len(gateway.received(ADA))
    async with gateway.http.post(f"{gateway.base}/my-data", data={"email": ADA}) as page:
        assert page.status == 200
    return await gateway.await_mail(ADA, before + 1)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 the caller's own clock


def _path(link: str) -> str:
    return "/" + link.split("/", 3)[3]


async def leave_an_intake(gateway: Gateway, file: Path) -> str:
    """Sign somebody up and be killed before the duty comes to it; who it was."""
    for number in range(50):
        await gateway.start("serve", "serve", "--no-worker")
        person = f"gil{number}@example.org"
        assert await gateway.sign_up(person) == 202
        gateway.kill("serve", signal.SIGKILL)
        with closing(sqlite3.connect(file)) as data:
            if data.execute("SELECT count(*) FROM intake").fetchone()[0]:
                return person
    raise AssertionError("the duty was faster each time")


def keep(gateway: Gateway, known: dict[str, Any], to: Path) -> None:
    """Write everything that a restored gateway needs, and what is known of its life."""
    for name in ("data", "keys"):
        with closing(sqlite3.connect(gateway.directory / f"{name}.db")) as database:
            dump = "\n".join(database.iterdump()) + "\n"
        (to / f"{name}.sql.gz").write_bytes(gzip.compress(dump.encode(), mtime=0))
    shutil.copy(gateway.directory / "keyring.json", to / "keyring.json")
    shutil.copytree(gateway.directory / "dkim", to / "dkim", dirs_exist_ok=True)
    config = gateway.config.read_text().replace(f"sqlite:///{gateway.directory}/", "sqlite:///")
    config = config.replace(gateway.base.rpartition(":")[2], "PORT")
    (to / "config.toml").write_text(
        re.sub(r"^port = \d+$", "port = RELAY_PORT", config, flags=re.M)
    )
    (to / "known.json").write_text(json.dumps(known, indent=1) + "\n")


def _urls(directory: Path) -> Callable[[str], str]:
    names = iter(("data", "keys"))
    return lambda _dialect: f"sqlite:///{directory}/{next(names)}.db"


async def main(to: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        async with open_gateway(directory, _urls(directory), "sqlite", cap="1 per 1h") as gateway:
            await gateway.start("serve", "serve")
            known = await live(gateway)
            gateway.kill("serve", signal.SIGTERM)
            known["intake"] = await leave_an_intake(gateway, directory / "data.db")
            known["kept_at"] = _now().isoformat()
            keep(gateway, known, to)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
