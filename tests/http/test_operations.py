"""What an operator's machines see of real processes: health and metrics."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.support.gateways import Gateway, open_gateway
from tests.support.ports import free_port

ADA = "ada@example.org"


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def _metrics(gateway: Gateway, base: str) -> dict[str, float]:
    async with gateway.http.get(f"{base}/metrics") as answer:
        text = await answer.text()
    lines = re.findall(r"^(gateway_[^ ]+) ([0-9.e+-]+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in lines}


async def _metric(gateway: Gateway, base: str, name: str, wanted: float) -> None:
    """Wait until a metric has a value: gauges are measured every few seconds."""
    async with asyncio.timeout(60):
        while (await _metrics(gateway, base)).get(name) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_what_was_permitted_and_sent_is_counted_and_queues_are_measured(
    gateway: Gateway,
) -> None:
    await gateway.start("serve", "serve")

    await gateway.subscribe(ADA)

    await _metric(gateway, gateway.admin, 'gateway_permits_total{kind="service"}', 1)
    await _metric(
        gateway, gateway.admin, 'gateway_outcomes_total{kind="service",outcome="sent"}', 1
    )
    seen = await _metrics(gateway, gateway.admin)
    assert seen['gateway_outbox{status="queued"}'] == 0
    await _metric(gateway, gateway.admin, "gateway_audit_pending", 0)
    async with asyncio.timeout(60):
        while (await _metrics(gateway, gateway.admin))["gateway_audit_size"] < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_a_worker_answers_for_itself_where_it_is_told_to(gateway: Gateway) -> None:
    place = f"127.0.0.1:{free_port()}"

    await gateway.start("worker", "worker", "--listen", place)

    async with asyncio.timeout(60):
        while await _status(gateway, f"http://{place}/readyz") != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert await _status(gateway, f"http://{place}/healthz") == 200
    assert "gateway_audit_size" in await _metrics(gateway, f"http://{place}")
    assert gateway.kill("worker", signal.SIGTERM) == 0


async def test_the_public_is_told_no_numbers(gateway: Gateway) -> None:
    await gateway.start("serve", "serve")

    assert await _status(gateway, f"{gateway.base}/metrics") == 404
    assert "gateway_audit_size" in await _metrics(gateway, gateway.admin)
    assert await _status(gateway, f"{gateway.admin}/readyz") == 200
    for base, told in ((gateway.admin, True), (gateway.base, False)):
        async with gateway.http.get(f"{base}/readyz") as answer:
            assert ("waits" in await answer.json()) is told  # why mail waits
    assert await _status(gateway, f"{gateway.admin}/v1/audit/checkpoint") == 404
    async with gateway.http.get(f"{gateway.base}/openapi.json") as document:
        assert "/metrics" not in (await document.json())["paths"]


async def test_a_page_of_a_stranger_cannot_have_a_browser_read_the_numbers(
    gateway: Gateway,
) -> None:
    """A name of the page's own leads here by then (DNS rebinding): the browser says that name."""
    await gateway.start("serve", "serve")
    port = gateway.admin.rpartition(":")[2]

    for path in ("/metrics", "/readyz", "/healthz"):
        assert await _status(gateway, gateway.admin + path, f"evil.example:{port}") == 421
        assert await _status(gateway, gateway.admin + path, f"localhost:{port}") == 200


async def test_numbers_are_told_nowhere_where_the_operator_says_off(gateway: Gateway) -> None:
    _configured(gateway, "off")

    await gateway.start("serve", "serve")

    assert await _status(gateway, f"{gateway.base}/metrics") == 404
    assert await _status(gateway, f"{gateway.admin}/metrics") is None


@pytest.mark.parametrize(
    ("command", "of", "key"),
    [
        ("serve", "base", "server.listen"),
        ("serve", "admin", 'server.admin_listen ("off" for none)'),
        ("worker", "admin", "--listen"),
    ],
)
async def test_a_port_that_is_taken_is_named_by_its_key_and_nothing_was_published(
    gateway: Gateway, command: str, of: str, key: str
) -> None:
    taken = getattr(gateway, of).removeprefix("http://")
    host, port = taken.split(":")
    server = await asyncio.start_server(lambda _, writer: writer.close(), host, int(port))
    arguments = ["--listen", taken] if command == "worker" else []

    async with server:
        refused = await asyncio.to_thread(gateway.try_command, command, *arguments)

    wordings = await asyncio.to_thread(gateway.try_command, "texts", "list", "--json")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f"gateway: cannot listen on {taken}: Address already in use;"
        f" stop what listens there, or set another address: {key}"
    )
    assert json.loads(wordings.stdout) == []
    assert "text.published" not in await _entries(gateway)


async def _entries(gateway: Gateway) -> str:
    """Everything in the log, staged entries too."""
    await asyncio.to_thread(gateway.try_command, "audit", "verify")
    done = await asyncio.to_thread(
        gateway.try_command, "audit", "export", "--format", "jsonl", "-o", "-"
    )
    return done.stdout


def _configured(gateway: Gateway, admin: str) -> None:
    raw = gateway.config.read_text()
    place = gateway.admin.removeprefix("http://")
    assert raw.count(f'admin_listen = "{place}"') == 1
    gateway.config.write_text(raw.replace(place, admin))


async def _status(gateway: Gateway, url: str, host: str | None = None) -> int | None:
    try:
        async with gateway.http.get(url, headers={"Host": host} if host else {}) as answer:
            return answer.status
    except aiohttp.ClientError:
        return None
