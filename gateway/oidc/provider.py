"""Asking an identity provider: what it says of itself, its keys, and what a code stands for.

It is somebody else's server: it gets seconds, redirects lead nowhere, and of what it answers some
kilobytes are read. What it says of itself is kept for
ten minutes; that it is away, for some seconds: however many open the door meanwhile, it is asked
once, and they do not wait.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp

from gateway.config.desk import Oidc
from gateway.oidc import id_token, metadata
from gateway.oidc.errors import NotBelieved, ProviderAway
from gateway.oidc.handshake import Handshake
from gateway.oidc.id_token import Expected
from gateway.oidc.metadata import Described, SigningKey

PATIENCE: Final = aiohttp.ClientTimeout(total=8, connect=3)
_SHORT: Final = 3.0  # seconds, for what somebody waits for who only opened the door
_LONGEST: Final = 1 << 18
_KEPT: Final = 600.0  # seconds
_AWAY: Final = 20.0
_ANEW: Final = 10.0  # keys that a token names and we lack are asked for no more often
_FAULTS: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError)
_AGENT: Final = {"User-Agent": "consent-gateway", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Known:
    """What a provider says of itself, with its keys."""

    described: Described
    keys: tuple[SigningKey, ...] = field(repr=False)


class Provider:
    """The one of the configuration, for one process."""

    def __init__(
        self,
        ours: Oidc,
        patience: aiohttp.ClientTimeout = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ours = ours
        self._patience = patience
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._known: Known | None = None
        self._why: str | None = None  # it is away
        self._until: float | None = None  # what was found out is good; none: nothing was
        self._keys_at: float | None = None

    async def known(self) -> Known:
        """What it says of itself, asked for by one at a time. Raises `ProviderAway`."""
        async with self._asking:
            if self._until is None or self._monotonic() >= self._until:
                await self._learn()
        if self._known is None:
            raise ProviderAway(self._why or "away")
        return self._known

    async def claims(
        self, code: str, redirect_uri: str, made: Handshake, now: Callable[[], datetime]
    ) -> Mapping[str, Any]:
        """What it says of whoever brought *code*. Raises `ProviderAway` and `NotBelieved`."""
        known = await self.known()
        answer = await self._exchange(known.described, code, redirect_uri, made)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotBelieved("no_token")
        expected = Expected(self.ours.issuer, self.ours.client_id, made.nonce)
        try:
            said = id_token.check(token, known.keys, expected, now())
        except NotBelieved as error:
            if error.why != "key":
                raise
            keys = await self._newer(known)
            said = id_token.check(token, keys, expected, now())
        if self.ours.address_claim in said:
            return said
        return {**await self._more(known.described, answer, said), **said}

    async def _learn(self) -> None:
        """Ask what it says of itself; one that is away is asked again after some seconds."""
        try:
            document = await self._get(metadata.place_of(self.ours.issuer))
            described = metadata.read(document, self.ours.issuer)
            keys = metadata.keys_of(await self._get(described.jwks_uri))
        except ProviderAway as error:
            self._known, self._why = None, error.why
            self._until = self._monotonic() + _AWAY
            return
        self._known = Known(described, tuple(keys))
        self._keys_at = self._monotonic()
        self._until = self._keys_at + _KEPT

    async def _newer(self, known: Known) -> tuple[SigningKey, ...]:
        """Its keys as they are now: it may have changed them since."""
        async with self._asking:
            if self._known is not None and self._known.keys != known.keys:
                return self._known.keys  # somebody asked meanwhile
            if self._keys_at is not None and self._monotonic() < self._keys_at + _ANEW:
                raise NotBelieved("key")
            keys = tuple(metadata.keys_of(await self._get(known.described.jwks_uri)))
            self._keys_at = self._monotonic()
            self._known = Known(known.described, keys)
            return keys

    async def _exchange(
        self, described: Described, code: str, redirect_uri: str, made: Handshake
    ) -> Mapping[str, Any]:
        """The answer to a code; one that the provider refuses is nobody's word."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": made.verifier,
        }
        headers, secret = dict(_AGENT), self.ours.client_secret
        if secret is not None and described.basic:
            headers["Authorization"] = _basic(self.ours.client_id, secret.reveal().decode())
        else:
            fields["client_id"] = self.ours.client_id
            if secret is not None:
                fields["client_secret"] = secret.reveal().decode()
        status, said = await self._ask("POST", described.token_endpoint, headers, fields)
        if 400 <= status < 500:
            raise NotBelieved("code" if _says(said, "invalid_grant") else "refused")
        if status != 200 or not isinstance(said, dict):
            raise ProviderAway("token_endpoint")
        return said

    async def _more(
        self, described: Described, answer: Mapping[str, Any], said: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What it says elsewhere of the same account (Core, section 5.3)."""
        access = answer.get("access_token")
        if described.userinfo_endpoint is None or not isinstance(access, str):
            return {}
        if not access.isascii() or not access.isprintable():
            raise NotBelieved("access_token")
        headers = {**_AGENT, "Authorization": f"Bearer {access}"}
        status, more = await self._ask("GET", described.userinfo_endpoint, headers)
        if status != 200 or not isinstance(more, dict):
            raise ProviderAway("userinfo_endpoint")
        if more.get("sub") != said["sub"]:
            raise NotBelieved("subject")
        return more

    async def _get(self, url: str) -> Any:
        try:
            async with asyncio.timeout(_SHORT):
                status, said = await self._ask("GET", url, _AGENT)
        except TimeoutError:
            raise ProviderAway("TimeoutError") from None
        if status != 200:
            raise ProviderAway("status")
        return said

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One question; raises `ProviderAway` where there is no answer, or no JSON."""
        try:
            async with (
                # A session for each: what it leaves behind ends with its answer.
                aiohttp.ClientSession(timeout=self._patience, auto_decompress=False) as session,
                session.request(
                    method, url, headers=headers, data=fields, allow_redirects=False
                ) as answer,
            ):
                raw = await _read(answer)
                return answer.status, json.loads(raw)
        except _FAULTS as error:
            raise ProviderAway(type(error).__name__) from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body; what is longer than any of ours is none."""
    pieces, length = [], 0
    async for piece in answer.content.iter_any():
        length += len(piece)
        if length > _LONGEST:
            raise ValueError("too long")
        pieces.append(piece)
    return b"".join(pieces)


def _basic(client_id: str, secret: str) -> str:
    """RFC 6749, section 2.3.1: each is encoded as in a form before they are joined."""
    said = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(said.encode()).decode()}"


def _says(said: Any, error: str) -> bool:
    return isinstance(said, dict) and said.get("error") == error
