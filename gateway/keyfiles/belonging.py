"""Whether the keyring is that of the databases, asked by what changes or answers something.

Under another one nothing opens and nobody is found: an erasure would be answered with
"nobody is known", and what is written anew no gateway would take for its own.
"""

from __future__ import annotations

from audit import publish, seen
from consent.keys import epochs
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles.keyring import Keyring
from storage.database import Database, open_database
from storage.errors import KeyringBehind
from storage.honesty import RowKeys


async def require_own(config: Config, ring: Keyring, keys: Database) -> None:
    """Raise `KeyFileError` where neither the key store nor the guard has what *ring* signed.

    Both, for somebody who wrote to one of them must not keep an operator from all commands. Of
    who wrote to both, `gateway audit recover` makes an end: it does not ask here.
    """
    if await _signed_the_keys(ring, keys):
        return
    async with open_database("guard", config.guard_url) as guard:
        if await signed_the_guard(ring, config.audit.origin, guard):
            return
    raise KeyFileError(
        f"{config.keys.keyring} is not the keyring of these databases: it signed nothing in the"
        " key store or the guard. Copy the newest keyring of theirs to this machine. Where it is"
        " theirs, somebody wrote to both: `gateway audit verify` says more, `gateway audit"
        " recover` goes on"
    )


async def _signed_the_keys(ring: Keyring, keys: Database) -> bool:
    """Also where nothing is signed yet. What a key signed that *ring* lacks says nothing of it."""
    try:
        async with keys.read() as connection:
            known = await epochs.standing(connection, RowKeys(ring.rows))
    except KeyringBehind:
        return False
    return not known or any(one.honest for one in known)


async def signed_the_guard(ring: Keyring, origin: str, guard: Database) -> bool:
    """That of another gateway may have the same numbers; what it signed is not the same."""
    notes, verifier = await publish.held_notes(guard), ring.signers(origin).verifier
    return not notes or any(seen.read(note, verifier) is not None for note in notes)
