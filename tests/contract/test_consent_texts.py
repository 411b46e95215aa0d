"""The registry of wordings, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta

import pytest
import rfc8785

from consent import tables, texts
from consent.errors import TextError
from consent.texts import Notice, PublishedNotice, Retirement, notice_of
from storage.database import Database
from tests.support.clock import START as NOW

LATER = NOW + timedelta(days=1)
NOTICE = notice_of("en", "# Privacy\n")


def wording(purpose: str, locale: str = "en", text: str = "Yes.") -> bytes:
    return rfc8785.dumps({"purpose": purpose, "locale": locale, "text": text})


def name(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


NEWS, NACHRICHTEN, OFFERS = wording("news"), wording("news", "de", "Ja."), wording("offers")


@pytest.fixture(autouse=True)
async def schema(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)


async def publish(database: Database, *bundles: bytes, notice: Notice = NOTICE) -> list[str]:
    async with database.begin() as connection:
        return await texts.publish(connection, bundles, [notice], NOW)


async def valid(database: Database) -> dict[str, texts.Text]:
    async with database.read() as connection:
        return await texts.valid(connection)


async def retire(database: Database, text: bytes) -> Retirement:
    async with database.begin() as connection:
        return await texts.retire(connection, name(text), LATER)


async def test_what_is_published_is_new_once(database: Database) -> None:
    assert await publish(database, NEWS, OFFERS) == sorted([name(NEWS), name(OFFERS)])
    assert await publish(database, OFFERS, NEWS) == []


async def test_a_published_text_is_valid_and_comes_back_whole(database: Database) -> None:
    await publish(database, NACHRICHTEN)

    found = (await valid(database))[name(NACHRICHTEN)]

    assert (found.purpose, found.locale, found.current) == ("news", "de", True)
    assert found.bundle == {"purpose": "news", "locale": "de", "text": "Ja."}
    assert (found.published_at, found.retired_at) == (NOW, None)


async def test_a_text_that_is_current_no_longer_stays_valid(database: Database) -> None:
    await publish(database, NEWS)
    newer = wording("news", text="Yes, please.")

    assert await publish(database, newer) == [name(newer)]

    states = {key: text.current for key, text in (await valid(database)).items()}
    assert states == {name(NEWS): False, name(newer): True}


async def test_going_back_to_an_earlier_text_publishes_nothing_new(database: Database) -> None:
    await publish(database, NEWS)
    await publish(database, OFFERS)

    assert await publish(database, NEWS) == []
    assert {k for k, t in (await valid(database)).items() if t.current} == {name(NEWS)}


async def test_a_retired_text_is_valid_no_more_but_can_still_be_shown(database: Database) -> None:
    await publish(database, NEWS)
    await publish(database, OFFERS)

    assert await retire(database, NEWS) is Retirement.RETIRED

    assert set(await valid(database)) == {name(OFFERS)}
    async with database.read() as connection:
        shown = await texts.get(connection, [name(NEWS)])
        listed = await texts.list_texts(connection)
    assert shown[name(NEWS)].retired_at == LATER
    assert [text.hash for text in listed] == [name(NEWS), name(OFFERS)]


async def test_retiring_again_keeps_the_first_date(database: Database) -> None:
    await publish(database, NEWS)
    await publish(database, OFFERS)
    await retire(database, NEWS)
    async with database.begin() as connection:
        again = await texts.retire(connection, name(NEWS), LATER + timedelta(days=1))
        shown = await texts.get(connection, [name(NEWS)])

    assert again is Retirement.RETIRED
    assert shown[name(NEWS)].retired_at == LATER


async def test_a_text_that_pages_still_show_is_not_retired(database: Database) -> None:
    await publish(database, NEWS)

    assert await retire(database, NEWS) is Retirement.STILL_CURRENT
    assert await retire(database, OFFERS) is Retirement.NOT_FOUND
    assert set(await valid(database)) == {name(NEWS)}


async def test_a_retired_text_in_the_configuration_again_is_new_again(database: Database) -> None:
    await publish(database, NEWS)
    await publish(database, OFFERS)
    await retire(database, NEWS)

    assert await publish(database, NEWS, OFFERS) == [name(NEWS)]
    assert (await valid(database))[name(NEWS)].current


async def test_publishing_nothing_leaves_every_text_valid(database: Database) -> None:
    await publish(database, NEWS)
    async with database.begin() as connection:
        assert await texts.publish(connection, [], [], NOW) == []

    assert not (await valid(database))[name(NEWS)].current


async def test_nodes_that_start_together_publish_each_text_once(database: Database) -> None:
    every = (NEWS, NACHRICHTEN, OFFERS)

    new = await asyncio.gather(*(publish(database, *every) for _ in range(4)))

    assert sorted(one for found in new for one in found) == sorted(name(raw) for raw in every)


async def test_a_start_that_fails_publishes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.begin() as connection:
            await texts.publish(connection, [NEWS], [NOTICE], NOW)
            raise ZeroDivisionError

    assert await valid(database) == {}


async def test_a_notice_is_found_by_its_hash_for_ever(database: Database) -> None:
    await publish(database, NEWS)
    await publish(database, NEWS, notice=notice_of("en", "# Another\n"))

    async with database.read() as connection:
        found = await texts.notice(connection, NOTICE.hash)
        assert await texts.notice(connection, "sha256:none") is None
    assert found == PublishedNotice(NOTICE.hash, "en", NOTICE.body, NOW)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"purpose": "news","locale":"en"}', id="a space"),
        pytest.param(b'{"purpose":"news","locale":"en"}', id="keys unsorted"),
        pytest.param(b'{"locale":"en"}', id="no purpose"),
        pytest.param(b'{"locale":"en","purpose":1}', id="a purpose that is no text"),
        pytest.param(b'["purpose","locale"]', id="a list"),
        pytest.param(b'{"a":NaN,"locale":"en","purpose":"news"}', id="not a number"),
        pytest.param(b"\xff", id="no text at all"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
async def test_bytes_that_are_not_canonical_are_refused(database: Database, raw: bytes) -> None:
    with pytest.raises(TextError):
        await publish(database, raw)
