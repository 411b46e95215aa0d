"""Bodies that never end, or are made of nothing but seams, of every type and to every route.

A body is read whole up to its limit, and only then taken apart: whatever is in
it, no more of it is waited for, and nothing is done with what came. How long
others wait meanwhile is measured by `benchmarks/bodies.py`.
"""

from __future__ import annotations

import pytest

from gateway.http.parsing import SMALL
from tests.http.test_bounds import raw
from tests.support.apps import ADA, App
from tests.support.endless import FORM, SHAPES, chunked, head, made
from tests.support.posts import kept
from tests.support.served import ROWS, paths, requests

CAMPAIGN = "/v1/campaigns/cmp_" + "0" * 26
REQUEST = "/v1/rights-requests/req_" + "0" * 26
# The only answers to such a body; leaving works whatever the body is. What is not named here, of
# all that is served, must answer without reading on.
ROUTES = {
    "/forms/signup": {413},
    "/forms/linked": {413, 303},
    "/confirm/" + "A" * 43: {413},
    "/unsubscribe/" + "A" * 22: {200},
    "/stop/" + "A" * 43: {200},
    "/preferences/" + "A" * 22: {413},
    "/preferences/" + "A" * 43: {410},
    "/why/" + "A" * 43: {410},
    "/my-data": {413},
    "/my-data/" + "A" * 43: {410},
    "/my-data/preferences": {303},
    "/my-data/leave": {303},
    "/my-data/restrict": {303},
    "/my-data/object": {303},
    "/my-data/erase": {303},
    "/my-data/pace": {303},
    "/my-data/rectify": {303},
    "/my-data/export": {303},
    "/dpo/sign-in": {413},
    "/dpo/oidc/start": {404},  # without a provider
    "/dpo/oidc": {404},
    "/dpo/link/" + "A" * 43: {410},
    "/dpo/leave": {303},
    "/dpo/people": {303},
    "/dpo/person": {303},
    "/dpo/proof": {303},
    "/dpo/dossier": {303},
    "/dpo/act": {303},
    **{f"/dpo/cases{step}": {303} for step in ("", "/decide", "/answer")},
    **{f"/dpo/log{what}": {303} for what in ("", "/export", "/person")},
    "/dpo/sent": {303},
    "/dpo/exports": {303},
    "/dpo/defence": {303},
    "/dpo/breach": {303},
    "/again/" + "A" * 22: {413},
    "/address/" + "A" * 43: {410},
    "/stop-again/" + "A" * 43: {410},
    "/v1/campaigns": {401},
    **{f"{CAMPAIGN}/{step}": {401} for step in ("pause", "resume", "cancel", "resend")},
    "/v1/permissions": {413},
    "/v1/withdrawals": {413},
    "/v1/audit/export": {422},  # as a look-up, below
    "/v1/erasures": {413},
    "/v1/evidence/search": {422},  # as a look-up, below
    "/v1/rights-requests": {413},
    **{f"{REQUEST}/{step}": {413} for step in ("answer", "extend", "refuse")},
    "/v1/holds": {413},
    "/v1/signups": {413},
    "/v1/subjects/lookup": {422},  # without a reason nobody is looked up
    "/v1/defences": {422},  # nor a mail
    "/v1/messages": {401},
    "/v1/messages/batch": {401},
    "/healthz": {405},
    "/nothing": {404},
}
OF_CALLERS = (
    "/v1/audit/export",
    "/v1/defences",
    "/v1/permissions",
    "/v1/withdrawals",
    "/v1/erasures",
    "/v1/evidence/search",
    "/v1/holds",
    "/v1/rights-requests",
    *(f"{REQUEST}/{step}" for step in ("answer", "extend", "refuse")),
    "/v1/signups",
    "/v1/subjects/lookup",
)
SAYS_THE_TYPE_FIRST = {415}  # before anything of the body was read


