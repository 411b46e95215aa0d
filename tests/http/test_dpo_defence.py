"""A mail is dropped at the desk: answered on a page or as a file, and told before."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, FormData

from audit.kinds import Actor
from delivery import handed_in
from tests.http.test_dpo import ADMIN, WHY, Sitting, enter_all, looks, sit
from tests.support.apps import App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.stores import dump


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        await opened.subscribe()
        yield opened


async def ours(app: App) -> bytes:
    """A mail that went out on a consent."""
    await queue(app, text="Twelve lines.", html="<p>Twelve lines.</p>")
    (mail,) = await app.deliver()
    await app.tick()
    return mail.raw


async def drop(
    sitting: Sitting, raw: bytes, csrf: str | None = None, **said: str
) -> ClientResponse:
    found = re.search(r'name="csrf" value="([^"]+)"', await sitting.start())
    form = FormData({"csrf": csrf or (found[1] if found else ""), **said})
    form.add_field("mail", io.BytesIO(raw), filename="mail.eml", content_type="message/rfc822")
    headers = sitting.headers
    return await sitting.app.http.post(
        "/dpo/defence", data=form, headers=headers, allow_redirects=False
    )


async def test_a_mail_of_ours_is_answered_and_told_with_operator_and_reason(app: App) -> None:
    sitting, raw = await sit(app), await ours(app)

    answer = await drop(sitting, raw, why=WHY)
    text = await answer.text()

    assert answer.status == 200
    assert "This mail is ours" in text and "The mail went to the address" in text
    assert "What allowed it" in text and "A confirmed consent (con_" in text
    assert await app.subject() in text
    ((actor, said),) = await looks(app)
    assert (actor, said["why"], said["operator"]) == (Actor.OPERATOR, WHY, "privacy-1")


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF"), ("zip", b"PK")])
async def test_the_answer_is_had_as_a_file(app: App, form: str, begins: bytes) -> None:
    sitting, raw = await sit(app), await ours(app)

    answer = await drop(sitting, raw, why=WHY, format=form)

    assert (answer.status, (await answer.read())[: len(begins)]) == (200, begins)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="defence.{form}"'


async def test_a_mail_that_is_not_ours_opens_nobody(app: App) -> None:
    sitting = await sit(app)

    answer = await drop(sitting, b"From: x@y.example\r\nSubject: Hi\r\n\r\nHello.\r\n", why=WHY)

    assert "Nothing in this mail names a domain that we send from" in await answer.text()
    assert await looks(app) == []


async def test_without_a_reason_a_file_or_the_form_nothing_is_answered(app: App) -> None:
    sitting, raw = await sit(app), await ours(app)

    answers = [
        await drop(sitting, raw, why=" "),
        await drop(sitting, b"", why=WHY),
        await drop(sitting, raw, csrf="forged", why=WHY),
        await drop(await sit(app, ADMIN), raw, why=WHY),
        await drop(Sitting(app, "dpo=none"), raw, why=WHY),
    ]

    assert [one.status for one in answers] == [422, 422, 403, 403, 303]
    assert await looks(app) == []


async def test_what_is_too_large_is_not_read_and_nothing_is_kept(app: App) -> None:
    sitting, raw = await sit(app), await ours(app)

    large = await drop(sitting, b"x" * (handed_in.MOST + 65 * 1024), why=WHY)
    await drop(sitting, raw, why="reason-that-nobody-finds")

    assert large.status == 413
    kept = repr(await dump(app.parts.data))
    assert "Twelve lines" not in kept and "reason-that-nobody" not in kept
