"""Posts from landing pages, JSON and plain forms: what is kept, what is not, and what is said."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.support.apps import ADA, ORIGIN, THANKS, App
from tests.support.posts import kept, opened, plain

TEXT = "sha256:" + "0" * 64


async def test_a_sign_up_is_kept_sealed_and_answered_the_same(app: App) -> None:
    body = await app.posted(
        page_url="https://www.acme.example/?from=ada#top",
        locale="de",
        profile={"first_name": "Ada"},
    )
    body["texts"] = await app.texts("newsletter", locale="de")

    async with app.http.post("/forms/signup", json=body) as answer:
        assert (answer.status, await answer.json()) == (202, {"status": "accepted"})

    (one,) = await opened(app)
    assert one.email.typed == ADA
    assert one.page_url == "https://www.acme.example/", "its query may hold secrets"
    assert (one.locale, one.profile, one.rendered_by) == ("de", {"first_name": "Ada"}, "asserted")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"email": "ada@"}, "/email"),
        ({"email": 7}, "/email"),
        ({"purposes": []}, "/purposes"),
        ({"purposes": ["newsletter", "newsletter"]}, "/purposes/1"),
        ({"purposes": ["elsewhere"]}, "/purposes/0"),
        ({"texts": []}, "/texts"),
        ({"texts": [TEXT]}, "/texts/0"),
        ({"texts": ["sha256:x"]}, "/texts/0"),
        ({"profile": {"first_name": "Adalovelace"}}, "/profile/first_name"),
        ({"profile": {"first_name": ["a"]}}, "/profile/first_name"),
        ({"profile": {"first_name": {"a": "b"}}}, "/profile/first_name"),
        ({"profile": {"first_name": None}}, "/profile/first_name"),
        ({"profile": {"first_name": 7}}, "/profile/first_name"),
        ({"profile": {"shoe_size": "7"}}, "/profile"),
        ({"locale": 7}, "/locale"),
        ({"nick": "ada"}, "/nick"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_wrong_field_is_named_and_nothing_is_kept(
    embedded: App, change: dict[str, Any], pointer: str
) -> None:
    async with embedded.http.post("/forms/signup", json=await embedded.posted() | change) as answer:
        problem = await answer.json()

    assert (answer.status, answer.content_type) == (422, "application/problem+json")
    assert pointer in [one["pointer"] for one in problem["errors"]]
    assert "ada" not in str(problem).lower()
    assert await kept(embedded) == 0


@pytest.mark.parametrize(
    ("url", "kept_as"),
    [
        ("http://[::1", None),
        ("https://ada@www.acme.example/a?b#c", "https://www.acme.example/a"),
        ("javascript:alert(1)", None),
        ("nonsense", None),
    ],
)
async def test_a_page_that_has_no_address_is_not_named(
    embedded: App, url: str, kept_as: str | None
) -> None:
    async with embedded.http.post("/forms/signup", json=await embedded.posted(page_url=url)) as a:
        assert a.status == 202

    (one,) = await opened(embedded)
    assert one.page_url == kept_as


async def test_each_purpose_needs_its_own_text_in_any_order(embedded: App) -> None:
    newsletter, updates = await embedded.texts("newsletter", "updates")
    both = {"email": ADA, "purposes": ["newsletter", "updates"]}

    async def post(texts: list[str], **more: Any) -> list[str]:
        body = both | {"texts": texts} | more
        async with embedded.http.post("/forms/signup", json=body) as answer:
            problem = await answer.json()
            return [one["pointer"] for one in problem.get("errors", ())]

    assert await post([updates, newsletter]) == []
    assert await post([newsletter]) == ["/texts"]
    assert await post([newsletter, newsletter]) == ["/texts/1"]
    assert await post([newsletter, TEXT]) == ["/texts/1"]
    assert await post([updates], purposes=["newsletter"]) == ["/texts/0"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"email": "\\ud800@example.org"}', "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"", "application/octet-stream", 415),
        (b"[]", "application/json", 422),
        (b" " * 65_537, "application/json", 413),
        (b"email=" + b"a" * 65_536, "application/x-www-form-urlencoded", 413),
        (b"email=%ff", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 422),
        (b"email=a&purposes=x&purpose=y", "application/x-www-form-urlencoded", 422),
        (b"email=a&profile=x&profile.a=y", "application/x-www-form-urlencoded", 422),
        (b"email=a&email=b", "application/x-www-form-urlencoded", 422),
        (b"nonsense", "multipart/form-data; boundary=x", 422),
        (b"nonsense", "multipart/form-data", 422),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_read_leaves_nothing_behind(
    embedded: App, body: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}

    async with embedded.http.post("/forms/signup", data=body, headers=headers) as answer:
        assert answer.status == status

    assert await kept(embedded) == 0


async def test_a_script_that_does_not_say_what_it_sends_is_told_so_as_a_program(
    embedded: App,
) -> None:
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": ORIGIN}  # a bare fetch()
    body = json.dumps(await embedded.posted())

    async with embedded.http.post("/forms/signup", data=body, headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
    async with embedded.http.delete("/forms/signup") as wrong:
        method = await wrong.json(content_type="application/problem+json")

    assert problem["type"] == "/problems/content-type"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert method["status"] == 405


@pytest.mark.parametrize("name", ["", "  ", "\t", "\u00a0", "\u200b"], ids=ascii)
async def test_an_answer_that_nobody_would_see_is_none(app: App, name: str) -> None:
    body = await app.posted(profile={"first_name": name})

    async with app.http.post("/forms/signup", json=body) as answer:
        assert answer.status == 202

    (one,) = await opened(app)
    assert one.profile == {}


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_a_plain_form_signs_up_and_thanks(app: App, kind: str) -> None:
    fields = await plain(app, ("profile.first_name", ""), ("locale", ""), ("homepage", ""))
    data: Any = fields
    if kind == "multipart":
        data = aiohttp.FormData(fields, default_to_multipart=True)

    async with app.http.post("/forms/signup", data=data) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "mailbox" in await answer.text()

    (one,) = await opened(app)
    assert [asked.purpose for asked in one.asked] == ["newsletter"], "unticked ones are not asked"


async def test_a_file_is_refused_without_being_kept_anywhere(embedded: App) -> None:
    data = aiohttp.FormData(await plain(embedded))
    data.add_field("profile.first_name", b"\x00" * 1000, filename="ada.bin")

    async with embedded.http.post("/forms/signup", data=data) as answer:
        assert answer.status == 422

    assert await kept(embedded) == 0


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "plain"])
async def test_a_filled_honeypot_gets_the_same_answer_and_nothing_is_kept(
    app: App, as_json: bool
) -> None:
    if as_json:
        sent: dict[str, Any] = {"json": await app.posted(homepage="https://robot.example")}
    else:
        sent = {"data": await plain(app, ("homepage", "https://robot.example"))}

    async with app.http.post("/forms/signup", **sent) as answer:
        assert answer.status == (202 if as_json else 200)

    assert await kept(app) == 0
    assert await app.deliver() == []


async def test_a_form_with_pages_of_its_own_is_sent_there(embedded: App) -> None:
    good = await plain(embedded, ("profile.first_name", "Ada"))
    # Nothing that is posted may choose where the visitor goes.
    good += [("thank_you_url", "https://evil.example"), ("error_url", "https://evil.example")]

    async def location(fields: list[tuple[str, str]]) -> str:
        async with embedded.http.post(
            "/forms/linked", data=fields, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            return answer.headers["Location"]

    assert await location(good) == THANKS
    sorry = "https://www.acme.example/sign-up?from=form&error=email-invalid#form"
    assert await location([("email", "ada@"), *good[1:]]) == sorry
    assert await kept(embedded) == 1


async def test_what_cannot_be_read_is_told_to_the_landing_page_too(embedded: App) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async with embedded.http.post(
        "/forms/linked", data=b"a" * 65_537, headers=headers, allow_redirects=False
    ) as answer:
        location = answer.headers["Location"]

    assert location == "https://www.acme.example/sign-up?from=form&error=too-large#form"


@pytest.mark.parametrize("accepted", ["en", "fr", ""])
async def test_a_plain_form_is_answered_in_the_language_that_it_was_shown_in(
    app: App, accepted: str
) -> None:
    headers = {"Accept-Language": accepted} if accepted else {}
    fields = await plain(app, ("locale", "de"))

    async with app.http.post("/forms/signup", data=fields, headers=headers) as answer:
        thanks = await answer.text()
    async with app.http.post("/forms/signup", data=fields[1:], headers=headers) as answer:
        problem = await answer.text()
    large = {"email": "a" * 70_000}
    async with app.http.post("/forms/signup?locale=de", data=large, headers=headers) as answer:
        error = await answer.text()

    for page in (thanks, problem, error):
        assert '<html lang="de">' in page
    assert "<b>E-Mail-Adresse:</b> Bitte geben Sie Ihre E-Mail-Adresse ein." in problem


async def test_without_an_error_page_the_errors_are_named_in_the_visitors_language(
    embedded: App,
) -> None:
    headers = {"Accept-Language": "de"}

    async with embedded.http.post("/forms/signup", data={"email": "ada@"}, headers=headers) as page:
        text = await page.text()

    assert page.status == 422
    assert "An diese Adresse geht keine E-Mail" in text
    assert "Ihre Einwilligung:" in text
    assert "ada@" not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"email": ""}, "Please enter your email address.", id="no address"),
        pytest.param({"email": "ada"}, "We cannot mail this address", id="a wrong address"),
        pytest.param({"profile.first_name": "A" * 9}, "This is too long.", id="too long"),
        pytest.param({"profile.first_name": "A\x01b"}, "cannot be accepted", id="not a name"),
        pytest.param({"purpose": "elsewhere"}, "not set up as we expect", id="no purpose of it"),
        pytest.param({"text": TEXT}, "The wording has changed", id="an unknown wording"),
        pytest.param({"stamp": "x"}, "open for too long", id="a stamp of nobody's"),
    ],
)
async def test_a_page_names_each_mistake_in_words_of_its_own(
    embedded: App, more: dict[str, str], said: str
) -> None:
    good = [(name, value) for name, value in await plain(embedded) if name not in more]
    fields = [*good, *more.items()]

    async with embedded.http.post("/forms/signup", data=fields) as answer:
        text = await answer.text()

    assert answer.status == 422
    assert said in text
    assert text.count("<li>") + text.count('class="wrong"') <= 2


async def test_limits_of_network_and_form_are_told(limited: App) -> None:
    body = await limited.posted()
    network = {"X-Forwarded-For": "203.0.113.7"}

    statuses = []
    for _ in range(61):
        async with limited.http.post("/forms/signup", json=body, headers=network) as answer:
            statuses.append(answer.status)
    async with limited.http.post("/forms/signup", json=body, headers=network) as answer:
        problem, wait = await answer.json(), answer.headers["Retry-After"]
    async with limited.http.post(
        "/forms/signup", data=await plain(limited), headers=network
    ) as page:
        assert (page.status, page.headers["Retry-After"]) == (429, "2")
    other = {"X-Forwarded-For": "198.51.100.9, 203.0.113.8"}
    async with limited.http.post("/forms/signup", json=body, headers=other) as neighbour:
        assert neighbour.status == 202

    assert statuses == [202] * 60 + [429]
    assert (problem["type"], wait) == ("/problems/too-many-requests", "2")
