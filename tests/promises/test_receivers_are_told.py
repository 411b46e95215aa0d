"""Promise 10, of what others are owed: whoever is killed or does not listen, they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, open_gateway
from tests.support.ports import free_port
from tests.support.receivers import SECRET, Receiver, receiving, section
from tests.support.waiting import until


@pytest.fixture
async def gateway(
    dialect: str, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, dialect) as opened:
        yield opened


@pytest.mark.long
@pytest.mark.timeout(600)  # three starts, and what a killed process had taken comes back
async def test_who_received_data_is_told_once_process_and_receiver_are_back(
    gateway: Gateway,
) -> None:
    port = free_port()
    (gateway.directory / "webhook.secret").write_text(SECRET)
    kinds = ("consent.confirmed", "consent.withdrawn", "subject.erased")
    told = section("crm", f"http://127.0.0.1:{port}/hook", *kinds)
    gateway.config.write_text(gateway.config.read_text() + told)
    await gateway.start("serve", "serve", "--worker")
    await gateway.subscribe("ada@example.org")
    key = gateway.api_key("subjects:manage")
    status, said = await gateway.call(key, "POST", "/v1/erasures", {"email": "ada@example.org"})
    assert status == 202
    gateway.kill("serve")  # nobody listened so far

    async with receiving(port) as crm:
        crm.how = "hangs"
        await gateway.start("serve", "serve", "--worker")
        await until(lambda: len(crm.called) > 0)
        gateway.kill("serve")  # in the middle of a request
        crm.how = "well"
        await gateway.start("serve", "serve", "--worker")
        await until(lambda: "subject.erased" in crm.kinds(), 90)
        assert _once(crm) == list(kinds)

    _, shown = await gateway.call(key, "GET", f"/v1/erasures/{said['erasure_id']}")
    assert shown["certificate"]["told"][0]["name"] == "Mail Relay GmbH"
    assert b"ada@example.org" not in repr(crm.called).encode()
    assert "ok" in gateway.command("audit", "verify")


def _once(crm: Receiver) -> list[str]:
    """What was heard, in its order, without what came again."""
    return list(dict.fromkeys(crm.kinds()))
