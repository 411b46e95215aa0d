"""How this gateway stands, as its papers speak of it: configuration, keys, backups, nights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from consent.keys import epochs, verified
from consent.keys.epochs import Epoch, EpochState
from gateway.config.config import Config
from gateway.config.fields import Listen
from gateway.look.measures import Running
from gateway.watch import verification
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

_LOCAL: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Stores:
    """What is looked at; *log* is the name of the first log."""

    keys: Database
    guard: Database
    rows: RowKeys
    clock: Clock
    log: str


async def look(config: Config, stores: Stores) -> Running:
    """As it is now. Changes nothing."""
    nights = await verification.look(stores.guard, stores.rows, stores.log)
    async with stores.keys.read() as connection:
        now = await stores.clock.now(connection)
        kept = await epochs.standing(connection, stores.rows)
        backup = await verified.newest(connection, stores.rows)
    active = _active(kept)
    relay, storage, last = config.delivery.relay, config.storage, nights.last
    return Running(
        at=now,
        https=config.server.public_url.startswith("https://"),
        transport=config.delivery.transport,
        relay_tls=relay.tls != "none",
        relay_here=_is_here(relay.host),
        file_keyring=config.keys.keyring_file is not None,
        files=all(one.startswith("sqlite:") for one in (storage.url, storage.keystore_url)),
        guard_apart=config.guard_url != config.storage.keystore_url,
        limits=config.limits.enabled,
        admin_here=_is_told_here(config.server.admin_listen),
        witnesses=len(config.audit.witnesses),
        mails_checkpoints=config.audit.mail is not None,
        evidence_stays=config.retention.evidence_after_withdrawal > timedelta(),
        verified_at=None if last is None else last.at,
        verified_well=last is not None and last.ok,
        backup_at=None if backup is None else backup.taken_at,
        key_since=None if active is None else active.since,
        rotate_every=config.keys.rotate_every,
        copies_read=any(one.state is EpochState.RETIRING for one in kept if one.honest),
    )


def _active(kept: list[Epoch]) -> Epoch | None:
    """The newest that is ours, or the first release's."""
    active = [one for one in kept if one.state is EpochState.ACTIVE]
    ours = [one for one in active if one.honest] or active
    return ours[-1] if ours else None


def _is_told_here(admin: Listen | None) -> bool:
    return admin is None or _is_here(admin.host)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == _LOCAL
