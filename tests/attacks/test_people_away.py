"""By SQL: a person is away while somebody speaks for them by their address, or by their id."""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import pytest

from tests.attacks.test_hidden_rows import final, mailed
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import ADA, App
from tests.support.hostile import by_sql

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])  # where foreign keys hold nobody


@pytest.mark.parametrize("said", ["withdraw", "object"])
async def test_whose_row_was_away_while_they_left_by_their_address_is_mailed_nothing_quietly(
    app: App, dialect: str, said: str
) -> None:
    await mailed(app)
    ada = await app.subject(ADA)
    await by_sql(
        app,
        f"CREATE TABLE away AS SELECT * FROM subject WHERE id = '{ada}'",
        f"DELETE FROM subject WHERE id = '{ada}'",
    )

    body = {"to": {"email": ADA}, "purpose": "newsletter", "kind": said, "channel": "phone"}
    answer = await app.http.post("/v1/withdrawals", json=body, headers=await app.key())

    await by_sql(app, "INSERT INTO subject SELECT * FROM away", "DROP TABLE away")
    await final(app, answer.status)


@pytest.mark.parametrize("by", ["email", "subject_id"])
async def test_whose_row_is_away_is_not_said_to_be_nobody(app: App, dialect: str, by: str) -> None:
    """ADR 0024: where the person's own row is away, the answer is 503."""
    await mailed(app)
    ada = await app.subject(ADA)
    assert ada is not None
    await by_sql(app, f"DELETE FROM subject WHERE id = '{ada}'")

    status, _ = await erase(app, **{by: ada if by == "subject_id" else ADA})

    assert status == 503
