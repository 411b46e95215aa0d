"""Which pages may read the answers to what they post."""

from __future__ import annotations

from tests.support.apps import ORIGIN, App


async def test_only_named_origins_may_read_an_answer(embedded: App) -> None:
    async def allowed(method: str, path: str, origin: str) -> str | None:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with embedded.http.request(method, path, headers=headers) as answer:
            assert "Origin" in answer.headers["Vary"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
            return answer.headers.get("Access-Control-Allow-Origin")

    for method, path in [
        ("GET", "/forms/signup.json"),
        ("OPTIONS", "/forms/signup"),
        ("POST", "/forms/signup"),
    ]:
        assert await allowed(method, path, ORIGIN) == ORIGIN
        for other in ("https://evil.example", "null", "https://www.acme.example.evil.example"):
            assert await allowed(method, path, other) is None
    assert await allowed("GET", "/forms/linked.json", ORIGIN) is None


async def test_a_preflight_names_what_may_be_sent(embedded: App) -> None:
    async with embedded.http.options("/forms/signup", headers={"Origin": ORIGIN}) as named:
        assert named.status == 204
        assert named.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert named.headers["Access-Control-Allow-Headers"] == "Content-Type"
    async with embedded.http.options("/forms/none", headers={"Origin": ORIGIN}) as missing:
        assert missing.status == 404
