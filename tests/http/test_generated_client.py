"""A client that openapi-python-client makes of the document runs through the whole API."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

import dev
from gateway.callers.api_keys import Scope
from tests.support import stores, through_the_api
from tests.support.gateways import Gateway, open_gateway

pytestmark = pytest.mark.wide

ADA, GRACE = "ada@example.org", "grace@example.org"
_NAME: Final = "consent_gateway_client"
# What is not to be had just then, and is a problem that the client reads.
_REFUSED: Final = {"post_resend": 409, "post_extend": 409, "post_refuse": 409}


@pytest.fixture
async def gateway(tmp_path: Path, new_database_url: Callable[[str], str]) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, "sqlite") as opened:
        await opened.start("serve", "serve", "--worker")
        yield opened


@pytest.mark.timeout(600)
async def test_a_generated_client_runs_through_the_whole_api(
    gateway: Gateway, tmp_path: Path
) -> None:
    tools = Path(await asyncio.to_thread(dev.apart, "client"))
    document = tmp_path / "openapi.json"
    served = await gateway.http.get(f"{gateway.base}/openapi.json")
    document.write_text(await served.text())
    said = await _ran(
        str(tools / "openapi-python-client"),
        *("generate", "--path", str(document), "--meta", "none"),
        *("--output-path", str(tmp_path / _NAME)),
        *("--config", str(Path(through_the_api.__file__).with_name("client.yaml"))),
        path=str(tools),
    )
    assert "warning" not in said.lower(), said  # nothing was left out

    for person in (ADA, GRACE):
        await gateway.subscribe(person)
    known = tmp_path / "known.json"
    known.write_text(json.dumps(await _known(gateway)))
    called = await _call_everything(gateway, tools, document, known)

    operations = _operations(json.loads(document.read_text()))
    assert [one["operation"] for one in called] == operations
    statuses = {one["operation"]: one["status"] for one in called}
    assert {name: s for name, s in statuses.items() if s >= 400} == _REFUSED
    assert [one["operation"] for one in called if one["status"] != 204 and not one["parsed"]] == []


async def _ran(*command: str, cwd: Path | None = None, path: str = "") -> str:
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    if cwd is not None:
        environment["PYTHONPATH"] = str(cwd)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd, env=environment
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def _call_everything(
    gateway: Gateway, tools: Path, document: Path, known: Path
) -> list[dict[str, Any]]:
    script = str(Path(through_the_api.__file__))
    python = str(tools / Path(sys.executable).name)
    arguments = (_NAME, gateway.base, gateway.api_key(*Scope), str(document), str(known))
    said = await _ran(python, script, *arguments, cwd=known.parent)
    return [json.loads(line) for line in said.splitlines()]


async def _known(gateway: Gateway) -> dict[str, Any]:
    """What no document can make up: bodies that name wordings and people, and names of rows."""
    key, why = gateway.api_key(*Scope), {"Access-Reason": "test"}
    about = {"email": ADA}
    _, person = await gateway.call(key, "POST", "/v1/subjects/lookup", about, **why)
    event = await _covered(gateway, key, "consent.confirmed")
    async with gateway.http.get(f"{gateway.base}/forms/signup.json") as answer:
        form = await answer.json()
    subject, wording = person["subject_id"], form["purposes"][0]
    sign_up = {
        "form": "signup",
        "email": "alan@example.org",
        "purposes": [wording["purpose"]],
        "texts": [wording["text"]["hash"]],
        "external_ids": {"crm": "4711"},
    }
    campaign = {"purpose": "newsletter", "content": {"subject": "News", "text": "Hello."}}
    mail = "From: news@acme.example\r\nMessage-ID: <x@acme.example>\r\n\r\nHello.\r\n"
    hold = {"subject_id": subject, "reason": "a dispute", "until": "2030-01-01T00:00:00Z"}
    return {
        "bodies": {
            "post_signup": sign_up,
            "post_campaign": campaign | {"send_at": stores.in_an_hour()},
            "post_erasure": {"email": GRACE},
            "post_hold": hold,
            "post_defence": mail,
        },
        "values": {
            "access_reason": "test",
            "purpose": "newsletter",
            "subject_id": subject,
            "consent_id": person["consents"][0]["consent_id"],
            "event_id": event,
        },
    }


async def _covered(gateway: Gateway, key: str, kind: str) -> str:
    """The first event of a kind, once it has its place and a checkpoint covers it."""
    async with asyncio.timeout(60):
        while True:
            _, log = await gateway.call(key, "GET", f"/v1/audit/events?kind={kind}")
            for one in log["events"]:
                event = str(one["event_id"])
                if (await gateway.call(key, "GET", f"/v1/audit/events/{event}/proof"))[0] != 409:
                    return event
            await asyncio.sleep(0.1)


def _operations(document: dict[str, Any]) -> list[str]:
    return [
        one["operationId"]
        for path, operations in document["paths"].items()
        if path.startswith("/v1/")
        for one in operations.values()
    ]
