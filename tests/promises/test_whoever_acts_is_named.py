"""What somebody does for a person names who did it, in the event of what was done itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from audit import trail
from audit.kinds import Kind
from gateway.callers.api_keys import Scope
from tests.http.test_dpo import WHY, enter_all, id_of, sit
from tests.http.test_people_rights import sound
from tests.support.apps import ADA, App, open_app
from tests.support.calls import call
from tests.support.databases import Databases

BOB = "bob@example.org"
_WITHDRAWN, _OBJECTED = Kind.CONSENT_WITHDRAWN, Kind.CONSENT_OBJECTED
_STARTED = Kind.SUBJECT_ERASURE_STARTED
_ACTS = (_WITHDRAWN, _OBJECTED, _STARTED)
_DONE = (*_ACTS, Kind.SUBJECT_RESTRICTED, Kind.SUBJECT_UNRESTRICTED)


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        yield opened


async def _named(app: App, kinds: Collection[Kind], by: str) -> dict[Kind, set[str | None]]:
    """Who each event of these kinds names."""
    await app.tick()
    async with app.parts.data.read() as connection:
        entries = await trail.happenings(connection, app.parts.log.macs, kinds)
    found: dict[Kind, set[str | None]] = {}
    for one in entries:
        found.setdefault(Kind(one.kind), set()).add(one.refs.get(by))
    return found


async def test_what_an_operator_does_at_the_desk_names_them(app: App) -> None:
    await enter_all(app)
    for email in (ADA, BOB):
        await app.subscribe(email)
    sitting = await sit(app)
    ada, bob = await app.subject() or "", await app.subject(BOB) or ""
    acts = [(ada, "restrict"), (ada, "unrestrict"), (ada, "object"), (bob, "withdraw")]
    for subject, act in [*acts, (ada, "erase"), (bob, "erase")]:
        facts = {"subject": subject, "why": WHY, "act": act, "purpose": "newsletter"}
        answer = await sitting.post("/dpo/act", **facts, channel="phone", sure="yes")
        assert answer.status == 200

    named = await _named(app, _DONE, "operator")
    operator = await id_of(app)
    assert named == {kind: {operator} for kind in _DONE}
    assert await sound(app) == []


async def test_what_a_program_passes_on_names_its_key(app: App) -> None:
    key = await app.key(Scope.CONSENTS_WITHDRAW, Scope.SUBJECTS_MANAGE)
    for email in (ADA, BOB):
        await app.subscribe(email)
    for email, kind in ((ADA, "withdraw"), (BOB, "object")):
        said = {"to": {"email": email}, "all": True, "kind": kind, "channel": "phone"}
        assert (await call(app, key, "POST", "/v1/withdrawals", said))[0] == 200
    assert (await call(app, key, "POST", "/v1/erasures", {"email": ADA}))[0] == 202

    named = await _named(app, _ACTS, "api_key")
    assert named.keys() == set(_ACTS)
    (caller,) = set.union(*named.values())
    assert caller is not None and caller.startswith("key_")
    assert await sound(app) == []
