"""schemathesis against a running gateway: no 5xx, and the document tells no lie."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, open_gateway

pytestmark = pytest.mark.wide

ADA = "ada@example.org"
SCOPES = (
    "messages:send",
    "permissions:read",
    "consents:withdraw",
    "signups:create",
    "changes:read",
    "changes:addresses",
    "audit:read",
)
# Sign-ups name hashes, and links tokens, that no schema can make up: valid by
# the schema is not yet good. What is wrong by the schema must be refused,
# except where the link alone says what is meant, or a session lacks anyway. The
# tokens of /why and /preferences are as long as a fresh link's: others are another route.
_CONFIG = """
hooks = "hooks.py"

[checks.positive_data_acceptance]
enabled = false

[parameters]
"path.form" = "signup"
"path.hash" = "{notice}"
"path.id" = "{message}"
"path.file" = "reference.js"
"path.slug" = "not-found"

[[operations]]
include-path-regex = "^/v1/audit/events/"
"parameters" = {{ "path.id" = "{event}" }}

[[operations]]
include-path-regex = "^/v1/campaigns/"
"parameters" = {{ "path.id" = "cmp_{nobody}" }}

[[operations]]
include-path-regex = "^/v1/consents/"
"parameters" = {{ "path.id" = "con_{nobody}" }}

[[operations]]
include-path-regex = "^/v1/erasures/"
"parameters" = {{ "path.id" = "era_{nobody}" }}

[[operations]]
include-path-regex = "^/v1/holds/"
"parameters" = {{ "path.id" = "hol_{nobody}" }}

[[operations]]
include-path-regex = "^/v1/rights-requests/"
"parameters" = {{ "path.id" = "req_{nobody}" }}

[[operations]]
include-path = "/v1/subjects/{{id}}/dossier"
"parameters" = {{ "path.id" = "sub_{nobody}" }}

[[operations]]
include-path-regex = "^/(confirm|my-data|why|preferences)"
"parameters" = {{ "path.token" = "{confirm}" }}
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false

# Who has no session there is sent to the door, whatever they post.
[[operations]]
include-path-regex = "^/dpo/($|act|breach|cases$|cases/(answer|decide|decided)|defence|dossier|exports|leave|link|log|oidc|papers$|people|person|proof|sent|sign-in|wordings)"
checks.negative_data_rejection.enabled = false

[[operations]]
include-path = "/dpo/cases/{{id}}"
"parameters" = {{ "path.id" = "req_{nobody}" }}
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/dpo/papers/"
"parameters" = {{ "path.name" = "record" }}
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/dpo/erasures/"
"parameters" = {{ "path.id" = "era_{nobody}" }}
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "^/unsubscribe"
"parameters" = {{ "path.token" = "{unsubscribe}" }}
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false
"""  # noqa: E501 one pattern is long


# A mail in a file is of a type that it does not know how to write.
_HOOKS = """
import schemathesis

@schemathesis.serializer("message/rfc822")
def mail(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
async def gateway(
    request: pytest.FixtureRequest, tmp_path: Path, new_database_url: Callable[[str], str]
) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path, new_database_url, request.param) as opened:
        await opened.start("serve", "serve", "--worker")
        yield opened


@pytest.mark.timeout(600)
async def test_no_request_breaks_the_gateway_and_no_answer_breaks_the_document(
    gateway: Gateway,
) -> None:
    key = await asyncio.to_thread(gateway.api_key, *SCOPES)
    confirmation = await gateway.subscribe(ADA)
    _, queued = await gateway.send(key, ADA)
    mail = await gateway.await_mail(ADA, 2)
    async with gateway.http.get(f"{gateway.base}/forms/signup.json") as answer:
        described = await answer.json()
    known = {
        "notice": described["purposes"][0]["text"]["bundle"]["notice"],
        "message": queued["message_id"],
        "event": await _event(gateway, key),
        "nobody": "0" * 26,
        "confirm": confirmation.link("confirm").rpartition("/")[2],
        "unsubscribe": mail.link("unsubscribe").rpartition("/")[2],
    }
    (gateway.directory / "schemathesis.toml").write_text(_CONFIG.format(**known))
    (gateway.directory / "hooks.py").write_text(_HOOKS)

    done = await asyncio.to_thread(
        subprocess.run,
        [
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{gateway.base}/openapi.json"),
            *("--header", f"Authorization: Bearer {key}"),
            *("--max-examples", "20", "--seed", "1", "--no-color"),
        ],
        cwd=gateway.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:]
    assert '"request.failed"' not in gateway.log("serve")
    assert '"aiohttp.server"' not in gateway.log("serve")


async def _event(gateway: Gateway, key: str) -> str:
    """The name of the first event that has its place in the log."""
    async with asyncio.timeout(60):
        while True:
            _, answer = await gateway.call(key, "GET", "/v1/audit/events?limit=1")
            if answer["events"]:
                return str(answer["events"][0]["event_id"])
            await asyncio.sleep(0.1)
