"""Own templates by the API: misspelt data, versions that stay, and what recipients would suffer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from consent.shown_tables import specimen
from delivery import template_files
from gateway.callers.api_keys import Scope
from gateway.config.config import OwnTemplates
from gateway.flows.proving import registry
from tests.support.apps import App, open_app, start_app
from tests.support.calls import GRACE, call, message
from tests.support.campaigns import expand
from tests.support.databases import Databases
from tests.support.house import ROOT

MORE = '[templates]\ndirectory = "own"\n'
FILES = {"subject.txt": "News", "body.html": "<p>First for {{ first_name }}</p>"}


def put(directory: Path, name: str = "mail", **files: str) -> None:
    folder = directory / "own" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, held in (FILES | files).items():
        (folder / file).write_text(held)


@pytest.fixture
async def owning(
    dialect: str, tmp_path: Path, new_database_url: Databases, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[App]:
    """A gateway whose operator has a template `mail`."""
    monkeypatch.setattr(template_files, "SETTLED", 0.0)
    put(tmp_path)
    async with open_app(tmp_path, new_database_url, dialect, more=MORE) as app:
        yield app


def using(name: str = "mail", **data: Any) -> dict[str, Any]:
    return message(content={"template": name, "data": data})


async def told(app: App, body: dict[str, Any]) -> list[tuple[str, str]]:
    key = await app.key(Scope.MESSAGES_SEND)
    status, said = await call(app, key, "POST", "/v1/messages", body)
    assert status == 422
    return [(one["pointer"], one["detail"]) for one in said["errors"]]


async def test_what_was_accepted_keeps_its_version_whatever_becomes_of_the_directory(
    owning: App, tmp_path: Path
) -> None:
    key = await owning.key(Scope.MESSAGES_SEND)
    await owning.subscribe()
    await call(owning, key, "POST", "/v1/messages", using(first_name="Ada"))
    put(tmp_path, **{"body.html": "<p>Second for {{ first_name }}</p>"})
    await call(owning, key, "POST", "/v1/messages", using(first_name="Ada"))
    put(tmp_path, **{"body.html": "<p>{% if"})
    await call(owning, key, "POST", "/v1/messages", using(first_name="Grace"))

    # Another process, on a machine where there is no such directory.
    elsewhere = owning.parts.config.model_copy(update={"templates": OwnTemplates()})
    async with start_app(elsewhere, owning.parts.clock) as other:
        mails = await other.deliver()

    words = sorted(mail.raw.decode().partition("mail-card")[2] for mail in mails)
    assert [one.partition("<p>")[2].partition("</p>")[0] for one in words] == [
        "First for Ada",
        "Second for Ada",
        "Second for Grace",
    ]


async def test_a_campaign_goes_out_in_the_version_that_it_was_made_with(
    owning: App, tmp_path: Path
) -> None:
    key = await owning.key(Scope.CAMPAIGNS_SEND)
    await owning.subscribe()
    owning.step(timedelta(seconds=1))  # who confirmed before it was asked for gets it
    order = {"purpose": "newsletter", "content": using(first_name="you")["content"]}
    status, _ = await call(owning, key, "POST", "/v1/campaigns", order)
    assert status == 202
    put(tmp_path, **{"body.html": "<p>Second</p>"})
    owning.parts.templates._versions.clear()  # as after a restart

    await expand(owning.parts)
    (mail,) = await owning.deliver()

    assert b"First for you" in mail.raw
    assert b"/unsubscribe/" in mail.raw


async def test_data_that_is_misspelt_missing_or_none_is_told_by_its_place(
    owning: App, tmp_path: Path
) -> None:
    body = "{{ order.total }}{% for x in xs %}{{ x.y }}{% endfor %}"
    put(tmp_path, "order", **{"body.html": body})
    unread = "is nothing that the template asks for"
    good = {"order": {"total": 1}, "xs": [{"y": "y"}]}

    assert await told(owning, using(first_nme="Ada")) == [
        ("/content/data/first_nme", f"{unread}: did you mean first_name?")
    ]
    assert await told(owning, using("welcome", first_nme="Ada")) == [
        ("/content/data/first_nme", f"{unread}: did you mean first_name?")
    ]
    assert await told(owning, using(**{"first_name": "Ada", "a b\n": 1})) == [
        ("/content/data", unread)
    ]
    assert await told(owning, using()) == [("/content/data/first_name", "is required")]
    assert await told(owning, using("order", **good | {"order": {"totl": 1}})) == [
        ("/content/data/order/totl", f"{unread}: did you mean total?")
    ]
    assert await told(owning, using("order", **good | {"order": {}})) == [
        ("/content/data/order/total", "is required")
    ]
    assert await told(owning, using("order", **good | {"xs": [{}]})) == [
        ("/content/data", "lacks y where body.html:1 asks for it")
    ]


async def test_batches_and_campaigns_are_told_the_same(owning: App) -> None:
    key = await owning.key(Scope.MESSAGES_SEND, Scope.CAMPAIGNS_SEND)
    wrong = using(first_nme="Ada")
    order = {"purpose": "newsletter", "content": wrong["content"], "dry_run": True}

    _, batch = await call(owning, key, "POST", "/v1/messages/batch", {"messages": [wrong]})
    status, campaign = await call(owning, key, "POST", "/v1/campaigns", order)

    assert batch["results"][0]["errors"][0]["pointer"] == "/content/data/first_nme"
    assert (status, campaign["errors"][0]["pointer"]) == (422, "/content/data/first_nme")


async def test_a_template_that_was_never_sound_is_told_with_file_and_line(
    owning: App, tmp_path: Path
) -> None:
    put(tmp_path, "broken", **{"body.html": "one\n{{ ''.__class__ }}"})

    assert await told(owning, using("broken")) == [
        ("/content/template", "body.html:2 asks for an attribute; values have none but their keys")
    ]
    assert await told(owning, using("nowhere")) == [
        (
            "/content/template",
            "does not exist: give welcome, which is the gateway's, or one of your own, which"
            " `gateway template list` names once [templates] directory is set, or subject with"
            " html or text",
        )
    ]


HTML = (
    "<html><p>Hello {{ name }}<img src='https://x.example/a.png'>"
    "<img width=1 height=1 src='https://t.example/o.gif'></html>"
)


async def test_what_recipients_would_suffer_from_is_in_each_answer(owning: App) -> None:
    key = await owning.key(Scope.MESSAGES_SEND, Scope.CAMPAIGNS_SEND)
    await owning.subscribe()
    said = {"subject": "Re: News", "html": HTML, "text": "Hello"}
    order = {"purpose": "newsletter", "content": said}

    status, one = await call(owning, key, "POST", "/v1/messages", message(content=said))
    _, batch = await call(
        owning, key, "POST", "/v1/messages/batch", {"messages": [message(content=said)] * 2}
    )
    _, dry = await call(owning, key, "POST", "/v1/campaigns", order | {"dry_run": True})
    _, made = await call(owning, key, "POST", "/v1/campaigns", order)
    _, plain = await call(owning, key, "POST", "/v1/messages", message())

    assert status == 202
    assert [(w["code"], w["pointer"]) for w in one["warnings"]] == [
        ("pretends_to_answer", "/content/subject"),
        ("left_over", "/content/html"),
        ("images_taken_out", "/content/html"),
        ("images_without_alt", "/content/html"),
        ("no_language", "/content/html"),
    ]
    assert one["warnings"][2]["detail"].startswith("image 2, which nobody would see, taken out")
    assert "t.example" not in json.dumps(one)
    for other in (*batch["results"], dry, made):
        assert other["warnings"] == one["warnings"]
    assert "warnings" not in plain


async def test_a_repetition_gets_the_same_warnings(owning: App) -> None:
    key = await owning.key(Scope.MESSAGES_SEND)
    await owning.subscribe()
    body = message(content={"subject": "Re: News", "text": "Hello"})

    first = await call(owning, key, "POST", "/v1/messages", body, Idempotency_Key="one")
    again = await call(owning, key, "POST", "/v1/messages", body, Idempotency_Key="one")

    assert first == again
    assert len(first[1]["warnings"]) == 1


@pytest.mark.parametrize("how", ["other words", "deleted", "another template"])
async def test_a_version_that_somebody_altered_by_sql_is_not_sent(
    owning: App, tmp_path: Path, how: str
) -> None:
    key = await owning.key(Scope.MESSAGES_SEND)
    await owning.subscribe()
    put(tmp_path, "evil", **{"body.html": "<p>Buy {{ first_name }}</p>"})
    await call(owning, key, "POST", "/v1/messages", using("evil", first_name="x"))
    await owning.deliver()
    _, queued = await call(owning, key, "POST", "/v1/messages", using(first_name="Ada"))
    owning.parts.templates._versions.clear()
    async with owning.parts.data.begin() as connection:
        rows = (await connection.execute(specimen.select())).all()
        bodies = {b"evil" in row.body: row for row in rows if row.what == "template"}
        this = specimen.c.hash == bodies[False].hash
        lie = bodies[False].body.replace(b"First", b"Fraud")
        lie = bodies[True].body if how == "another template" else lie
        change = update(specimen).values(body=lie) if how != "deleted" else delete(specimen)
        await connection.execute(change.where(this))

    mails = await owning.deliver()

    _, seen = await call(owning, key, "GET", f"/v1/messages/{queued['message_id']}")
    assert (mails, seen["status"]) == ([], "failed")
    found = [doubt async for doubt in registry.doubts(owning.parts.data, owning.parts.log)]
    assert any("specimen" in one for one in found) == (how != "deleted")
    # Whoever hands in the next one puts it back.
    await call(owning, key, "POST", "/v1/messages", using(first_name="Ada"))
    assert [b"First for Ada" in mail.raw for mail in await owning.deliver()] == [True]


async def test_nothing_is_kept_of_a_template_whose_message_was_refused(owning: App) -> None:
    key = await owning.key(Scope.MESSAGES_SEND)
    status, _ = await call(
        owning, key, "POST", "/v1/messages", using(first_name="Ada") | {"to": {"email": GRACE}}
    )

    assert status == 403
    async with owning.parts.data.read() as connection:
        kept = (await connection.execute(specimen.select())).all()
    assert [row for row in kept if row.what == "template"] == []


async def test_the_example_of_the_documents_can_be_sent(owning: App, tmp_path: Path) -> None:
    example = ROOT / "docs" / "templates"
    (folder := tmp_path / "own" / "new-collection").mkdir()
    for file in (example / "new-collection").iterdir():
        (folder / file.name).write_text(file.read_text())
    data = json.loads((example / "new-collection.json").read_text())
    key = await owning.key(Scope.MESSAGES_SEND)
    await owning.subscribe()

    status, said = await call(owning, key, "POST", "/v1/messages", using("new-collection", **data))
    (mail,) = await owning.deliver()

    assert (status, "warnings" in said) == (202, False)
    assert b"Subject: Autumn at home: 2 new pieces" in mail.raw
    assert b"mail-card" in mail.raw
