"""Witnesses: others who saw a checkpoint, found that it continues the one before, and say so.

C2SP tlog-witness (what is asked, `question`) and tlog-cosignature (what is answered, version 1,
Ed25519). A cosignature proves itself by the key of the witness, which the configuration names,
so whoever writes rows can take one away and make none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import checkpoints, nodes, tree
from audit.canonical import decode, encode
from audit.errors import NoteError
from audit.tables import audit_cosignature
from storage.sound import sound
from storage.types import upsert

_COSIGNATURE = b"\x04"
_MOST = 64  # lines that one answer or note may have
_LATEST = 4_102_444_800  # 2100: what a clock may say


@dataclass(frozen=True, slots=True)
class Cosignature:
    """The line of a note that a witness made, and when it says that it did."""

    witness: str
    line: str
    at: datetime


class Witness:
    """Somebody else's key, by its vkey of type 4; raises `NoteError` for any other."""

    def __init__(self, vkey: str) -> None:
        name, _, rest = vkey.partition("+")
        key_id, _, text = rest.partition("+")
        try:
            raw = decode(text)
        except ValueError:
            raw = b""
        if not checkpoints.is_name(name) or len(raw) != 33 or raw[:1] != _COSIGNATURE:
            raise NoteError("not the vkey of a witness (C2SP tlog-cosignature, type 4)")
        self.name, self.vkey = name, vkey
        self._id = sha256(name.encode() + b"\n" + raw).digest()[:4]
        if self._id.hex() != key_id:
            raise NoteError("the id in the vkey belongs to another key")
        self._key = Ed25519PublicKey.from_public_bytes(raw[1:])

    def cosigned(self, text: str, lines: Iterable[str]) -> Cosignature | None:
        """The cosignature of a note's *text* that this witness made; None: there is none."""
        for line in lines:
            try:
                name, raw = checkpoints.signature(line)
            except NoteError:
                continue
            at = int.from_bytes(raw[4:12], "big")
            if name != self.name or raw[:4] != self._id or len(raw) != 76 or at > _LATEST:
                continue
            try:
                self._key.verify(raw[12:], f"cosignature/v1\ntime {at}\n{text}".encode())
            except InvalidSignature:
                continue
            return Cosignature(name, line, datetime.fromtimestamp(at, UTC))
        return None


def question(old: int, proof: Sequence[bytes], note: str) -> str:
    """What a witness is sent: which size it has seen, the proof from there, and the checkpoint."""
    return "".join([f"old {old}\n", *(f"{encode(one)}\n" for one in proof), "\n", note])


def answered(witness: Witness, note: str, body: str) -> Cosignature | None:
    """The cosignature in an answer; None where there is none that this witness made of *note*."""
    return witness.cosigned(text_of(note), body.split("\n", _MOST)[:_MOST])


def text_of(note: str) -> str:
    """What of a note is signed."""
    return note.partition("\n\n")[0] + "\n"


def attached(note: str, cosignatures: Iterable[Cosignature]) -> str:
    """The note with the lines of those who cosigned it."""
    return note + "".join(f"{one.line}\n" for one in cosignatures)


async def consistency(connection: AsyncConnection, old: int, size: int, base: int) -> list[bytes]:
    """The proof that the tree of *old* is the beginning of that of *size* (RFC 9162, 2.1.4.1)."""
    return await nodes.range_roots(connection, tree.consistency_ranges(old, size), base)


async def keep(
    guard: AsyncConnection, log: str, size: int, cosignature: Cosignature, now: datetime
) -> None:
    """Keep what a witness said of the checkpoint of that size; the first it said stays."""
    row = {
        "log": log,
        "size": size,
        "witness": cosignature.witness,
        "line": cosignature.line,
        "at": now,
    }
    statement = upsert(guard, audit_cosignature).values(row)
    await guard.execute(statement.on_conflict_do_nothing())


async def kept(
    guard: AsyncConnection, log: str, note: str, size: int, known: Iterable[Witness]
) -> list[Cosignature]:
    """The cosignatures of this checkpoint by witnesses that are *known*."""
    table = audit_cosignature
    query = select(table.c.witness, table.c.line).where(
        table.c.log == log, table.c.size == size, sound(table)
    )
    lines = {row.witness: row.line for row in await guard.execute(query)}
    text = text_of(note)
    found = (one.cosigned(text, [lines[one.name]]) for one in known if one.name in lines)
    return [one for one in found if one is not None]


async def last_sizes(guard: AsyncConnection, log: str) -> Mapping[str, int]:
    """The largest size of *log* that each witness is said to have cosigned.

    Only advice on where to begin a proof: a witness says where it stands, if that is not so.
    """
    table = audit_cosignature
    query = select(table.c.witness, func.max(table.c.size).label("size"))
    query = query.where(table.c.log == log, sound(table)).group_by(table.c.witness)
    return {row.witness: row.size for row in await guard.execute(query)}
