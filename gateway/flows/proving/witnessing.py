"""Witnesses are given each public checkpoint, and what they say of it is kept.

Nothing else of the log leaves here: a checkpoint that strangers see anyway, and hashes that
prove it to continue the one before. No transaction is open while somebody is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from audit import succession, witnessed, witnesses
from audit.checkpoints import Verifier
from audit.log import Log
from audit.published import Stored
from audit.witnesses import Cosignature, Witness
from gateway.config.config import Audit
from storage.clock import Clock
from storage.database import Database

log = structlog.get_logger()

_TRIES = 3  # of a witness that stands elsewhere than we thought; meanwhile another process asks it
_SIZE = "text/x.tlog.size"


class Answer(Protocol):
    """What a witness answered."""

    @property
    def status(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...


Ask = Callable[[str, str], Awaitable[Answer]]  # by the url of a witness


@dataclass(frozen=True, slots=True)
class Witnessing:
    """Asks those who have not cosigned the last public checkpoint."""

    data: Database
    guard: Database
    clock: Clock
    log: Log
    verifier: Verifier
    audit: Audit
    ask: Ask

    async def run(self) -> int:
        """Ask each once; who is away, or disagrees, is asked again at the next turn."""
        by_name = {one.name: one for one in witnessed.known(self.audit.vkeys)}
        last = await witnessed.seen(
            self.data, self.guard, self.log, self.verifier, list(by_name.values())
        )
        if last.shown is None:
            return 0
        done = {one.witness for one in last.cosignatures}
        async with self.guard.read() as connection:
            sizes = await witnesses.last_sizes(connection, last.shown.checkpoint.origin)
        for section in self.audit.witnesses.values():
            witness = Witness(section.vkey)
            if witness.name not in done:
                await self._ask_one(witness, section.url, last.shown, sizes)
        return 0

    async def _ask_one(
        self, witness: Witness, url: str, shown: Stored, sizes: Mapping[str, int]
    ) -> None:
        size, old = shown.checkpoint.size, sizes.get(witness.name, 0)
        for _ in range(_TRIES):
            if old > size:  # it saw more than we show: an older log is served, or another one
                log.error("witness.ahead", witness=witness.name, entries=old)
                return
            answer = await self.ask(url, await self._question(old, shown))
            found = None
            if answer.status == 200:
                found = witnesses.answered(witness, shown.note, answer.text)
            if found is not None:
                await self._keep(shown, found)
                return
            stands = _size_in(answer)
            if stands is None or stands == old:
                _say(witness, answer.status)
                return
            old = stands

    async def _question(self, old: int, shown: Stored) -> str:
        checkpoint = shown.checkpoint
        generation = succession.generation_named(self.log.first, checkpoint.origin) or 1
        async with self.data.read() as connection:
            base = succession.base_of(generation)
            proof = await witnesses.consistency(connection, old, checkpoint.size, base)
        return witnesses.question(old, proof, shown.note)

    async def _keep(self, shown: Stored, found: Cosignature) -> None:
        async with self.guard.begin() as connection:
            now = await self.clock.now(connection)
            origin, size = shown.checkpoint.origin, shown.checkpoint.size
            await witnesses.keep(connection, origin, size, found, now)


def _say(witness: Witness, status: int) -> None:
    """Of who says that what we show does not continue what we showed before, that it disagrees."""
    if status in (409, 422):
        log.error("witness.disagrees", witness=witness.name, status=status)
    else:
        log.warning("witness.failed", witness=witness.name, status=status)


def _size_in(answer: Answer) -> int | None:
    """Where a witness says that it stands (409); None for any other answer."""
    text = answer.text.strip()
    if answer.status != 409 or answer.kind != _SIZE:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else None
