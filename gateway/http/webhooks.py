"""Telling somebody else's server what happened, signed as Standard Webhooks has it.

Who it was is told by the random id, never by an address. The server is the operator's
choice, and is not trusted: it gets ten seconds, redirects lead nowhere, and of what it
answers only the status is read.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Mapping, Sequence

import aiohttp
import structlog

from consent.feed import Change
from consent.tellings import Failure, Trouble
from gateway.config.config import Webhook
from storage.secret import Secret

log = structlog.get_logger()

PATIENCE = aiohttp.ClientTimeout(total=10, connect=5)


class Webhooks:
    """The receivers of the configuration, by name."""

    def __init__(
        self, webhooks: Mapping[str, Webhook], patience: aiohttp.ClientTimeout = PATIENCE
    ) -> None:
        self._webhooks = webhooks
        self._patience = patience

    async def send(
        self, name: str, change: Change, external_ids: Mapping[str, str]
    ) -> Failure | None:
        """Say why the receiver did not acknowledge it, by any status of success; None: it did."""
        webhook, body = self._webhooks[name], body_of(change, external_ids)
        headers = signed(webhook.secret, change.id, int(time.time()), body)
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = "consent-gateway"
        try:
            async with (
                # A session for each: what a receiver leaves behind ends with its answer.
                aiohttp.ClientSession(timeout=self._patience, auto_decompress=False) as session,
                session.post(
                    webhook.url, data=body, headers=headers, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("webhook.failed", webhook=name, change=change.id, why=type(error).__name__)
            return Failure(trouble=_trouble(error))
        if 200 <= status < 300:
            return None
        log.warning("webhook.failed", webhook=name, change=change.id, status=status)
        return Failure(status=status)


def _trouble(error: Exception) -> Trouble:
    """Why there was no answer, in a word that quotes nothing of it."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Trouble.UNKNOWN_NAME
        case aiohttp.ClientSSLError():
            return Trouble.CERTIFICATE
        case TimeoutError():
            return Trouble.TIMEOUT
        case aiohttp.ClientConnectorError():
            return Trouble.UNREACHABLE
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return Trouble.HUNG_UP
        case _:
            return Trouble.OTHER


def body_of(change: Change, external_ids: Mapping[str, str]) -> bytes:
    """What is told; the same bytes each time, while the person is called the same."""
    said = {
        "change_id": change.id,
        "at": change.at.isoformat().replace("+00:00", "Z"),
        "kind": change.kind,
        "subject_id": change.subject,
        "purpose": change.purpose,
        "external_ids": dict(external_ids),
    }
    return json.dumps(said, separators=(",", ":")).encode()


def signed(secrets: Sequence[Secret], name: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of a message called *name*: one signature under each secret, for changing it."""
    content = f"{name}.{at}.".encode() + body
    made = [base64.b64encode(hmac.digest(one.reveal(), content, "sha256")) for one in secrets]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{one.decode()}" for one in made),
    }
