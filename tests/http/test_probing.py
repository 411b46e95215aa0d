"""`gateway doctor --probe` sends to an operator by worker and relay, and repeats their words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, open_gateway

GRACE = "grace@example.org"
REFUSED = "refuse-dot.grace@example.org"


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "sqlite") as opened:
        yield opened


async def probed(gateway: Gateway, email: str) -> list[dict[str, str]]:
    probe = ("doctor", "--json", "--probe")
    done = await asyncio.to_thread(gateway.try_command, *probe, stdin=email)
    found = json.loads(done.stdout)
    assert email not in done.stderr
    return [one for one in found if one["about"] == "probe"]


async def test_a_probe_goes_the_way_of_every_mail_and_its_answer_is_repeated(
    gateway: Gateway,
) -> None:
    for email in (GRACE, REFUSED):
        create = ("operator", "create", "--role", "admin")
        await asyncio.to_thread(gateway.command, *create, stdin=email)
    await gateway.start("serve", "serve")

    (taken,) = await probed(gateway, GRACE)
    (refused,) = await probed(gateway, REFUSED)
    (stranger,) = await probed(gateway, "ada@example.org")

    assert taken["level"] == "ok"
    assert "the relay took msg_" in taken["text"]
    assert ": 250 " in taken["text"]
    assert refused["level"] == "fail"
    assert refused["text"].endswith(": 554 5.7.1 blocked")
    assert "is no operator's mailbox" in stranger["text"]
    mail = (await gateway.await_mail(GRACE)).mail
    assert mail["Subject"] == "Test der E-Mails von Acme"  # the first language of the forms
    assert mail["DKIM-Signature"]
    assert "/dpo/" not in str(mail)
    verified = await asyncio.to_thread(gateway.try_command, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
