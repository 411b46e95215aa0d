"""The yearly exercise: a backup is put back, and nobody who was erased comes back with it.

All of it happens in a scratch that is gone afterwards. The person who is erased there is an
invented one; nothing is sent, and nothing is written where people are served.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from audit.errors import GuardAhead
from audit.kinds import Actor
from consent import address
from consent.address import Address
from consent.keys.vault import OF_PEOPLE
from consent.sign_ups import Asked, SignUp
from consent.texts import text_hash
from gateway.backups import folders, reading
from gateway.backups.manifest import Manifest, Store
from gateway.backups.putting_back import put_back
from gateway.backups.taking import Source, take
from gateway.config.config import Config
from gateway.flows.joining import intake, publish_texts, sign_up
from gateway.flows.joining.sign_up import Posted
from gateway.flows.proving.verify import verify
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.sending.permission import Question
from gateway.parts import Parts
from gateway.process.backup_check import Progress, opened
from gateway.process.lifespan import open_parts, put_in_order
from storage.clock import DatabaseClock


class Shown(StrEnum):
    """What an exercise shows, in its order."""

    WHOLE = "whole"  # the files are the manifest's
    FITTING = "fitting"  # log, rows and keys fit together
    ERASED = "erased"  # the invented person was known, then erased
    BACK = "back"  # the data from before names them again
    UNREADABLE = "unreadable"  # with every key that is left
    NOTICED = "noticed"  # by the guard
    NAMED = "named"  # by the verification


@dataclass(frozen=True, slots=True)
class Exercise:
    """What came of it."""

    held_at: datetime
    manifest: Manifest
    shown: Sequence[tuple[Shown, bool]]

    @property
    def passed(self) -> bool:
        return all(done for _, done in self.shown) and len(self.shown) == len(Shown)


async def hold(
    backup: Path,
    config: Config,
    identity: Path | None,
    progress: Progress = lambda what, done: None,
) -> Exercise:
    """Hold the exercise with the backup at *backup*; `BackupError` where it cannot be put back."""
    backup = reading.newest(backup)
    held_at = DatabaseClock().wall()
    quiet = config.model_copy(
        update={"limits": config.limits.model_copy(update={"enabled": False})}
    )
    with folders.alone(backup.parent), folders.scratch(backup.parent) as scratch:
        async with opened(backup, quiet, scratch, identity, progress) as (manifest, parts):
            verdict = await verify(
                parts, progress=lambda done, _: progress("checking", done), with_guard=False
            )
            at = parts.config
        shown = [(Shown.WHOLE, True), (Shown.FITTING, verdict.ok)]
        shown += await _erase_and_put_back(at, scratch)
        return Exercise(held_at, manifest, shown)


async def _erase_and_put_back(config: Config, scratch: Path) -> list[tuple[Shown, bool]]:
    """Make a person, take a backup, erase the person, put only the data back."""
    async with open_parts(config) as parts:
        copy = _Copy(parts, address.parse(f"exercise-{secrets.token_hex(8)}@drill.invalid"))
        await put_in_order(parts)
        subject = await copy.sign_up()
        await copy.publish()
        older, _ = await take(scratch / "older", copy.source, (), lambda done, total: None)
        erased = await copy.erase()
        keyless = not await parts.keystore.held([subject])
        await copy.publish()
        rows = parts.rows
    await put_back(older, {Store.DATA: config.storage.url}, rows, replace=True)
    async with open_parts(config) as parts:
        copy = replace(copy, parts=parts)
        vault = await parts.keystore.vault([subject])
        named = (await verify(parts)).rows
        return [
            (Shown.ERASED, erased and keyless),
            (Shown.BACK, await copy.subject() == subject),
            (Shown.UNREADABLE, not any(vault.has(subject, one) for one in OF_PEOPLE)),
            (Shown.NOTICED, await copy.is_noticed()),
            (Shown.NAMED, any(subject in row for row in named)),
        ]


@dataclass(frozen=True)
class _Copy:
    """A copy of the gateway in scratch, and a person who is known nowhere else."""

    parts: Parts
    person: Address

    @property
    def source(self) -> Source:
        parts = self.parts
        stores = {Store.DATA: parts.data, Store.KEYSTORE: parts.key_database}
        verifier = parts.publisher.verifier
        return Source(stores, parts.guard, parts.log, verifier, parts.rows, parts.clock)

    async def sign_up(self) -> str:
        """Let the person sign up; returns who they are known as."""
        raw = publish_texts.bundles(self.parts.config)[0][0]
        bundle = json.loads(raw)
        form = next(iter(self.parts.config.forms), "exercise")
        asked = Asked(bundle["purpose"], text_hash(raw))
        said = SignUp(form, self.person, bundle["locale"], (asked,))
        await sign_up.accept_all(self.parts, [Posted(said, None)])
        while await intake.work_off(self.parts):
            pass
        subject = await self.subject()
        assert subject is not None  # noqa: S101 nobody else has this address
        return subject

    async def subject(self) -> str | None:
        """Who is found by the person's address."""
        name = self.person.canonical
        async with self.parts.data.read() as connection:
            found = await self.parts.lookup.find(connection, [name])
        return found[name].subject if name in found else None

    async def erase(self) -> bool:
        asked = Request(Question("", self.person), Actor.OPERATOR, "exercise")
        return await Erasures(Erasing(self.parts)).erase(asked) is not None

    async def publish(self) -> None:
        parts = self.parts
        async with parts.data.begin() as connection:
            await parts.log.sequence(connection)
        await parts.publisher.publish(parts.data, parts.guard, parts.clock)

    async def is_noticed(self) -> bool:
        """Whether a process that starts on it would serve and send nothing."""
        try:
            await self.publish()
        except GuardAhead:
            return True
        return False