def asked(path: str, content_type: str, framing: str, key: dict[str, str]) -> bytes:
    return head(path, content_type, framing, key if path in OF_CALLERS else {})


def test_every_route_that_is_posted_to_is_here() -> None:
    served = {row.path for row in ROWS if row.method == "POST"}

    assert {row.path for row in ROWS if row.method == "POST" and set(paths(row)) & set(ROUTES)} == (
        served
    )


@pytest.mark.parametrize("shape", ["preamble", "one value", "one text", "no type that we read"])
async def test_what_takes_no_body_answers_without_waiting_for_one(
    embedded: App, shape: str
) -> None:
    pieces = b"".join(chunked(made(shape, 4096), 4096))

    for method, path in requests():
        if method != "POST":
            sent = head(path, SHAPES[shape][0], "Transfer-Encoding: chunked", {}, method) + pieces
            told, _ = await raw(embedded.base, sent)
            status = status_of(told)
            assert status < 500, (method, path)
            assert status != 408, "it waited"


def status_of(told: str) -> int:
    return int(told.split(" ", 2)[1])


BY_THE_BYTE = ("preamble", "one value", "one text")


@pytest.mark.parametrize(
    ("shape", "piece"), [(one, 4096) for one in SHAPES] + [(one, 1) for one in BY_THE_BYTE]
)
async def test_no_more_is_waited_for_than_is_read(embedded: App, shape: str, piece: int) -> None:
    """A little over the limit is sent, then neither more nor an end: who waits, answers never."""
    key = await embedded.key()
    body = made(shape, SMALL + 4096)
    pieces = b"".join(chunked(body, piece))

    for path, expected in ROUTES.items():
        sent = asked(path, SHAPES[shape][0], "Transfer-Encoding: chunked", key) + pieces
        told, _ = await raw(embedded.base, sent)
        assert status_of(told) in expected | SAYS_THE_TYPE_FIRST, path

    assert await kept(embedded) == 0


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_said_to_be_too_long_is_not_read(embedded: App, shape: str) -> None:
    key = await embedded.key()
    framing = f"Content-Length: {SMALL + 1}"

    for path, expected in ROUTES.items():
        told, _ = await raw(embedded.base, asked(path, SHAPES[shape][0], framing, key))
        assert status_of(told) in expected | SAYS_THE_TYPE_FIRST, path


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_just_fits_is_answered_and_nothing_is_kept(embedded: App, shape: str) -> None:
    key = await embedded.key()
    body = made(shape, SMALL)

    for path in ROUTES:
        sent = asked(path, SHAPES[shape][0], f"Content-Length: {SMALL}", key) + body
        told, _ = await raw(embedded.base, sent)
        assert status_of(told) < 500, path

    assert await kept(embedded) == 0


BOMBS = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"]


@pytest.mark.parametrize("encoding", BOMBS)
async def test_nothing_is_unpacked_and_leaving_works_all_the_same(app: App, encoding: str) -> None:
    key = await app.key()
    for path, expected in ROUTES.items():
        framing = f"Content-Encoding: {encoding}\r\nContent-Length: 2"
        told, _ = await raw(app.base, asked(path, FORM, framing, key) + b"\x1f\x8b")
        is_read = 413 in expected
        assert status_of(told) in ({415, 303} if is_read else expected), path

    await app.subscribe()
    key = await app.key()
    content = {"subject": "News", "text": "Hello."}
    message = {"to": {"email": ADA}, "purpose": "newsletter", "content": content}
    await app.http.post("/v1/messages", json=message, headers=key)
    (mail,) = await app.deliver()
    path = f"/unsubscribe/{mail.token('unsubscribe')}"
    framing = f"Content-Encoding: {encoding}\r\nContent-Length: 2"
    told, _ = await raw(app.base, asked(path, FORM, framing, key) + b"\x1f\x8b")
    assert status_of(told) == 200
    assert await app.permission() == "withdrawn"
