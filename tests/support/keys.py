"""Key stores as several processes see them, and what a vault makes of one address."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table, func, select

from consent.keys.keystore import KeyStore
from consent.keys.vault import OF_PEOPLE, Compartment, Vault
from storage.database import Database
from storage.secret import Secret
from tests.support.rows import ROWS

PLACE = ("subject", "address", "sub_1")
KEKS = {1: Secret(b"1" * 32), 2: Secret(b"2" * 32)}
EVERYTHING = list(OF_PEOPLE)


class Stopwatch:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def another(keystore: Database, keks: Mapping[int, Secret] = KEKS, active: int = 2) -> KeyStore:
    """The same key store as a second process sees it."""
    return KeyStore(keystore, keks, active, ROWS)


async def count(keystore: Database, table: Table) -> int:
    async with keystore.read() as connection:
        query = select(func.count()).select_from(table)
        return int((await connection.execute(query)).scalar_one())


def sealed_by(vault: Vault) -> bytes:
    return vault.seal("sub_1", Compartment.PROFILE, PLACE, b"ada@example.org")


def opened_by(vault: Vault, sealed: bytes) -> bytes | None:
    return vault.open("sub_1", Compartment.PROFILE, PLACE, sealed)
