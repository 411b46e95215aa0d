"""Fields of the kinds that forms have: asked for, checked, kept, shown, corrected and chosen by."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.people import embedding
from tests.http.test_people_rights import visit
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.posts import kept, opened

_FIELDS = """
[forms.kinds]
purposes = ["newsletter"]
origins = ["https://www.acme.example"]
{more}
[forms.kinds.fields.name]
label = {{ en = "Name", de = "Name" }}
[forms.kinds.fields.role]
kind = "choice"
required = true
label = {{ en = "Your role", de = "Ihre Rolle" }}
help = {{ en = "What you do most.", de = "Was Sie meistens tun." }}
options.dev = {{ en = "Development", de = "Entwicklung" }}
options.owner = {{ en = "Ownership", de = "Inhaberschaft" }}
[forms.kinds.fields.topics]
kind = "multiple_choice"
label = {{ en = "Topics", de = "Themen" }}
options.tools = {{ en = "Tools", de = "Werkzeuge" }}
options.wood = {{ en = "Wood", de = "Holz" }}
options.metal = {{ en = "Metal", de = "Metall" }}
[forms.kinds.fields.team]
kind = "number"
min = 1
max = 500
[forms.kinds.fields.since]
kind = "date"
min = 1990-01-01
[forms.kinds.fields.partner]
kind = "checkbox"
label = {{ en = "We are a partner", de = "Wir sind Partner" }}
[forms.kinds.fields.source]
kind = "hidden"
options = ["website", "fair"]
"""
SAID: dict[str, Any] = {
    "name": "Ada",
    "role": "dev",
    "topics": ["metal", "tools"],
    "team": 7,
    "since": "2024-02-29",
    "partner": True,
    "source": "fair",
}
KEPT = {**SAID, "topics": "tools\nmetal", "team": "7", "partner": "yes"}
ERRORS = 'error_url = "https://www.acme.example/sign-up#form"'


@pytest.fixture
async def app(tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(
        tmp_path, new_database_url, "sqlite", more=_FIELDS.format(more="")
    ) as opened_app:
        yield opened_app


async def fields_of(app: App, **said: Any) -> list[tuple[str, str]]:
    """What a plain form posts."""
    (text,) = await app.texts("newsletter")
    fields = [("email", ADA), ("purpose", "newsletter"), ("text", text)]
    for name, value in said.items():
        each = value if isinstance(value, list) else [value]
        fields += [(f"profile.{name}", "on" if one is True else str(one)) for one in each]
    return fields


async def confirm(app: App, **corrected: Any) -> str:
    """Work the sign-up off, and confirm it; the page that was shown before."""
    (mail,) = [one for one in await app.deliver() if one.to == ADA]
    path = f"/confirm/{mail.token('confirm')}"
    page = await (await app.http.get(path)).text()
    answer = await app.http.post(path, data={"answer": "confirm", **corrected})
    assert answer.status == 200
    return page


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "plain"])
async def test_each_kind_is_kept_in_one_spelling_however_it_was_posted(
    app: App, as_json: bool
) -> None:
    sent: dict[str, Any] = {"data": await fields_of(app, **SAID)}
    if as_json:
        sent = {"json": await app.posted(profile=SAID)}

    async with app.http.post("/forms/kinds", **sent) as answer:
        assert answer.status == (202 if as_json else 200)

    (one,) = await opened(app)
    assert dict(one.profile) == KEPT


async def test_the_description_says_what_to_ask_in_the_language_of_the_form(app: App) -> None:
    described = await (await app.http.get("/forms/kinds.json?locale=de")).json()

    by_name = {one["name"]: one for one in described["fields"]}
    assert [*by_name] == ["name", "role", "topics", "team", "since", "partner", "source"]
    role = by_name["role"]
    assert (role["kind"], role["label"], role["help"]) == (
        "choice",
        "Ihre Rolle",
        "Was Sie meistens tun.",
    )
    assert role["options"][0] == {"value": "dev", "label": "Entwicklung"}
    assert (by_name["team"]["range"], by_name["since"]["range"]) == ("1 – 500", "≥ 1. Januar 1990")
    assert "words" not in described
    asked = await (await app.http.get("/forms/kinds.json?locale=de&words=1")).json()
    assert asked["words"]["submit"] == "Anmelden"


WRONG = {
    "role": "king",
    "topics": ["tools", "gold"],
    "team": "0",
    "since": "31.12.2020",
    "partner": "maybe",
    "source": "spam",
}


async def test_json_names_each_field_and_what_is_offered(app: App) -> None:
    async with app.http.post("/forms/kinds", json=await app.posted(profile=WRONG)) as answer:
        problem = await answer.json()

    assert answer.status == 422
    told = {one["pointer"]: one["detail"] for one in problem["errors"]}
    assert told == {
        "/profile/role": "must be of dev, owner",
        "/profile/topics": "must be of tools, wood, metal",
        "/profile/team": "must be 1 or more",
        "/profile/since": "must be a date, such as 2026-03-31",
        "/profile/partner": "must be true or false",
        "/profile/source": "must be of website, fair",
    }
    assert await kept(app) == 0


async def test_the_hosted_page_names_each_field_keeps_what_was_typed_and_leads_to_it(
    app: App,
) -> None:
    stamp = re.findall(r'name="stamp" value="([^"]+)"', await hosted_page(app))
    fields = [*await fields_of(app, **{**WRONG, "name": "Ada & Co"}), ("stamp", stamp[0])]

    async with app.http.post("/forms/kinds?locale=de", data=fields) as answer:
        page, url = await answer.text(), str(answer.url)

    assert answer.status == 422
    assert "Ada" not in url and "king" not in url
    assert 'role="alert" tabindex="-1" autofocus' in page
    listed = re.findall(r'<a href="#([\w-]+)"><b>([^<]+):</b> ([^<]+)</a>', page)
    assert listed == [
        ("profile-role", "Your role", "Please choose one of the answers that are offered."),
        ("profile-topics", "Topics", "Please choose one of the answers that are offered."),
        ("profile-team", "Team", "Please stay within 1 – 500."),
        ("profile-since", "Since", "Please enter a day that exists."),
        (
            "profile-partner",
            "We are a partner",
            "Please choose one of the answers that are offered.",
        ),
        ("profile-source", "Source", "Please choose one of the answers that are offered."),
    ]
    for name, _, _ in listed[:5]:
        assert f'id="{name}"' in page
    assert 'aria-describedby="profile-role-problem profile-role-help" aria-invalid="true"' in page
    assert 'name="profile.name" value="Ada &amp; Co"' in page
    assert 'name="profile.topics" value="tools" checked' in page
    assert 'name="profile.team" value="0"' in page
    assert f'value="{ADA}"' in page


async def hosted_page(app: App, query: str = "") -> str:
    async with app.http.get(f"/forms/kinds{query}") as page:
        return await page.text()


async def test_a_link_to_the_hosted_page_says_where_somebody_came_from_of_what_is_offered(
    app: App,
) -> None:
    hidden = r'<input type="hidden" name="profile.source" value="(\w+)">'

    assert re.findall(hidden, await hosted_page(app)) == ["website"]
    assert re.findall(hidden, await hosted_page(app, "?profile.source=fair")) == ["fair"]
    assert re.findall(hidden, await hosted_page(app, "?profile.source=evil")) == ["website"]
    typed = await hosted_page(app, "?profile.name=Evil&profile.role=owner")
    assert "Evil" not in typed and "selected" not in typed


async def test_error_url_gets_a_slug_for_each_field_and_nothing_that_was_typed(
    tmp_path: Path, new_database_url: Databases
) -> None:
    more = _FIELDS.format(more=ERRORS)
    async with open_app(tmp_path, new_database_url, "sqlite", more=more) as app:
        good = dict(await fields_of(app, role="dev"))

        async def slugs(**changed: str | None) -> str:
            fields = {name: value for name, value in (good | changed).items() if value is not None}
            async with app.http.post("/forms/kinds", data=fields, allow_redirects=False) as answer:
                base, _, rest = answer.headers["Location"].partition("?error=")
                assert (answer.status, base) == (303, "https://www.acme.example/sign-up")
                said, _, fragment = rest.partition("#")
                assert fragment == "form"
                return said

        assert await slugs(email="") == "email-missing"
        assert await slugs(email="ada@") == "email-invalid"
        assert await slugs(purpose=None) == "purpose-missing"
        assert await slugs(text=None) == "form-invalid"
        assert await slugs(text="sha256:" + "0" * 64) == "text-invalid"
        wrong: dict[str, str | None] = {
            "email": "ada",
            "profile.name": "A" * 201,
            "profile.role": "",
            "profile.topics": "gold",
            "profile.team": "many",
            "profile.since": "1989-12-31",
        }
        assert await slugs(**wrong) == (
            "email-invalid,profile.name-too-long,profile.role-missing,profile.topics-not-offered,"
            "profile.team-no-number,profile.since-out-of-range"
        )
        assert await kept(app) == 0


async def test_a_person_sees_and_corrects_each_kind_in_the_words_of_the_form(app: App) -> None:
    assert (await app.http.post("/forms/kinds", json=await app.posted(profile=SAID))).status == 202

    page = await confirm(app, **{"profile.role": "owner", "profile.topics": "", "profile.name": ""})

    assert '<option value="dev" selected>Development</option>' in page
    assert '<option value="fair" selected>Fair</option>' in page, "hidden is not hidden from them"
    assert 'name="profile.topics" value="metal" checked' in page
    assert 'type="date" name="profile.since" value="2024-02-29"' in page
    me = await visit(app)
    overview = await me.get("/my-data?locale=de")
    for line in ("Ihre Rolle", "Inhaberschaft", "Wir sind Partner", "Ja", "29. Februar 2024"):
        assert line in overview
    assert "Themen" not in overview and ">Ada<" not in overview

    fields = {"answer": "profile", "language": "en", "profile.team": "9", "profile.partner": ""}
    corrected = await me.post("/my-data/rectify", **fields)
    status, _ = await me.try_post("/my-data/rectify", **{**fields, "profile.role": "king"})

    assert 'name="profile.team" value="9"' in corrected
    assert "We are a partner" not in corrected
    assert status == 422
    key = await app.key()
    _, dossier = await call(
        app, key | {"Access-Reason": "test"}, "GET", f"/v1/subjects/{await app.subject()}/dossier"
    )
    assert dossier["profile"] == {
        "role": "owner",
        "team": "9",
        "since": "2024-02-29",
        "source": "fair",
    }


@pytest.mark.parametrize(
    ("wanted", "recipients"),
    [
        ({"topics": "metal"}, 1),
        ({"topics": ["wood", "tools"]}, 1),
        ({"topics": "wood"}, 0),
        ({"role": "dev", "team": "7.0"}, 1),
        ({"partner": "yes", "source": ["website", "fair"]}, 1),
        ({"since": "2024-03-01"}, 0),
    ],
    ids=str,
)
async def test_a_campaign_chooses_by_them(
    app: App, wanted: dict[str, Any], recipients: int
) -> None:
    assert (await app.http.post("/forms/kinds", json=await app.posted(profile=SAID))).status == 202
    await confirm(app)
    app.step(timedelta(seconds=1))

    status, counted = await dry_run(app, wanted)

    assert (status, counted["recipients"]) == (200, recipients)


async def dry_run(app: App, wanted: dict[str, Any]) -> tuple[int, Any]:
    order = {
        "purpose": "newsletter",
        "content": {"subject": "News", "text": "Hello."},
        "audience": {"profile": wanted},
        "dry_run": True,
    }
    return await call(app, await app.key(), "POST", "/v1/campaigns", order)


@pytest.mark.parametrize(
    ("field", "answer", "told"),
    [
        ("role", "king", "must be of dev, owner"),
        ("topics", ["tools", "gold"], "must be of tools, wood, metal"),
        ("team", "many", "must be a number, such as 12 or 1.5"),
        ("partner", "no", "must name an answer: who gave none cannot be named"),
    ],
)
async def test_a_campaign_for_an_answer_that_nobody_can_give_is_refused_by_name(
    app: App, field: str, answer: Any, told: str
) -> None:
    status, problem = await dry_run(app, {field: answer})

    assert status == 422
    assert problem["errors"] == [{"pointer": f"/audience/profile/{field}", "detail": told}]


async def test_the_snippet_asks_for_each_kind_without_a_script(app: App) -> None:
    snippet = embedding.snippet(app.parts.config, "kinds", "de")

    for part in (
        '<select name="profile.role" required><option value="">Bitte wählen</option>',
        '<option value="dev">Entwicklung</option>',
        "<small>Was Sie meistens tun.</small>",
        "<legend>Themen</legend>",
        '<input type="checkbox" name="profile.topics" value="tools"> Werkzeuge',
        '<input name="profile.team" type="number" min="1" max="500" step="1">',
        '<input name="profile.since" type="date" min="1990-01-01">',
        '<input type="checkbox" name="profile.partner" value="yes"> Wir sind Partner',
        '<input type="hidden" name="profile.source" value="website"> <!-- or: website, fair -->',
    ):
        assert part in snippet
