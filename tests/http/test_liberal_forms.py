"""Forms that live in somebody's page, and values as people and programs leave them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from consent.address import parse
from tests.support.apps import ADA, App
from tests.support.posts import hosted, kept, opened, plain

OF_A_CMS = [
    ("submit", "Go"),
    ("utm_source", "x"),
    ("utm_source", "y"),
    ("gclid", "1"),
    ("g-recaptcha-response", "abc"),
    ("_charset_", "UTF-8"),
    ("csrf_token", "1"),
    ("purposes", "updates"),
    ("texts", "sha256:1"),
    ("profile", "{}"),
    ("profile.car", "red"),
    ("profile.", "x"),
    ("Email", "grace@example.org"),
    ("email[]", "grace@example.org"),
    ("thank_you_url", "https://evil.example"),
    ("", "nameless"),
    ("__proto__", "x"),
    ("\u00fcber", "\u00fcber"),
]


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_fields_of_somebodys_page_are_passed_over(app: App, kind: str) -> None:
    fields = [*OF_A_CMS[:9], *await plain(app, ("profile.first_name", "Ada")), *OF_A_CMS[9:]]
    sent: dict[str, Any] = {"data": fields}
    if kind == "multipart":
        head = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        body = "".join(head.format(name, value) for name, value in fields) + "--x--\r\n"
        content_type = {"Content-Type": "multipart/form-data; boundary=x"}
        sent = {"data": body.encode(), "headers": content_type}

    async with app.http.post("/forms/signup", **sent) as answer:
        assert answer.status == 200

    (one,) = await opened(app)
    assert (one.email.typed, dict(one.profile)) == (ADA, {"first_name": "Ada"})
    assert [asked.purpose for asked in one.asked] == ["newsletter"]


async def test_what_is_passed_over_need_not_be_text(app: App) -> None:
    data = aiohttp.FormData(await plain(app), default_to_multipart=True)
    data.add_field("cv", b"", filename="cv.pdf", content_type="application/octet-stream")
    data.add_field("photo", b"\x00\xff" * 500, filename="ada.png")
    async with app.http.post("/forms/signup", data=data) as answer:
        assert answer.status == 200
    urlencoded = aiohttp.FormData(await plain(app, email="grace@example.org"))()._value
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with app.http.post(
        "/forms/signup", data=urlencoded + b"&name=M%FCller&q=\xfc", headers=headers
    ) as answer:
        assert answer.status == 200

    assert await kept(app) == 2


@pytest.mark.parametrize("field", ["email", "profile.first_name", "purpose"])
async def test_what_is_asked_must_be_text(embedded: App, field: str) -> None:
    data = aiohttp.FormData([f for f in await plain(embedded) if f[0] != field])
    data.add_field(field, b"\x00\xff", filename="ada.bin")

    async with embedded.http.post("/forms/signup", data=data) as answer:
        assert answer.status == 422

    assert await kept(embedded) == 0


async def test_json_names_the_field_that_it_does_not_know(embedded: App) -> None:
    body = await embedded.posted(utm_source="x")

    async with embedded.http.post("/forms/signup", json=body) as answer:
        problem = await answer.json()

    assert answer.status == 422
    assert [one["pointer"] for one in problem["errors"]] == ["/utm_source"]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("de_DE", "de"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("zh_Hant_TW", "en"),
        ("../de", "en"),
        ("de-" * 5000, "de"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "plain"])
async def test_no_sign_up_is_lost_over_the_name_of_a_language(
    embedded: App, said: str, read: str, as_json: bool
) -> None:
    sent: dict[str, Any] = {"data": await plain(embedded, ("locale", said))}
    if as_json:
        sent = {"json": await embedded.posted(locale=said)}

    async with embedded.http.post("/forms/signup", **sent) as answer:
        assert answer.status == (202 if as_json else 200)

    (one,) = await opened(embedded)
    assert one.locale == read


UNSEEN = ["\u00a0", "\u200b", "\ufeff", "\r\n"]  # test_invisible.py has the others


def around(value: str, unseen: str) -> str:
    return f"{unseen}{value} {unseen}"


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda one: f"U+{ord(one[0]):04X}")
async def test_what_nobody_sees_at_the_edges_of_json_is_cut_off(embedded: App, unseen: str) -> None:
    good = await embedded.posted(locale="de", page_url="https://www.acme.example/")
    body = {
        name: [around(one, unseen) for one in value] if isinstance(value, list)
        else around(value, unseen)
        for name, value in good.items()
    }  # fmt: skip
    body["profile"] = {"first_name": around("Ada", unseen)}

    async with embedded.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202, await answer.text()

    (one,) = await opened(embedded)
    assert one.email == parse(ADA)
    assert (one.locale, one.page_url) == ("de", "https://www.acme.example/")
    assert dict(one.profile) == {"first_name": "Ada"}


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda one: f"U+{ord(one[0]):04X}")
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_what_nobody_sees_at_the_edges_of_a_form_is_cut_off(
    embedded: App, unseen: str, kind: str
) -> None:
    shown = await hosted(embedded, "signup", ("profile.first_name", "Ada"))
    fields = [(name, around(value, unseen)) for name, value in shown]
    data: Any = fields
    if kind == "multipart":
        data = aiohttp.FormData(fields, default_to_multipart=True)

    async with embedded.http.post("/forms/signup", data=data) as answer:
        assert answer.status == 200

    (one,) = await opened(embedded)
    assert (one.email.typed, one.rendered_by) == (ADA, "page")
    assert dict(one.profile) == {"first_name": "Ada"}


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\r\n", b"\xef\xbb\xbf "])
async def test_a_body_may_begin_with_what_nobody_sees(embedded: App, start: bytes) -> None:
    text = (await embedded.texts("newsletter"))[0]
    body = start + f"email={ADA}&purpose=newsletter&text={text}\r\n".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with embedded.http.post("/forms/signup", data=body, headers=headers) as answer:
        assert answer.status == 200
    posted = f'{{"email": "{ADA}", "purposes": ["newsletter"], "texts": ["{text}"]}}'.encode()
    headers = {"Content-Type": "application/json"}
    async with embedded.http.post("/forms/signup", data=start + posted, headers=headers) as answer:
        assert answer.status == 202

    assert [one.email.typed for one in await opened(embedded)] == [ADA, ADA]


@pytest.mark.parametrize("inside", ["\u200b", "\u00a0", "\r\n", "\t", "\u202e", "\ufe0f", "\u00ad"])
@pytest.mark.parametrize("field", ["email", "first_name"])
async def test_what_nobody_sees_inside_is_refused_and_never_stored(
    embedded: App, inside: str, field: str
) -> None:
    if field == "first_name" and inside in ("\u00a0", "\ufe0f"):
        pytest.skip("names have spaces of all kinds, and emoji")
    body = await embedded.posted()
    if field == "email":
        body["email"] = f"ada@exa{inside}mple.org"
    else:
        body["profile"] = {"first_name": f"A{inside}da"}

    async with embedded.http.post("/forms/signup", json=body) as answer:
        problem = await answer.json()

    assert answer.status == 422
    pointer = "/email" if field == "email" else "/profile/first_name"
    assert [one["pointer"] for one in problem["errors"]] == [pointer]
    assert await kept(embedded) == 0


@pytest.mark.parametrize(
    "name", ["\u0645\u06cc\u200c\u0631\u0648", "👩\u200d🚀", "❤\ufe0fA", "A B"]
)
async def test_names_are_written_as_people_write_them(embedded: App, name: str) -> None:
    body = await embedded.posted(profile={"first_name": name})

    async with embedded.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202

    (one,) = await opened(embedded)
    assert one.profile["first_name"] == name


async def test_an_answer_of_nothing_that_is_seen_is_none(embedded: App) -> None:
    body = await embedded.posted(profile={"first_name": " \u200b\u00a0"})

    async with embedded.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202
    async with embedded.http.post(
        "/forms/linked", json=await embedded.posted(profile={"first_name": " \u200b"})
    ) as answer:
        assert answer.status == 422

    (one,) = await opened(embedded)
    assert dict(one.profile) == {}


async def test_what_recipients_post_is_read_so_too(app: App) -> None:
    token = await app.confirmation()

    async with app.http.post(f"/confirm/{token}", data={"answer": "\ufeffconfirm\r\n"}) as page:
        assert page.status == 200
    async with app.http.post("/my-data", data={"email": f"\u200b{ADA}\u00a0"}) as page:
        assert page.status == 200

    assert await app.permission() == "granted"
    assert [mail.to for mail in await app.deliver()] == [ADA]


async def test_what_callers_post_is_read_so_too(app: App) -> None:
    await app.subscribe()
    key = await app.key()
    body = {
        "to": {"email": f"\t{ADA}\ufeff"},
        "purpose": "newsletter\u00a0",
        "content": {"subject": "News\r\n", "text": "  Hello.\n"},
        "reference": "\u200bfirst",
        "send_at": "2026-11-23T09:00:00Z ",
    }

    async with app.http.post("/v1/messages", json=body, headers=key) as answer:
        assert answer.status == 202, await answer.text()

    (mail,) = await app.deliver()
    assert (mail.to, b"\r\nSubject: News\r\n" in mail.raw) == (ADA, True)
