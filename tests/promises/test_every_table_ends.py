"""Promise 12 for every table, also such as are added later: by a rule, and told to people.

`test_nothing_is_kept_longer.py` looks at each rule; here no table may be forgotten.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from consent.feed import News
from gateway.look.claims import CLAIMS
from gateway.process import duties
from gateway.schema.database_schema import SCHEMAS
from tests.support import lived as living
from tests.support import stores
from tests.support.apps import App, open_app, staff_of
from tests.support.calls import call
from tests.support.databases import Databases
from tests.support.house import ROOT
from tests.support.receivers import SECRET, section

YEAR = timedelta(days=365)
TABLES = {t.name for schema in SCHEMAS.values() for m in schema.tables for t in m.sorted_tables}

# About nobody, or about nobody who could be told.
# Of these only a log of 256 entries, a night, or a witness has any.
_NOT_LIVED = {"audit_node", "audit_verified", "audit_cosignature"}
_FOR_EVER = {
    "api_key": "callers, until the operator revokes them",
    "audit_checkpoint": "hashes",
    "audit_entry": "entries name nobody",
    "audit_guard": "one row",
    "audit_verified": "three rows: of each kind of verification the last",
    "audit_cosignature": "what others said of public checkpoints: nobody's data",
    "audit_item": "commitments; whose they were goes",
    "audit_node": "hashes",
    "audit_state": "one row",
    "consent_text": "wordings",
    "erasure_ledger": "random ids: what a restore must not bring back",
    "kek_epoch": "which keys there were",
    "live_key": "which keys there are",
    "operator": "random ids and roles; who they were goes",
    "set_key": "which keys there were",
    "verified_backup": "the newest ten: numbers of keys",
    "privacy_notice": "notices",
    "specimen": "what everybody was shown, or sent alike",
}
_SOON = {
    "audit_pending": "until it has an index",
    "idempotency": "a day",
    "intake_key": "an hour",
    "limit_key": "two weeks",
    "node": "a day after its process was seen last",
    "parked": "two days: ids",
    "rate_limit": "a day: keyed hashes",
    "spent_stamp": "a day: hashes of random numbers",
    "worker": "a lease",
}
_ALWAYS = {"taking_away": 1}  # the row that says up to when it was let go of
# What is about people: by which words the table in docs/operations.md has it, and which claims of
# the privacy notice tell how long it is kept.
TOLD: dict[str, tuple[str, tuple[str, ...]]] = {
    "address_link": ("that another address was asked for, or a stop lifted", ("address_kept",)),
    "attempt": ("what became of a message", ("outcomes_kept",)),
    "audit_payload": ("proof of a consent, after its end", ("proof_kept", "proof_ends")),
    "campaign": ("what a campaign said, and whom it was for", ("outcomes_kept",)),
    "campaign_count": ("what a campaign said, and whom it was for", ("outcomes_kept",)),
    "change": ("what happened to somebody, for whoever is told", ("takings_kept",)),
    "confirmation": ("sign-ups that were never confirmed", ("unconfirmed_kept",)),
    "confirmation_consent": ("sign-ups that were never confirmed", ("unconfirmed_kept",)),
    "confirmation_count": ("how often, from which networks", ("network_kept",)),
    "consent": ("proof of a consent, after its end", ("proof_kept", "unconfirmed_kept")),
    "content": ("content of messages, after their end", ("bodies_kept",)),
    "content_key": ("content of messages, after their end", ("bodies_kept",)),
    "desk_export": ("what the desk had made a file", ()),
    "desk_export_piece": ("what the desk had made a file", ()),
    "dek": ("the person's keys are destroyed with the last of it", ("own_keys",)),
    "erasure": ("that somebody asked to be erased", ("requests_kept",)),
    "external_id": ("what a back end calls a person", ("called_kept",)),
    "fresh_link": ("that a confirmation mail, a fresh link", ("service_mails_kept",)),
    "handle": ("the links of a person's mails", ("own_keys",)),
    "hold": ("that a dispute needs somebody's proof", ("proof_held",)),
    "intake": ("acknowledged sign-ups before they are worked off", ("unconfirmed_kept",)),
    "mark": ("that an address was left", ("blocks_kept",)),
    "operator_link": ("a link to the desk, and a session there", ()),
    "operator_session": ("a link to the desk, and a session there", ()),
    "outbox": ("what became of a message", ("outcomes_kept",)),
    "own_session": ("a session on their own pages", ("cookie",)),
    "pace": ("a pause, or how far apart mails are wanted", ("address_kept",)),
    "permit": ("what became of a message", ("outcomes_kept",)),
    "rights_request": ("what else somebody asked for by right", ("rights_kept",)),
    "service_mail": ("that a confirmation mail, a fresh link", ("service_mails_kept",)),
    "session": ("a session on their own pages", ("cookie",)),
    "subject": ("what proves the consents of who was erased", ("address_kept", "locked")),
    "subject_index": ("what a person is found by", ("address_kept", "erasure")),
    "suppression": ("a keyed checksum of the mailbox", ("blocks_kept",)),
    "taking_away": ("who took what back, by random ids alone", ("takings_kept",)),
    "taking_away_due": ("who took what back, by random ids alone", ("takings_kept",)),
    "telling": ("that Art. 19 was met", ("rights_kept", "requests_kept")),
}


def test_every_table_is_told_of_where_it_is_peoples_and_listed_where_it_is_not() -> None:
    said = " ".join(_section().split())

    assert {*_FOR_EVER, *_SOON, *TOLD} == TABLES
    assert [name for name, (words, _) in TOLD.items() if words not in said] == []
    assert {claim for _, claims in TOLD.values() for claim in claims} <= CLAIMS.keys()


def _section() -> str:
    text = (ROOT / "docs" / "operations.md").read_text()
    found = re.search(r"^## Retention$(.+?)^## ", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_of_a_life_nothing_is_left_once_its_terms_are_over(
    dialect: str, tmp_path: Path, new_database_url: Databases
) -> None:
    """Whoever adds a table has rows of it in `tests/support/lived.py`; they go by themselves."""
    (tmp_path / "webhook.secret").write_text(SECRET)
    # Nobody listens there: what was told to nobody goes too.
    told = section("crm", "http://127.0.0.1:9/", *News)
    async with open_app(tmp_path, new_database_url, dialect, limits=True, more=told) as app:
        await living.live(app)
        lived = {name for name, rows in (await _everything(app)).items() if rows}
        await app.deliver()
        await _answer_all(app)  # who waits for an answer is not forgotten
        assert await staff_of(app.parts).revoke_all("over")

        # Until the last consent went unused, then the proof of it, then that its person was erased.
        for _ in range(12):
            app.step(YEAR)
            await _run_all(app)

        left = {n for n, rows in (await _everything(app)).items() if rows > _ALWAYS.get(n, 0)}
    assert TABLES - lived - _NOT_LIVED == set(), "nobody sees whether its rows go"
    todays = {"intake_key", "limit_key", "node"}  # of whoever runs now
    assert sorted(left - _FOR_EVER.keys() - todays) == []


async def _answer_all(app: App) -> None:
    key, path = await app.key(), "/v1/rights-requests"
    for state in ("open", "extended"):
        _, said = await call(app, key, "GET", f"{path}?state={state}&limit=1000")
        for one in said["requests"]:
            reason = {"reason": "A copy was sent."}
            await call(app, key, "POST", f"{path}/{one['request_id']}/answer", reason)


async def _everything(app: App) -> dict[str, int]:
    found: dict[str, int] = {}
    for database in (app.parts.data, app.parts.key_database, app.parts.guard):
        found |= {name: len(rows) for name, rows in (await stores.dump(database)).items()}
    return {name: found[name] for name in TABLES}


async def _run_all(app: App) -> None:
    """Every duty but those of the log, until none of them finds anything more."""
    for _ in range(5):
        for duty in duties.of(app.parts):
            while await duty.run():
                pass
