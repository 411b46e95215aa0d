"""A key that is bound to senders or purposes is nobody's who answers for all of them."""

from __future__ import annotations

import re

import pytest

from gateway.callers.api_keys import UNBOUND, Scope
from gateway.http.endpoints import Endpoint
from gateway.process import routes
from tests.support.apps import App

CHECKPOINT, CAMPAIGNS = "/v1/audit/checkpoint", "/v1/campaigns"
_ID = re.compile(r"\{id:([a-z]+_)\[[^]]*\]\{[^}]*\}\}")
ROWS = [row for row in routes.API if row.scope in UNBOUND and row.path != CHECKPOINT]


@pytest.mark.parametrize("bound", [{"purposes": ["newsletter"]}, {"senders": ["acme"]}])
async def test_what_officers_and_auditors_ask_refuses_it(
    app: App, bound: dict[str, list[str]]
) -> None:
    key = await app.key(*Scope, **bound)

    answers = {(row.method, row.path): await asked(app, key, row) for row in ROWS}

    assert len(answers) > 15
    assert set(answers.values()) == {(403, "/problems/outside-key")}, answers


async def test_the_log_grew_for_others_too_so_it_sees_what_strangers_see(app: App) -> None:
    free, bound = await app.key(*Scope), await app.key(*Scope, purposes=["newsletter"])
    await app.sign_up()
    await app.tick()

    shown = [await checkpoint(app, key) for key in (free, bound, None)]

    assert shown[0] != shown[1] == shown[2]


@pytest.mark.parametrize("bound", [{"purposes": ["newsletter"]}, {"senders": ["acme"]}])
async def test_where_its_campaigns_go_on_it_sees_none_of_others(
    app: App, bound: dict[str, list[str]]
) -> None:
    """The id of another's says that there is one, and to the millisecond since when."""
    free = await app.key(Scope.CAMPAIGNS_SEND)
    key = await app.key(Scope.CAMPAIGNS_SEND, **bound)
    made = [await campaign(app, free, one) for one in ("newsletter", "elsewhere") * 4]
    ours = sorted(made[::2])  # of one moment: their order is that of their names

    seen, after = [], ""
    for _ in made:
        async with app.http.get(f"{CAMPAIGNS}?limit=1{after}", headers=key) as answer:
            said = await answer.json()
        seen.append(([one["campaign_id"] for one in said["campaigns"]], said["next"]))
        if said["next"] is None:
            break
        after = f"&after={said['next']}"

    assert seen == [*(([one], one) for one in ours[:-1]), (ours[-1:], None)]


async def campaign(app: App, key: dict[str, str], purpose: str) -> str:
    said = {"purpose": purpose, "content": {"subject": "June", "text": "Hello."}}
    async with app.http.post(CAMPAIGNS, json=said, headers=key) as answer:
        assert answer.status == 202
        return str((await answer.json())["campaign_id"])


async def asked(app: App, key: dict[str, str], row: Endpoint) -> tuple[int, str]:
    path = _ID.sub(rf"\g<1>{'0' * 26}", row.path)
    headers = {**key, "Access-Reason": "complaint 2026-14"}
    body = row.example if isinstance(row.example, dict) else {}
    async with app.http.request(row.method, path, headers=headers, json=body) as answer:
        said = await answer.json()
        return answer.status, str(said.get("type"))


async def checkpoint(app: App, key: dict[str, str] | None) -> str:
    async with app.http.get(CHECKPOINT, headers=key or {}) as answer:
        assert answer.status == 200
        return await answer.text()
