"""`gateway texts ask-again` killed in the middle, and done again: each person is asked once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from consent import tables
from consent.sign_ups import RE_PERMISSION
from gateway.config import config
from gateway.process import initialise
from storage.clock import DatabaseClock
from storage.database import Database
from tests.support.apps import App, start_app

_HERE = Path(__file__).parents[2]
PEOPLE = [f"p{number}@example.org" for number in range(130)]
WORDING = 'en = "Yes, send me the Acme newsletter with product news and offers by email'
OTHER = 'en = "Yes, send me the offers of your 340 partners by email'


def command(file: Path, text: str) -> subprocess.Popen[bytes]:
    asking = ("texts", "ask-again", text, "--yes", "--per-hour", "1000000")
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "--config", str(file), *asking],
        cwd=_HERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def subscribe(app: App) -> str:
    (text,) = await app.texts("newsletter", form="newsletter")
    for email in PEOPLE:
        body = {"email": email, "purposes": ["newsletter"], "texts": [text]}
        assert (await app.http.post("/forms/newsletter", json=body)).status == 202
    for mail in await app.deliver():
        path = f"/confirm/{mail.token('confirm')}"
        assert (await app.http.post(path, data={"answer": "confirm"})).status == 200
    return text


async def asked(data: Database) -> int:
    query = select(func.count()).where(tables.consent.c.form == RE_PERMISSION)
    async with data.read() as connection:
        return int((await connection.execute(query)).scalar_one())


@pytest.mark.long
async def test_nobody_is_asked_twice_and_nobody_left_out_by_whoever_is_killed_meanwhile(
    dialect: str, new_database_url: Callable[[str], str], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    raw = config.embedded_default().replace("http://localhost:8080", "http://gateway.example")
    raw = raw.replace("[limits]\nenabled = true", "[limits]\nenabled = false")
    for name in ("gateway", "keystore"):
        raw = raw.replace(f"sqlite:///var/{name}.db", new_database_url(dialect))
    file.write_text(raw)
    await initialise.initialise(config.load(file), DatabaseClock())
    async with start_app(config.load(file), DatabaseClock()) as app:
        text = await subscribe(app)
    assert raw.count(WORDING) == 1
    file.write_text(raw.replace(WORDING, OTHER))
    seen = []
    async with start_app(config.load(file), DatabaseClock()) as app:
        for _ in range(2):
            seen.append(await killed_in_the_middle(app.parts.data, file, text))
        last = command(file, text)
        _, said = await asyncio.to_thread(last.communicate)
        mails = Counter(mail.to for mail in await app.send_due())

    assert last.returncode == 0, said
    assert 0 < seen[0] < len(PEOPLE), "it was not killed in the middle"
    assert mails == dict.fromkeys(PEOPLE, 1)


async def killed_in_the_middle(data: Database, file: Path, text: str) -> int:
    """How many were asked when the command was killed, after it asked somebody."""
    before = await asked(data)
    process = command(file, text)
    async with asyncio.timeout(60):
        while await asked(data) == before and process.poll() is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    process.kill()
    await asyncio.to_thread(process.communicate)
    return await asked(data)
