"""By SQL, on every table of a gateway that lived: rows altered, copied, put back, deleted.

Whatever is done to a row, nobody is granted anything by it, gets a mail by it or
sees somebody's data, no process ends, and who is not touched is served. What
`audit verify` does not name is listed here, with the reason why it may stand.
"""

# ruff: noqa: S608 whoever attacks writes SQL as it comes

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from consent.feed import News
from gateway.schema.database_schema import DATA, GUARD, KEYSTORE, SCHEMAS
from storage.database import driver_url, open_database
from storage.types import Moment
from tests.support import lived as living
from tests.support.apps import open_app
from tests.support.databases import Databases, Urls
from tests.support.lived import CROWD, Lived, Outcome, outcome
from tests.support.receivers import SECRET, section
from tests.support.stores import dump
from tests.support.stores import rows as rows_of

# Columns that verification holds to a MAC, to the log or to other rows: altered, they are named.
NAMED = {
    "address_link": "id kind token_hash subject sealed created_at expires_at spent_at lifted"
    " paused_until kid mac",
    "api_key": "id name token_hash scopes senders purposes created_at revoked_at kid mac",
    "attempt": "message n outcome",
    "campaign": "id purpose sender id_domain origin content audience reference per_hour starts_at"
    " created_at state after_at after_id made next_due_at expanded_at ended_at eid kid mac",
    "campaign_count": "campaign number reason status",
    "change": "id eid subject kind purpose at place receivers kid mac",
    "confirmation": "token_hash subject expires_at",
    "confirmation_consent": "token_hash consent kid mac",
    "consent": "id subject purpose text_hash form locale state evidence requested_at lapses_at"
    " decided_at ends_at eid kid mac",
    "consent_text": "hash purpose locale bundle retired_at",
    "content": "id",
    "dek": "subject compartment epoch wrapped",
    "desk_export": "id operator subject why wanted asked_at kid mac",
    "erasure": "id subject state channel received_at asked_at due_at locked_until done_at eid kid"
    " mac",
    "fresh_link": "id token_hash subject created_at expires_at spent_at kid mac",
    "handle": "subject purpose sealed unsubscribe_hash why_hash preferences_hash kid mac",
    "hold": "id subject reason placed_at until eid kid mac",
    "kek_epoch": "epoch state since proof rewrapped_at released_at mac",
    "live_key": "kind number kid mac",
    "mark": "id address_hash purpose left_at kid mac",
    "operator": "id role identity mailbox created_at revoked_at eid kid mac",
    "operator_link": "id token_hash operator subject created_at expires_at spent_at kid mac",
    "operator_session": "id_hash operator link opened_at seen_at expires_at kid mac",
    "outbox": "id kind subject purpose sender id_domain content status expires_at attempt origin"
    " occasion regarding campaign again created_at kid mac",
    "pace": "subject paused_until apart_days kid mac",
    "permit": "message attempt subject purpose ground_kind ground_id counts for_all keeps_use eid",
    "privacy_notice": "hash body",
    "rights_request": "id subject kind state channel received_at recorded_at due_at decided_at"
    " reason eid kid mac",
    "session": "id_hash subject opened_at expires_at kid mac",
    "set_key": "kind number state since proof renewed_at released_at kid mac",
    "specimen": "hash body",
    "subject": "id state restricted_at objected_at suppressed asking_blocked_at"
    " trail_length trail_last left_unread kid mac",
    "subject_index": "hash kid subject mac",
    "taking_away": "eid subject purpose kind at erasure locked_until kid mac",
    "taking_away_due": "eid subject purpose kind at erasure locked_until kid mac",
    "telling": "change webhook subject kind place at state told_at kid mac",
    "verified_backup": "id taken_at verified_at epochs wrapping kid mac",
}
# The log and its guard: each column, in tests/attacks/test_rows_of_the_log.py.
LOG = {table.name for meta in (DATA.tables[2], GUARD.tables[0]) for table in meta.sorted_tables}
_SHOWN = "it is shown, and nothing is decided by it"
_SEALED = "it opens in its own row only; what does not open is not sent, and not shown"
# What a column that is not named can do, which is to take away, or to be shown.
HARMLESS = {
    "external_id": {
        "consent": "of another request it does not open",
        "subject": "of another person it does not open",
        "purpose": "of another purpose it does not open",
        "state": "it opens in one of the two alone",
        "sealed": "what does not open calls nobody anything",
    },
    "attempt": {
        "owner": _SHOWN,
        "started_at": _SHOWN,
        "ended_at": _SHOWN,
        "code": _SHOWN + "; the log has it",
        "enhanced": _SHOWN + "; the log has it",
        "reply": _SEALED,
    },
    "campaign_count": {
        "id": "a name of its own",
    },
    "confirmation": {"created_at": _SHOWN},
    "confirmation_count": {
        "id": "a name of its own",
        "address_key": "of somebody else: counted there; one mail a request, and one link an hour,"
        " are what is left; or a request counts with what it said, as where nobody else asked",
        "sent_at": "a count that ends early: as above",
    },
    "consent": {
        "mails": "how often it asked: the week's three hold all the same",
        "profile": _SEALED,
    },
    "consent_text": {
        "current": "another wording of ours is asked for, or none",
        "published_at": _SHOWN,
    },
    "content": {
        "subject": "whose rows it goes with; its key goes with them all the same",
        "key": "under another key it does not open; what a campaign says is then named",
        "sealed": _SEALED,
        "created_at": _SHOWN,
    },
    "content_key": {
        "id": "what a campaign says does not open then: its messages wait, and it is named",
        "epoch": "as the id",
        "wrapped": "as the id",
        "created_at": "when it is swept, if no content names it",
    },
    "desk_export": {
        name: "the same file is made again, or not; handed over to who asked, and told each time"
        for name in (
            *("state", "reason", "name", "done", "whole", "pieces", "size", "maker"),
            *("lease_until", "tries", "ended_at", "fetched_at"),
        )
    },
    "desk_export_piece": {
        "export": "in another place it does not open",
        "n": "as the export",
        "sealed": "it opens in its own place only, and the last one says that it is the last",
    },
    "dek": {"created_at": "when it is swept, if nobody is named so"},
    "erasure_ledger": {
        "subject": "a key that was destroyed is not there to come back",
        "compartment": "as the subject",
        "done_at": _SHOWN,
    },
    "idempotency": {
        "api_key": "what a caller is told of their own earlier request",
        "endpoint": "as the key",
        "key_hash": "as the key: the same request then counts as a new one of the caller's",
        "fingerprint": "as the key",
        "owner": "as the key",
        "status": "as the key",
        "answer": "as the key",
        "started_at": "as the key",
        "expires_at": "as the key",
    },
    "intake": {
        "id": "what it seals is bound to it, and does not open",
        "kind": "of the other kind it is nothing that can be read",
        "key_id": "under another key it does not open",
        "blind_index": "whom it is from says the address that is sealed in it",
        "index_kid": "as the index",
        "sealed": _SEALED,
        "received_at": "a withdrawal after it ends it, or does not",
    },
    "intake_key": {
        "id": "no row names it, or it does not unwrap",
        "epoch": "it does not unwrap; where we have no such epoch, forms wait for it (503)",
        "wrapped": "it does not unwrap",
        "created_at": "when the next one is made",
        "closed_at": "when the next one is made, and this one destroyed",
    },
    "kek_epoch": {
        "told": "the log is told of its state once more",
        "kid": "no keyring lets go of an epoch by a row that none signed",
    },
    "limit_key": {
        "period": "counting begins anew",
        "epoch": "one that we have not: forms wait for it (503), as on a node that lags behind",
        "wrapped": "counting begins anew",
    },
    "node": {
        name: "a new key is waited for by nobody, or for a day; who lacks it waits (503)"
        for name in ("id", "name", "holds", "seen_at")
    },
    "outbox": {
        "reason": _SHOWN,
        "due_at": "when, before it expires",
        "tries": "how far apart tries are",
        "reference": "what its caller finds it by: another finds it, or nobody, and reads no more",
        "send_at": "what its caller is shown of it",
        "owner": "nobody settles or spends what another one holds; it is taken over",
        "dated_at": "the date in the mail",
        "ended_at": "when it is deleted",
    },
    "own_session": {
        "link": "a link that was spent opens nothing: the data and the log have it too",
        "subject": "whose sessions end at once when their address changes: the data's end too",
        "id_hash": "a session ends; the data has none of another hash",
        "expires_at": "when it is swept, within a day",
    },
    "parked": {
        name: "when a row is looked at again, within a day"
        for name in ("table", "row", "tries", "next_at")
    }
    | {"reason": _SHOWN, "since": _SHOWN},
    "permit": {
        "id": "a name of its own",
        "owner": "nobody spends what another one holds",
        "state": "one that is not open cannot be spent, and without that no mail is completed",
        "decided_at": "which window of a frequency cap it counts in",
        "expires_at": "the deadline of its worker is the worker's own",
        "spent_at": "when its consent was used last: it then lives on as if it had been",
    },
    "privacy_notice": {"locale": "of the page around it", "published_at": _SHOWN},
    "rate_limit": {
        "key": "a count of nobody",
        "empty_at": "how long somebody waits, a full bucket at most",
    },
    "rights_request": {"reminded_at": "when it is named again, within a day"},
    "specimen": {"what": _SHOWN, "kept_at": _SHOWN},
    "spent_stamp": {
        "nonce_hash": "a stamp that was used once is used once more, within its day",
        "post_mark": "the same post again counts as another one, and only asserts",
        "spent_at": "as the first, or a day later: longer is set right by the sweep",
    },
    "service_mail": {
        name: "which mailbox its link stops, and how often it gets one; nothing is granted by it"
        for name in (
            *("token_hash", "subject", "kind", "mailbox", "kid", "sent_at"),
            "address_hash",
        )
    },
    "set_key": {"told": "the log is told of its state once more"},
    "subject": {
        "blind_index": "nobody is found by it since the first release",
        "address": _SEALED,
        "profile": _SEALED,
        "locale": "the language of pages and mails",
        "created_at": _SHOWN,
        "going": "facts of who is being erased stay, and are named",
    },
    "suppression": {
        name: "who left, bounced or complained stays so in their own row; a stranger may ask them"
        " again, three times a week"
        for name in ("address_hash", "kind", "since", "until", "kid")
    },
    "telling": {
        "tries": "when its receiver is told again, within six hours",
        "failed": "what an operator is told of the last try, in words of ours",
        "due_at": "as the tries",
    },
    "worker": {
        name: "when its messages are taken over; the attempts tell them apart"
        for name in ("id", "boot_id", "lease_until", "started_at")
    },
}
_COUNTS = "a count, which begins anew"
# Tables whose rows may be deleted without a word of the verification.
MAY_BE_GONE = {
    "external_id": "callers hear of changes without their own names for the person",
    "address_link": "one whose mail is gone too, and of which no event tells: with either it is"
    " named: tests/attacks/test_address_links_put_back.py, test_lifts_put_back.py",
    "audit_checkpoint": "an earlier one: the newest covers it, and who kept it has it",
    "audit_cosignature": "there is none yet; whoever signed is asked again, and says so again",
    "audit_node": "there is none yet; tests/attacks/test_rows_of_the_log.py has some",
    "audit_verified": "there is none yet; the next verification looks at everything",
    "confirmation_count": _COUNTS,
    "content_key": "what a campaign says does not open then: it is named instead",
    "desk_export": "whoever asked asks again",
    "desk_export_piece": "what is cut short does not open: whoever asked asks again",
    "erasure_ledger": "nothing comes back by it: only a restored backup would ask for it",
    "idempotency": "the caller's same request then counts as a new one",
    "intake": "what was acknowledged is lost, and no row tells of it",
    "intake_key": "what was acknowledged under it is lost, as when it is deleted itself",
    "kek_epoch": "no key is made (503), or none follows: as when it is altered",
    "limit_key": _COUNTS,
    "live_key": "a node that lacks the key goes on until one that has it starts again",
    "mark": "one that was not worked off yet asks whoever left meanwhile, once",
    "node": "it says again what it holds within seconds",
    "operator_link": "whoever has it asks for another",
    "operator_session": "whoever sat there asks for a link",
    "own_session": "a person asks for another link",
    "pace": "mails that the person agreed to come in their pause, or close together",
    "parked": "its row is looked at at once",
    "rate_limit": _COUNTS,
    "service_mail": "a mail more is sent, whose link stops such mails",
    "session": "a person asks for another link",
    "set_key": "where a key stands is what the keyring's file says",
    "spent_stamp": "a stamp that was used once is used once more, within its day",
    "suppression": "who left stays so in their own row; a stranger may ask them again",
    "verified_backup": "keys wait for the next one before they are destroyed",
    "worker": "its messages are taken over",
}
# Tables of which an old row may be put back without a word of the verification.
MAY_BE_BACK = {
    "external_id": "callers hear of changes by their own names of before",
    "audit_item": "of who was erased: nobody has the key",
    "audit_payload": "of who was erased: nobody has the key",
    "audit_pending": "it is in the log already: nothing is sequenced until somebody looked",
    "confirmation_count": "a mail more is counted",
    "intake": "a sign-up is worked off again: it asks whom it asked before, three times a week",
    "intake_key": "what it opened is gone",
    "kek_epoch": "nothing is wrapped under it while another one wraps",
    "mark": "what was received before it does not count, as when it was made",
    "node": "of a process that ended: waited for a minute at most",
    "parked": "its row is looked at again within a day",
    "service_mail": "a link from an earlier mail stops such mails again",
    "own_session": "the data has no such session any more",
    "session": "the key store says that it was ended",
    "set_key": "what the keyring's file says is further on",
    "spent_stamp": "a stamp that was used once only asserts, as it did",
    "suppression": "somebody is not asked",
    "rate_limit": _COUNTS,
    "change": "it is spread again, and whoever was told is not told again",
    "telling": "a receiver is told again, under the same id",
    "taking_away_due": "what the guard's store has is told it again",
    "verified_backup": "of an epoch that was released since: that stays so",
    "worker": "it holds nothing",
    "campaign": "how far its messages were made: nobody gets a second one",
    "campaign_count": "counts of before: what is not the sum of all is named",
    "content_key": "of a content that is gone",
    "desk_export": "handed over once more to who asked, and told",
    "desk_export_piece": "as its export; of who was erased nobody has the key",
}
# Duties that a damaged key keeps from their work, and who waits for it.
WAITING = {
    "intake_key": {"intake", "fresh_links"},
    "kek_epoch": {"intake", "fresh_links"},
    "limit_key": {"intake", "fresh_links"},
}

