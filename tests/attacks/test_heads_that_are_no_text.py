"""Bytes that are no text in the heads of requests, to every route, from somebody without a key.

An error of ours for each would fill the log that tells of real ones, and wake who watches it.
"""

from __future__ import annotations

import pytest

from tests.http.test_bounds import raw
from tests.support.apps import App
from tests.support.endless import FORM
from tests.support.served import requests

NO_TEXT = b"a\xff\xed\xa0\x80b"
NAMES = ("Origin", "Accept", "Accept-Language", "If-Range", "Sec-Fetch-Site", "X-Forwarded-For")
HEADS = [
    pytest.param(b"".join(b"%s: %s\r\n" % (one.encode(), NO_TEXT) for one in NAMES), id="fields"),
    pytest.param(
        b"Cookie: "
        + b"; ".join(b"%s=%s" % (one, NO_TEXT) for one in (b"my-data", b"dpo", b"dpo-oidc"))
        + b"\r\n",
        id="cookies",
    ),
    pytest.param(b"Authorization: Bearer %s\r\n" % NO_TEXT, id="a key"),
]


@pytest.mark.parametrize("head", HEADS)
async def test_nothing_in_a_head_is_an_error_of_ours(app: App, head: bytes) -> None:
    failed = []
    for method, path in requests():
        begin = f"{method} {path} HTTP/1.1\r\nHost: gateway.example\r\n".encode()
        body = b"email=ada@example.org" if method == "POST" else b""
        kind = b"Content-Type: %s\r\nContent-Length: %d\r\n" % (FORM.encode(), len(body))
        sent = begin + head + kind + b"Connection: close\r\n\r\n" + body
        answer, _ = await raw(app.base, sent)
        if answer.startswith("HTTP/1.1 500"):
            failed.append((method, path))

    assert failed == []
