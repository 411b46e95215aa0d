"""An identity provider of the tests, whose tokens are signed by the library that real ones use.

It keeps the standard where nobody tells it otherwise, and is strict with who asks: the redirect
URI to the byte, the client's secret, the proof key, a code once. What it says can be changed,
claim by claim, to what a hostile or broken one says.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from storage.clock import Clock
from tests.support.clock import SteppedClock

CLIENT, SECRET = "desk client", "s%cret: of ours"
Claims = dict[str, Any]


@dataclass
class Somebody:
    """Who is signed in at the provider."""

    sub: str
    email: str
    verified: Any = True


@dataclass
class IdP:
    """What it says is *claims* beside what it should; None leaves one out."""

    who: Somebody
    redirect_uri: str
    clock: Clock = field(default_factory=SteppedClock)
    url: str = ""
    key: RSAKey = field(default_factory=lambda: new_key("k1"))
    published: list[RSAKey] | None = None  # none: the one that signs
    claims: Claims = field(default_factory=dict)
    described: Claims = field(default_factory=dict)
    told: Claims = field(default_factory=dict)  # by its address for more claims
    back: dict[str, str | None] = field(default_factory=dict)  # beside code, state, iss
    algorithm: str = "RS256"
    token: str | None = None  # instead of one that is made
    how: str = "well"  # well | fails | hangs | wanders | talks
    forgets_codes: bool = True
    asked: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    async def describe(self, _: web.Request) -> web.Response:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=acme",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.described,
        }
        return web.json_response({name: one for name, one in said.items() if one is not None})

    async def keys(self, _: web.Request) -> web.Response:
        shown = [self.key] if self.published is None else self.published
        return web.json_response({"keys": [{"kty": "new"}, *(_public(one) for one in shown)]})

    async def authorize(self, request: web.Request) -> web.Response:
        """They are signed in there already."""
        asked = request.query
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["client_id"] == CLIENT and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and asked["tenant"] == "acme"
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(asked)
        fields = {"code": code, "state": asked["state"], "iss": self.url, **self.back}
        query = urlencode({name: one for name, one in fields.items() if one is not None})
        return web.Response(status=302, headers={"Location": f"{self.redirect_uri}?{query}"})

    async def exchange(self, request: web.Request) -> web.Response:
        fields = await request.post()
        if _client(request, fields) != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        code = str(fields["code"])
        asked = self._codes.pop(code, None) if self.forgets_codes else self._codes.get(code)
        verifier = str(fields["code_verifier"]).encode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).decode().rstrip("=")
        if (
            asked is None
            or asked["code_challenge"] != proof
            or fields["redirect_uri"] != self.redirect_uri
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.made(asked["nonce"]) if self.token is None else self.token
        said = {"access_token": "access", "token_type": "Bearer", "id_token": token}
        return web.json_response(said)

    async def tell(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response({"sub": self.who.sub, **self.told})

    def made(self, nonce: str) -> str:
        """An ID token."""
        now = int(self.clock.wall().timestamp())
        claims = {
            "iss": self.url,
            "sub": self.who.sub,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": self.who.email,
            "email_verified": self.who.verified,
            **self.claims,
        }
        said = {name: one for name, one in claims.items() if one is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        key: RSAKey | OctKey = self.key
        if self.algorithm.startswith("HS"):
            key = OctKey.import_key(SECRET)
        return jwt.encode(header, said, key, algorithms=[self.algorithm])

    def rotate(self, name: str) -> None:
        self.key = new_key(name)

    @web.middleware
    async def behave(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        match self.how:
            case "fails":
                return web.json_response({}, status=500)
            case "hangs":
                await self.over.wait()
            case "wanders":
                return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere"})
            case "talks":
                return await _endless(request)
        answer: web.StreamResponse = await handler(request)
        return answer


def new_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"}, private=True)


@asynccontextmanager
async def identity_provider(who: Somebody, redirect_uri: str, **facts: Any) -> AsyncIterator[IdP]:
    """One that runs, on this machine."""
    provider = IdP(who, redirect_uri, **facts)
    app = web.Application(middlewares=[provider.behave])
    app.router.add_get("/.well-known/openid-configuration", provider.describe)
    app.router.add_get("/keys", provider.keys)
    app.router.add_get("/authorize", provider.authorize)
    app.router.add_post("/token", provider.exchange)
    app.router.add_get("/userinfo", provider.tell)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield provider
    finally:
        provider.over.set()
        await runner.cleanup()


def section(provider: IdP, **more: str) -> str:
    """Of the configuration; the secret stands in the variable TEST_OIDC_SECRET."""
    said = {
        "issuer": provider.url,
        "client_id": CLIENT,
        "client_secret_env": "TEST_OIDC_SECRET",
        "name": "Acme Login",
        **more,
    }
    return "\n".join(["[desk.oidc]", *(f'{name} = "{one}"' for name, one in said.items())])


def _public(key: RSAKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def _client(request: web.Request, fields: Mapping[str, Any]) -> tuple[str, str]:
    """Who asks, by either way."""
    said = request.headers.get("Authorization", "")
    if not said.startswith("Basic "):
        return str(fields.get("client_id")), str(fields.get("client_secret"))
    name, _, secret = base64.b64decode(said.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b" " * 65536)
