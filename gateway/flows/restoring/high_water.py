"""The newest checkpoint that this machine saw of each log: a file beside the journals (ADR 0035).

Stores that were all put back from one moment agree with each other, and nothing in them
tells. These files are in no backup of theirs: where one knows more than the guard, they are
older than they were. It proves itself, by the log's own signature; one that is gone or
damaged says nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from audit import seen, verified
from audit.errors import AllOlder, LogRefuted
from audit.publish import Publisher
from audit.seen import Seen
from storage import files
from storage.clock import Clock
from storage.database import Database
from storage.honesty import RowKeys

log = structlog.get_logger()

_NAME = "published"
_LARGEST = 10_000  # bytes; a note has some hundred


class HighWater:
    """That of this machine, which all of its processes write."""

    def __init__(self, folder: Path, publisher: Publisher, keys: RowKeys) -> None:
        self._folder = folder
        self._publisher = publisher
        self._keys = keys
        self._refused: str | None = None

    def read(self) -> list[Seen]:
        """What was seen last of each log, the newest log last; what is no note of ours is not."""
        found = []
        for path in self._folder.glob(f"{_NAME}-*"):
            try:
                with path.open("rb") as file:
                    note = file.read(_LARGEST).decode()
            except (OSError, UnicodeDecodeError):
                continue
            one = seen.read(note, self._publisher.verifier)
            if one is not None and path.name == f"{_NAME}-{one.generation}":
                found.append(one)
        return sorted(found)

    def newest(self) -> Seen | None:
        """Of the newest log."""
        return next(reversed(self.read()), None)

    async def publish(self, data: Database, guard: Database, clock: Clock) -> None:
        """Publish what is new, and remember what the guard says by now.

        Raises what `Publisher.publish` does, `AllOlder` where the guard stands before what this
        machine saw, and `LogRefuted`, having looked at all that, where nothing may be signed.
        """
        # First: another process writes it behind the guard, and never before.
        before = await asyncio.to_thread(self.newest)
        async with guard.read() as connection:
            ended = await verified.known(connection, self._keys, self._publisher.verifier.name)
        refuted = verified.refuted(ended, self._publisher.log.generation)
        await self._publisher.publish(data, guard, clock, sign=refuted is None)
        await self._remember(before)
        if refuted is not None:
            raise LogRefuted(refuted.at, refuted.first_bad)

    async def _remember(self, before: Seen | None) -> None:
        note = self._publisher.held
        now = None if note is None else seen.read(note, self._publisher.verifier)
        if now is None:
            return
        if before is not None and before[:2] > now[:2]:
            raise AllOlder(now.size, now.size)
        if before is None or now[:2] != before[:2]:
            await asyncio.to_thread(self._write, now)

    def _write(self, one: Seen) -> None:
        """Without it less is noticed; nothing stands still for that."""
        path, note = self._folder / f"{_NAME}-{one.generation}", one.note.encode()
        try:
            files.make_folder(self._folder)
            try:
                files.create(path, note)
            except FileExistsError:
                files.replace(path, note)
        except OSError as error:
            if self._refused != type(error).__name__:
                self._refused = type(error).__name__
                log.warning("high_water_not_written", error=self._refused)
