"""Many people and many messages on a real gateway, and what became of them."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import aiohttp
import asyncpg
from sqlalchemy.engine import URL, make_url

from tests.support.gateways import Gateway, Received

_DUE_ON_SQLITE = """
UPDATE outbox SET due_at = '2026-01-01T00:00:00.000000Z' WHERE status IN ('queued', 'deferred')
"""
# Locked in the order in which everybody locks them, or it and a worker wait for each other.
_DUE = """
UPDATE outbox SET due_at = now() WHERE id IN
(SELECT id FROM outbox WHERE status IN ('queued', 'deferred') ORDER BY id FOR UPDATE)
"""


async def subscribe(gateway: Gateway, addresses: Iterable[str], seconds: float = 120) -> None:
    """Everybody signs up, and confirms once the mails of all are there: one look for all of them.

    Each looking for their own, in a log that grows with everybody's, is a busy machine's end.
    """
    people = set(addresses)
    before = Counter(one.to for one in gateway.received())
    assert set(await asyncio.gather(*(gateway.sign_up(one) for one in people))) == {202}
    async with asyncio.timeout(seconds):
        while len(links := _newest(gateway, before)) < len(people):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    for one in people:
        async with gateway.http.post(links[one], data={"answer": "confirm"}) as answer:
            assert answer.status == 200


def _newest(gateway: Gateway, before: Mapping[str, int]) -> dict[str, str]:
    """The links by which they confirm, of those who got a mail more than *before*."""
    found: dict[str, list[Received]] = {}
    for one in gateway.received():
        found.setdefault(one.to, []).append(one)
    return {
        to: mails[-1].link("confirm")
        for to, mails in found.items()
        if len(mails) > before.get(to, 0)
    }


class Begun:
    """When the relay read MAIL, by the recipient that followed; each look reads what is new."""

    def __init__(self, gateway: Gateway) -> None:
        self._log = gateway.relay_log
        self._offset = 0
        self._mail_at: dict[int, float] = {}
        self._begun: dict[str, list[float]] = {}

    def __call__(self) -> Mapping[str, Sequence[float]]:
        with self._log.open("rb") as log:
            log.seek(self._offset)
            new, end, _ = log.read().rpartition(b"\n")  # the last line may be half written
        self._offset += len(new + end)
        for line in new.splitlines():
            if b'"event": "mail"' in line or b'"event": "rcpt"' in line:
                self._note(json.loads(line))
        return self._begun

    def _note(self, one: dict[str, Any]) -> None:
        if one["event"] == "mail":
            self._mail_at[one["connection"]] = one["at"]
        else:
            self._begun.setdefault(one["rcpt_to"], []).append(self._mail_at[one["connection"]])


class Noted:
    """How many lines of what the relay noted have *mark* in them; cheap enough to ask often."""

    def __init__(self, gateway: Gateway, mark: bytes) -> None:
        self._log = gateway.relay_log
        self._mark = mark
        self._offset = self._count = 0

    def __call__(self) -> int:
        with self._log.open("rb") as log:
            log.seek(self._offset)
            new, end, _ = log.read().rpartition(b"\n")  # the last line may be half written
        self._offset += len(new + end)
        self._count += new.count(self._mark)
        return self._count


class HandedOver(Noted):
    """How many mails the relay has answered, or would have: their final dot was read."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, b'"event": "dot"')


async def post(gateway: Gateway, key: str, to: Sequence[str], name: str) -> list[str]:
    """Hand in a batch, again and again until it is acknowledged; the message ids."""
    messages = [_message(one, number) for number, one in enumerate(to)]
    while True:
        try:
            status, answer = await gateway.call(
                key,
                "POST",
                "/v1/messages/batch",
                {"messages": messages},
                **{"Idempotency-Key": name},
            )
        except (aiohttp.ClientError, json.JSONDecodeError):
            status = None
        if status == 200:
            results = answer["results"]
            assert {one["status"] for one in results} == {"queued"}
            return [one["message_id"] for one in results]
        assert status in (None, 409, 503), status
        await asyncio.sleep(0.1)


def _message(to: str, number: int) -> dict[str, Any]:
    content = {"subject": f"News {number}", "text": "Hello."}
    return {"to": {"email": to}, "purpose": "newsletter", "content": content}


async def keep_posting(
    gateway: Gateway, key: str, people: Sequence[str], total: int, *, ahead: int
) -> list[str]:
    """Hand in *total* messages while others go out, never many more than *ahead* of them."""
    accepted: list[str] = []
    handed_over = HandedOver(gateway)
    while len(accepted) < total:
        if len(accepted) - handed_over() < ahead:
            accepted += await post(gateway, key, people, f"batch-{len(accepted)}")
        else:
            await asyncio.sleep(0.05)
    return accepted


async def final(
    gateway: Gateway, key: str, messages: Sequence[str], seconds: float = 120
) -> dict[str, dict[str, Any]]:
    """Wait until none of *messages* is on its way any more; each as the API shows it."""
    seen: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(seconds):
        while left := [one for one in messages if one not in seen]:
            for start in range(0, len(left), 20):
                for one in await _look(gateway, key, left[start : start + 20]):
                    if one["status"] not in ("queued", "sending", "deferred"):
                        seen[one["message_id"]] = one
            await asyncio.sleep(0.2)
    return seen


async def _look(gateway: Gateway, key: str, messages: Sequence[str]) -> list[dict[str, Any]]:
    asked = [gateway.call(key, "GET", f"/v1/messages/{one}") for one in messages]
    answers = await asyncio.gather(*asked)
    return [body for status, body in answers if status == 200]


async def make_due(gateway: Gateway) -> None:
    """Let the time pass that messages wait for."""
    url = make_url(_setting(gateway, "url"))
    if url.get_backend_name() == "sqlite":
        await asyncio.to_thread(_execute, str(url.database), _DUE_ON_SQLITE)
    else:
        await _ask(url, _DUE)


async def waiting(gateway: Gateway) -> int:
    """How many messages have not ended, service mails too; on PostgreSQL alone."""
    url = make_url(_setting(gateway, "url"))
    return int(await _ask(url, "SELECT count(*) FROM outbox WHERE ended_at IS NULL"))


async def _ask(url: URL, statement: str) -> Any:
    connection = await asyncpg.connect(
        user=url.username, database=url.database, host=str(url.query["host"])
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def _execute(file: str, statement: str) -> None:
    with closing(sqlite3.connect(file, timeout=60)) as connection, connection:
        connection.execute(statement)


def _setting(gateway: Gateway, key: str) -> str:
    found = re.search(rf'^{key} = "(.+)"$', gateway.config.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def copies(gateway: Gateway) -> Counter[str]:
    """How often the relay got each Message-ID."""
    return Counter(str(one.mail["Message-ID"]) for one in gateway.received())
