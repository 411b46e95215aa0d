"""The first part of `gateway restore DIR`: stores that are gone are put back from a backup."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.talk import fail, progress, result, run, say

if TYPE_CHECKING:
    from gateway.backups.manifest import Manifest, Store
    from gateway.config.config import Config


async def gone(config: Config) -> list[Store]:
    """Which stores have no file, no tables, or no row: tables are soon made where all is lost."""
    from gateway.backups.putting_back import standing

    found = {store: await standing(url, store) for store, url in _urls(config).items()}
    return [store for store, there in found.items() if there is None or not there.rows]


def put_back(
    config: Config,
    folder: Path | None,
    identity: Path | None,
    stores: Sequence[str],
    *,
    replace: bool,
    yes: bool,
) -> None:
    """Put back what is gone, or what is to be replaced; ends the command where it was not said."""
    lacking = run(gone(config))
    if folder is None:
        raise fail(f"gone: {', '.join(lacking)}; give the DIR where backups lie")
    wanted = _wanted(lacking, stores, replace=replace)
    if not folder.is_dir():
        raise fail(f"{folder} cannot be read: no folder; give the DIR where backups lie")
    if not wanted:
        # Nor is it a fault: one that was killed behind this is run again by the same command.
        say("every store is there; a backup replaces it with --replace and --store")
        return
    manifest = run(_read(config, folder))
    said = f"{manifest.id}, taken {manifest.made_at:%Y-%m-%d %H:%M} UTC"
    verb = "Putting back" if yes else "Would put back"
    result(f"{verb} from {said}: {', '.join(sorted(wanted))}.")
    if not yes:
        raise fail("nothing was done: say --yes; what then has to be dealt with is dealt with")
    run(_put_back(config, folder, identity, wanted, replace=replace))


def _wanted(lacking: Collection[Store], named: Sequence[str], *, replace: bool) -> list[Store]:
    from gateway.backups.manifest import Store

    try:
        replaced = [Store(name) for name in named] if replace else []
    except ValueError:
        raise fail("a --store is data or keystore") from None
    return sorted({*lacking, *replaced})


def _urls(config: Config) -> Mapping[Store, str]:
    from gateway.backups.manifest import Store

    return {Store.DATA: config.storage.url, Store.KEYSTORE: config.storage.keystore_url}


async def _read(config: Config, folder: Path) -> Manifest:
    from gateway.backups import reading
    from gateway.keyfiles import keyring
    from storage.honesty import RowKeys

    return reading.read(folder, RowKeys(keyring.current(config.keys.keyring).rows))


async def _put_back(
    config: Config,
    folder: Path,
    identity: Path | None,
    wanted: Collection[Store],
    *,
    replace: bool,
) -> None:
    from gateway.backups import putting_back
    from gateway.errors import OthersRun
    from gateway.keyfiles import keyring
    from gateway.schema import database_schema
    from storage import alone
    from storage.honesty import RowKeys

    if await alone.others(config.storage.url):
        raise OthersRun
    targets = {store: url for store, url in _urls(config).items() if store in wanted}
    keys = RowKeys(keyring.current(config.keys.keyring).rows)
    with progress("putting back", None) as move:
        await putting_back.put_back(
            folder, targets, keys, identity=identity, replace=replace, progress=move
        )
    # Where the guard was in a key store that is gone, it has tables again, and nothing in them.
    await database_schema.upgrade(config)
