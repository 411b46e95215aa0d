"""Promise 5 against whoever has every key that is left, and time to try addresses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent import address, service_mails, suppressions
from consent.address import Address
from consent.keys.seal import pae
from tests.promises.test_erased_is_erased import BOB, NOTHING_KEPT, erase, run_rules, sound
from tests.support import stores
from tests.support.apps import ADA, App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases
from tests.support.house import ROOT

CANDIDATES = 1_000_000
NO_SUPPRESSION = '[rights]\nsuppress_after_erasure = "none"\n'
WEEKS = timedelta(days=40)  # until what was received before is worked off, and weekly keys are gone
_DOMAIN = re.compile(r'"(consentgw/[a-z0-9/-]+)"')


@pytest.mark.long
@pytest.mark.timeout(3600)  # where everybody else is at work, too
@pytest.mark.parametrize(
    "terms",
    [
        pytest.param(NOTHING_KEPT, id="nothing kept"),
        pytest.param(NO_SUPPRESSION, id="evidence locked"),
    ],
)
async def test_brute_force_over_a_million_addresses_finds_nobody_who_was_erased(
    dialect: str, tmp_path: Path, new_database_url: Databases, terms: str
) -> None:
    """Whoever has both databases and every key that is left tries whom they can think of."""
    async with open_app(tmp_path, new_database_url, dialect, more=terms) as app:
        await app.subscribe(ADA, "newsletter", "updates")
        await app.subscribe(BOB)
        await queue(app, text="Hello.")
        await app.deliver()
        bob = [*_everything(await _blobs(app))]
        assert _guessed(app, [BOB], set(bob)) == {BOB}, "nobody is found at all"
        assert (await erase(app))[0] == 202
        app.step(WEEKS)
        await run_rules(app)

        left = set(_everything(await _blobs(app)))

        assert _guessed(app, [ADA], left) == set()
        assert _guessed_among(app, _candidates(CANDIDATES), left) == set()
        # No other key and no other use of one gives her away either.
        assert _hashes_under_any_key(_spellings(ADA), await _secrets(app)).isdisjoint(left)
        assert not any(ADA.encode() in blob.lower() for blob in left)
        assert await sound(app) == []


async def _blobs(app: App) -> list[Any]:
    """Every value of every row of both databases."""
    found: list[Any] = []
    for database in (app.parts.data, app.parts.key_database):
        for rows in (await stores.dump(database)).values():
            found += [value for row in rows for value in row.values()]
    return found


def _everything(values: Iterable[Any]) -> Iterator[bytes]:
    """Each value as bytes, and what its text says in hex."""
    for value in values:
        if isinstance(value, bytes | bytearray | memoryview):
            yield bytes(value)
        elif isinstance(value, str):
            yield value.encode()
            if re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", value):
                yield bytes.fromhex(value)


def _candidates(number: int) -> Iterator[Address]:
    """As `address.parse` reads them, without looking at the one domain a million times."""
    model = address.parse("person@example.org")
    for n in range(number):
        name = f"person{n}@example.org"
        read = replace(model, typed=name, mailbox=name, canonical=name)
        assert n % 1000 or read == address.parse(name)
        yield read


def _guessed(app: App, candidates: Iterable[str], blobs: set[bytes]) -> set[str]:
    return _guessed_among(app, map(address.parse, candidates), blobs)


def _guessed_among(app: App, candidates: Iterable[Address], blobs: set[bytes]) -> set[str]:
    """Who of them has a row that a gateway would find by the address."""
    keyring, lookup = app.parts.keyring, app.parts.lookup
    found = set()
    for email in candidates:
        hashes = [
            *lookup.hashes(email.canonical),
            *suppressions.hashes_of(keyring.suppression, email),
            *service_mails.mailbox_hashes(keyring.suppression, email),
        ]
        if not blobs.isdisjoint(hashes):
            found.add(email.canonical)
    return found


def _spellings(email: str) -> list[str]:
    local, domain = email.split("@")
    return [email, local, domain, email.upper(), f"{local}@{domain}\0"]


async def _secrets(app: App) -> list[bytes]:
    """Every key outside the databases, and every one that the key store keeps for a time."""
    keyring = json.loads(app.parts.config.keys.keyring_file.read_text())
    weekly = await app.parts.keystore.limit_keys(app.parts.clock.wall())
    return [*_decoded(keyring), *(secret.reveal() for _, secret in weekly)]


def _decoded(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _decoded(inner)
    elif isinstance(value, str) and len(value) >= 32:
        for decode in (base64.b64decode, base64.urlsafe_b64decode, bytes.fromhex):
            try:
                yield decode(value)
            except ValueError:
                continue


def _hashes_under_any_key(values: Sequence[str], secrets: Sequence[bytes]) -> set[bytes]:
    """What any of our keyed hashes makes of *values*, whatever key and use are combined."""
    assert len(secrets) > 5
    sources = [path for name in ("audit", "consent", "delivery", "gateway") for path in _code(name)]
    domains = {found for path in sources for found in _DOMAIN.findall(path.read_text("utf-8"))}
    assert domains
    hashes = {hashlib.sha256(value.encode()).digest() for value in values}
    for secret in secrets:
        for value in values:
            hashes.add(hmac.digest(secret, value.encode(), "sha256"))
            for domain in domains:
                hashes.add(hmac.digest(secret, pae(domain.encode(), value.encode()), "sha256"))
    return hashes | {one[:16] for one in hashes}


def _code(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))