# Where a form is answered 503 while the key store holds what this node has no key for.
AWAY = {"intake_key": {503}, "kek_epoch": {503}, "limit_key": {503}}

TABLES = {t.name: t for s in SCHEMAS.values() for meta in s.tables for t in meta.sorted_tables}
IN_KEYS = {t.name for s in (KEYSTORE, GUARD) for meta in s.tables for t in meta.sorted_tables}
ATTACKED = sorted(TABLES.keys() - LOG)
OF_NOBODY = ("campaign", "campaign_count")
FEW = 4  # of which each look has but one value to show for it
AT_ONCE = 48  # rows of one table that are altered before the gateway is looked at


def test_every_column_is_named_when_it_is_altered_or_harmless_for_a_reason() -> None:
    listed = {
        name: {*NAMED.get(name, "").split(), *HARMLESS.get(name, {})}
        for name in NAMED.keys() | HARMLESS.keys()
    }

    assert listed == {name: {c.name for c in TABLES[name].columns} for name in ATTACKED}
    assert not [n for n in HARMLESS if HARMLESS[n].keys() & set(NAMED.get(n, "").split())]
    assert {*MAY_BE_GONE, *MAY_BE_BACK} <= TABLES.keys()


@dataclass(repr=False)
class Scene:
    """A copy of the gateway that lived, for one attack after another."""

    lived: Lived
    dialect: str
    directory: Path
    databases: Databases
    urls: Urls
    mine: set[str | bytes]  # what rows of the untouched person are known by

    async def anew(self) -> None:
        """Put everything back, and let the machine forget what it saw published since."""
        for seen in self.lived.config.delivery.journal_dir.glob("published-*"):
            seen.unlink()
        if self.dialect == "sqlite":
            for url, path in zip(self.lived.urls, self.urls, strict=True):
                _copy_file(url, path)
        else:
            self.databases.drop()
            data, keys = self.lived.urls
            self.urls = self.databases.copy(data), self.databases.copy(keys)

    def url(self, table: str) -> str:
        return self.urls[1 if table in IN_KEYS else 0]

    async def look(self, *, verified: bool = True) -> Outcome:
        return await outcome(self.lived, self.urls, verified=verified)

    async def said(self) -> list[str]:
        return await living.said(self.lived, self.urls)


def _copy_file(source: str, target: str) -> None:
    for beside in ("-wal", "-shm"):
        Path(target.removeprefix("sqlite:///") + beside).unlink(missing_ok=True)
    shutil.copy(source.removeprefix("sqlite:///"), target.removeprefix("sqlite:///"))


_made: dict[str, tuple[Lived, Outcome, set[str | bytes]]] = {}


@pytest.fixture
async def scene(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[Scene]:
    if dialect not in _made:
        _made[dialect] = await _live(dialect, tmp_path, new_database_url)
    lived, _, mine = _made[dialect]
    files = tuple(f"sqlite:///{tmp_path}/copy-{name}.db" for name in ("data", "keys"))
    made = Scene(lived, dialect, tmp_path, new_database_url, (files[0], files[1]), mine)
    await made.anew()
    yield made


async def _live(
    dialect: str, tmp_path: Path, databases: Databases
) -> tuple[Lived, Outcome, set[str | bytes]]:
    place = tmp_path.parent / f"lived-{dialect}"
    place.mkdir()
    (place / "webhook.secret").write_text(SECRET)
    # Nobody listens there.
    told = section("crm", "http://127.0.0.1:9/", *News)
    async with open_app(place, databases, dialect, limits=True, more=told) as app:
        life = await living.live(app)
        config, clock = app.parts.config, app.parts.clock
        mine = await _of(life.people[-1].subject, app.parts.data, app.parts.key_database)
    databases.keep()
    urls = (config.storage.url, config.storage.keystore_url)
    lived = Lived(**vars(life), config=config, moment=clock.wall(), urls=urls)
    if dialect == "sqlite":
        copies = tuple(f"sqlite:///{place}/first-{name}.db" for name in ("data", "keys"))
        for url, copy in zip(urls, copies, strict=True):
            _copy_file(url, copy)
        first = await outcome(lived, (copies[0], copies[1]))
    else:
        first = await outcome(lived, (databases.copy(urls[0]), databases.copy(urls[1])))
    return lived, first, mine


async def _of(subject: str, *databases: Any) -> set[str | bytes]:
    """What rows of a person are known by: ids and hashes, of rows that name one of them."""
    known: set[str | bytes] = {subject}
    found: list[tuple[Table, dict[str, Any]]] = []
    for database in databases:
        async with database.read() as connection:
            for name, table in TABLES.items():
                if name not in LOG and (name in IN_KEYS) == (database is databases[1]):
                    found += [(table, row) for row in await rows_of(connection, table)]
    size = 0
    while size != len(known):
        size = len(known)
        for table, row in found:
            if known & {value for value in row.values() if isinstance(value, str | bytes)}:
                known |= {row[k.name] for k in table.primary_key if _is_id(row[k.name])}
    return known


def _is_id(value: object) -> bool:
    if isinstance(value, bytes):
        return len(value) >= 16
    return isinstance(value, str) and re.match("(?!key_)[a-z]{3}_", value) is not None


def test_a_gateway_that_lived_has_rows_in_every_table_and_is_sound(scene: Scene) -> None:
    lived, first, _ = _made[scene.dialect]

    assert first.named == []
    assert first.failed == []
    assert first.mails[lived.untouched.email] == 1
    assert first.answers == {"why": 200, "confirm": 200, "my-data": 200, "form": 202, "ask": 200}
    granted = {one for one, purpose in first.granted if purpose == "newsletter"}
    assert len(granted) == CROWD + 1 - len(living.GONE)
    assert lived.revoked not in first.accepted


KINDS = ("odd", "later", "nothing", "huge")
# What is written where, and of which kind it is; none: what another row has there.
Cell = tuple[Column[Any], str | None, str]
# Bytes; text that is not UTF-8, of which another one is read; text that ends early for C.
NO_TEXT = ("x'66ff'", "CAST(x'66ff' AS TEXT)", "'f' || char(0)")


def _values(column: Column[Any], dialect: str) -> Iterator[tuple[str, str]]:
    """What to write, by its kind; another row's value is added later."""
    python = datetime if isinstance(column.type, Moment) else column.type.python_type
    sqlite = dialect == "sqlite"
    later: dict[type, str] = {
        datetime: "'2036-01-01T00:00:00.000000Z'",
        int: f'"{column.name}" + 1',
        bool: f'NOT "{column.name}"',
        str: "'text'",
        bytes: "x'0011'" if sqlite else r"'\x0011'",
    }
    yield "later", later[python]
    yield "nothing", "NULL"
    if sqlite:
        for value in NO_TEXT if python in (str, datetime) else ("'text'",):
            yield "odd", value
        yield (
            "huge",
            "zeroblob(300000)" if python is bytes else "replace(hex(zeroblob(99999)), '00', 'xx')",
        )
    else:
        huge: dict[type, str] = {
            datetime: "'infinity'",
            int: "2147483647",
            bytes: "decode(repeat('00', 300000), 'hex')",
            str: "repeat('x', 300000)",
        }
        if python in huge:
            yield "huge", huge[python]


async def _write(scene: Scene, table: str, statements: Sequence[str]) -> list[bool]:
    """Run statements as somebody who owns the tables; says which of them the database took."""
    if scene.dialect == "sqlite":
        path = str(driver_url(scene.url(table)).database)
        taken = []
        with closing(sqlite3.connect(path)) as raw, raw:
            for one in statements:
                try:
                    taken.append(raw.execute(one).rowcount > 0)
                except sqlite3.Error:
                    taken.append(False)
        return taken
    async with (
        open_database("attack", scene.url(table)) as database,
        database.begin() as connection,
    ):
        # From foreign keys.
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        return [await _try(connection, one) for one in statements]


async def _try(connection: AsyncConnection, statement: str) -> bool:
    try:
        async with connection.begin_nested():
            return (await connection.execute(text(statement.replace(":", r"\:")))).rowcount > 0
    except DBAPIError:
        return False


async def _rows(scene: Scene, table: Table) -> list[dict[str, Any]]:
    """The rows that are nobody's, or not the untouched person's."""
    async with open_database("look", scene.url(table.name)) as database, database.read() as found:
        everything = await rows_of(found, table)
    people = {one.subject for one in scene.lived.people}
    if table.name == "dek":  # others belong to nobody, and are swept
        everything = [row for row in everything if row["subject"] in people]
    return [row for row in everything if not scene.mine & _ids(row.values())]


def _ids(values: Iterable[Any]) -> set[str | bytes]:
    return {one for one in values if isinstance(one, str | bytes)}


def _sql(value: Any, dialect: str) -> str:
    """A value as a literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'" if dialect == "sqlite" else rf"'\x{value.hex()}'"
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%dT%H:%M:%S.%fZ}'"
    if isinstance(value, bool):
        return str(value).upper()
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _where(table: Table, row: Mapping[str, Any], dialect: str) -> str:
    keys = table.primary_key
    return " AND ".join(f'"{key.name}" = {_sql(row[key.name], dialect)}' for key in keys)


def _another(rows: Sequence[Mapping[str, Any]], at: int, column: str) -> Any:
    """What another row has there: of words, one that permits."""
    others = [row[column] for row in rows if row[column] != rows[at][column]]
    wanted = [one for one in others if one in ("confirmed", "queued", "live")]
    return next(iter(wanted or others), None)


@dataclass(frozen=True)
class Alteration:
    """One cell of one row, and what is written there."""

    table: Table
    column: Column[Any]
    kind: str
    row: Mapping[str, Any]
    written: str

    def statement(self, dialect: str) -> str:
        this = _where(self.table, self.row, dialect)
        return f'UPDATE {self.table.name} SET "{self.column.name}" = {self.written} WHERE {this}'


# Columns of PostgreSQL keep their types, so that less can be done to them: it is asked seldom.
_ON_EACH = pytest.mark.parametrize(
    "dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
# Each look takes a second and more of the processor: some are taken of several tables at once,
# and each of one alone before a release. What keeps duties from their work stays alone.
TOGETHER = 5
_SHARED = [name for name in ATTACKED if name not in WAITING]
GROUPS = [*([name] for name in WAITING), *(_SHARED[n::TOGETHER] for n in range(TOGETHER))]


@_ON_EACH
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: f"{names[0]} and {len(names) - 1} more")
async def test_rows_that_were_altered_grant_nothing_and_stop_nobody(
    scene: Scene, names: Sequence[str]
) -> None:
    of_each = [await _alterations(scene, name, every=False) for name in names]
    for several in zip_longest(*of_each, fillvalue=()):
        await _alter_and_look(scene, [one for some in several for one in some])


@pytest.mark.long
@_ON_EACH
@pytest.mark.parametrize("name", ATTACKED)
async def test_a_row_that_was_altered_grants_nothing_and_stops_nobody(
    scene: Scene, name: str
) -> None:
    for some in await _alterations(scene, name, every=True):
        await _alter_and_look(scene, some)


async def _alterations(scene: Scene, name: str, *, every: bool) -> list[list[Alteration]]:
    """What is written into a table, by how much of it one look can tell of."""
    table, dialect = TABLES[name], scene.dialect
    # Of who was erased a count is left, and no message that says which end it was of.
    rows = [row for row in await _rows(scene, table) if row.get("reason") != "erased"]
    assert rows, f"nothing in {name}"
    choose = _some if not every else _fewer if len(rows) < FEW else iter
    cells = [*choose(_cells(table, dialect))]
    each = min(AT_ONCE, len(rows))
    found = []
    for start in range(0, len(cells), each):
        some = []
        for number, (column, value, kind) in enumerate(cells[start : start + each]):
            at = (start + number * max(1, len(rows) // each)) % len(rows)
            other = _another(rows, at, column.name)
            if value is not None or other is not None:
                written = value if value is not None else _sql(other, dialect)
                some.append(Alteration(table, column, kind, rows[at], written))
        found.append(some)
    return found


async def _alter_and_look(scene: Scene, done: Sequence[Alteration]) -> None:
    _, first, _ = _made[scene.dialect]
    tables = {one.table.name for one in done}
    taken = [one for name in sorted(tables) for one in await _taken(scene, name, done)]
    if not taken:
        return  # the database itself refused them all
    seen = await scene.look(verified=any(one.kind in ("another", "odd") for one in done))
    await scene.anew()

    what = [one.statement(scene.dialect)[:200] for one in taken]
    assert seen.beyond(first) == [], what
    assert set(seen.failed) <= {duty for name in tables for duty in WAITING.get(name, ())}, what
    assert seen.mails[scene.lived.untouched.email] == 1, what
    away = {status for name in tables for status in AWAY.get(name, ())}
    assert {one for one in seen.answers.values() if one >= 500} <= away, what
    for one in taken:
        if one.kind == "another" and one.column.name in NAMED.get(one.table.name, "").split():
            assert _is_named(one.table, one.row, seen.named), one.statement(scene.dialect)[:300]


async def _taken(scene: Scene, name: str, done: Sequence[Alteration]) -> list[Alteration]:
    """Write what of *done* is in that table; those that the database took."""
    here = [one for one in done if one.table.name == name]
    taken = await _write(scene, name, [one.statement(scene.dialect) for one in here])
    return [one for one, yes in zip(here, taken, strict=True) if yes]


def _cells(table: Table, dialect: str) -> list[Cell]:
    """Each column with each that may be written there."""
    another: list[Cell] = [(column, None, "another") for column in table.columns]
    odd = [(c, value, kind) for c in table.columns for kind, value in _values(c, dialect)]
    return another + sorted(odd, key=lambda one: KINDS.index(one[2]))


def _some(cells: Iterable[Cell]) -> Iterator[Cell]:
    """What another row has, for each column, and in turn one of the other kinds."""
    others: dict[str, list[Cell]] = {}
    for one in cells:
        if one[2] == "another":
            yield one
        else:
            others.setdefault(one[0].name, []).append(one)
    for number, several in enumerate(others.values()):
        yield several[number % len(several)]


def _fewer(cells: Iterable[Cell]) -> Iterator[Cell]:
    """Where each takes a look of its own: of what is no text, another one for each column."""
    odd: dict[str, list[Cell]] = {}
    for one in cells:
        if one[2] == "odd":
            odd.setdefault(one[0].name, []).append(one)
        elif one[2] in ("another", "nothing"):
            yield one
    for number, several in enumerate(odd.values()):
        yield several[number % len(several)]


def _is_named(table: Table, row: Mapping[str, Any], said: Sequence[str]) -> bool:
    """Whether something is said of the row, or of what it belongs to."""
    names = [row[key.name] for key in table.primary_key]
    # A change that is gone is missed by the event that it told of, a message that nobody claimed
    # yet by what it says.
    beside = ("eid",) if table.name == "change" else ("message", "subject", "content", "campaign")
    names += [row[key] for key in beside if row.get(key) is not None]
    words = [one.hex() if isinstance(one, bytes) else str(one) for one in names]
    whole = f"{table.name} {'/'.join(words[: len(table.primary_key)])}:"
    long = [word for word in words if len(word) > 8]
    return any(whole in doubt or any(word in doubt for word in long) for doubt in said)


async def test_a_row_that_was_copied_under_a_new_id_grants_nothing_and_stops_nobody(
    scene: Scene,
) -> None:
    _, first, _ = _made[scene.dialect]
    for name in ATTACKED:
        table = TABLES[name]
        rows = await _rows(scene, table)
        copies = [_copy(table, rows[at], scene.dialect) for at in (0, len(rows) // 2, -1)]
        taken = await _write(scene, name, [one for copy in copies for one in copy])
        assert any(taken), name

    seen = await scene.look()

    assert seen.beyond(first) == []
    assert seen.failed == []
    assert seen.mails[scene.lived.untouched.email] == 1
    assert all(status < 500 for status in seen.answers.values()), seen.answers


def _copy(table: Table, row: Mapping[str, Any], dialect: str) -> list[str]:
    """The same with another key; and again, with another value wherever one must be unique."""
    keys = {key.name for key in table.primary_key}
    last = [key.name for key in table.primary_key][-1:]
    unique = keys | {column.name for column in table.columns if column.unique}
    unique |= {"attempt"} if table.name == "permit" else set()
    found = []
    for changed in (set(last), unique):
        values = {k: _next(v) if k in changed else v for k, v in row.items()}
        written = ", ".join(_sql(value, dialect) for value in values.values())
        found.append(f"INSERT INTO {table.name} ({_quoted(values)}) VALUES ({written})")
    return found


def _next(value: Any) -> Any:
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1, *value[1:]])
    if isinstance(value, int):
        return value + 1000
    return value if value is None else f"{value[:-1]}{'0' if value[-1:] != '0' else '1'}"


UNSEEN = {"form", "script", "definition"}  # of which nobody signed up to any
NOBODYS = {f"# Notice {number}\n".encode() for number in range(20)}  # that no wording names


async def test_a_row_of_each_table_that_was_deleted_is_named(scene: Scene) -> None:
    gone: list[tuple[Table, dict[str, Any]]] = []
    known: set[str | bytes] = set()  # ids of what is gone, and of what that belongs to
    messages = {row["content"]: row for row in await _rows(scene, TABLES["outbox"])}
    # Of who was erased nothing is missed, nor a change before its event is in the log.
    people = {row["id"] for row in await _rows(scene, TABLES["subject"]) if row["state"] == "live"}
    # Campaigns, which are nobody's, last: whose row is taken goes by the turn.
    wanted = sorted(set(ATTACKED) - MAY_BE_GONE.keys(), key=lambda n: (n in OF_NOBODY, n))
    for number, name in enumerate(wanted):
        table = TABLES[name]
        rows = [row for row in await _rows(scene, table) if row.get("body") not in NOBODYS]
        rows = [row for row in rows if row.get("what") not in UNSEEN]
        if name == "change":
            rows = [row for row in rows if row["place"] is not None and row["subject"] in people]
        # Of somebody else each: of a message that goes with its content, or whose person
        # goes with it, nothing tells.
        rows = [row for row in rows if not known & _named_in(row, messages)] or rows
        # The newest: what is over may go.
        row = rows[-1 - number % min(len(rows), CROWD)]
        known |= _named_in(row, messages)
        gone.append((table, row))
    for table, row in gone:
        assert await _write(scene, table.name, [_deleted(table, row, scene.dialect)]) == [True]

    said = await scene.said()

    assert [table.name for table, row in gone if not _tells_of(table, row, said)] == []


def _named_in(
    row: Mapping[str, Any], messages: Mapping[str, Mapping[str, Any]]
) -> set[str | bytes]:
    """The ids in a row, and of a content those of its message."""
    values = [*row.values(), *messages.get(row.get("id", ""), {}).values()]
    return {value for value in values if _is_id(value)}


@pytest.mark.parametrize("name", sorted(LOG - MAY_BE_GONE.keys()))
async def test_a_row_of_the_log_that_was_deleted_is_named(scene: Scene, name: str) -> None:
    rows = await _rows(scene, TABLES[name])
    this = _deleted(TABLES[name], rows[len(rows) // 2], scene.dialect)
    assert await _write(scene, name, [this]) == [True]

    assert await scene.said()


def _deleted(table: Table, row: Mapping[str, Any], dialect: str) -> str:
    return f"DELETE FROM {table.name} WHERE {_where(table, row, dialect)}"


OLD = (
    "of somebody whose rows went on",
    "of who was erased",
    "that hangs on one of who was erased",
    "of the person who was erased",
)
HANGING = {"attempt", "confirmation_consent", "content"}


@pytest.mark.parametrize("which", OLD)
async def test_an_old_row_of_each_table_that_was_put_back_whole_is_named(
    scene: Scene, which: str
) -> None:
    back = []
    for name in sorted(TABLES.keys() - MAY_BE_BACK.keys()):
        changed, gone = await _old_rows(scene, name)
        group = 3 if name == "subject" else 2 if name in HANGING else 1
        found = changed if which == OLD[0] else gone if which == OLD[group] else []
        for row in found[:1]:
            table, (columns, values) = TABLES[name], _written(row, scene.dialect)
            insert = f"INSERT INTO {name} ({columns}) VALUES ({values})"
            this = _deleted(table, row, scene.dialect)
            *_, done = await _write(scene, name, [this, insert])
            assert done, insert
            back.append((table, row))

    said = await scene.said()

    assert back
    assert [table.name for table, row in back if not _tells_of(table, row, said)] == [], said


async def _old_rows(scene: Scene, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """As they were some time ago: rows that have changed since, and rows that are gone."""
    keys = [key.name for key in TABLES[name].primary_key]
    async with open_database("look", scene.url(name)) as database:
        now = (await dump(database, [name]))[name]
    known = {tuple(row[k] for k in keys): row for row in now}
    changed, gone = [], []
    for row in scene.lived.earlier["keys" if name in IN_KEYS else "data"][name]:
        same = known.get(tuple(row[k] for k in keys))
        if same is None:
            gone.append(row)
        elif same != row:
            changed.append(row)
    return changed, gone


def _written(row: Mapping[str, Any], dialect: str) -> tuple[str, str]:
    return _quoted(row), ", ".join(_sql(value, dialect) for value in row.values())


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _tells_of(table: Table, row: Mapping[str, Any], said: Sequence[str]) -> bool:
    """Whether the verification names the table and the row, or of the log its place."""
    if table.name in LOG:
        return bool(said)
    # Of a message that was never claimed its content tells.
    about = (table.name, "its message is gone") if table.name == "outbox" else (table.name,)
    return any(any(one in line for one in about) and _is_named(table, row, [line]) for line in said)
