"""DKIM keys follow each other: the next one signs once DNS shows its record.

The next key lies beside those that sign, as `SELECTOR.next`; it gets its last
name when its record was seen. The one before is kept, and its record published,
until whatever it signed is old; from then on its public half alone (`dkim_public`).
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from delivery import dkim
from delivery.dkim import Signer
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import dkim_keys, dkim_public, key_files
from gateway.keyfiles.dkim_keys import Record

# The TXT records of a name; None when no resolver answers.
Resolver = Callable[[str], Sequence[str] | None]

# A mail waits for days, and whoever gets it may look at its signature long after.
OLD_AFTER = timedelta(days=30)
_NEXT = ".next"


@dataclass(frozen=True, slots=True)
class Next:
    """A key that is to sign for a domain, and what DNS holds under the name of its record."""

    domain: str
    path: Path
    record: Record
    held: Sequence[str] | None  # none: no resolver answered

    @property
    def seen(self) -> bool:
        """Whether DNS shows its record."""
        return self.record.value in (self.held or ())


def waiting(config: Config, resolver: Resolver) -> list[Next]:
    """The keys that are to sign next, one for each domain that has one."""
    return [_next(config, domain, path, resolver) for domain, path in _files(config, f"*{_NEXT}")]


def records_of_next(config: Config) -> list[Record]:
    """What DNS must hold before the next keys sign."""
    return [one.record for one in waiting(config, lambda _: None)]


def begin(config: Config, now: datetime) -> None:
    """Make the next key of each domain; raises KeyFileError where one cannot be stored."""
    for domain in _domains(config):
        folder = config.keys.dkim_dir / domain
        taken = {path.stem for path in folder.glob("*.*")}
        day = f"gw{now:%Y%m%d}"
        names = (f"{day}{letter}" for letter in ("", *string.ascii_lowercase))
        free = next((name for name in names if name not in taken), None)
        if free is None:
            raise KeyFileError(f"{folder} has no selector left for today")
        key_files.create(folder / f"{free}{_NEXT}", dkim.new_key().reveal())


def activate(one: Next) -> None:
    """Let a key sign whose record was seen: every process takes it up within seconds."""
    os.utime(one.path)  # from when on the one before grows old
    one.path.rename(one.path.with_suffix(".pem"))


def records_before(config: Config, now: datetime) -> list[tuple[Record, datetime]]:
    """What DNS must hold on for keys that signed before, and until when."""
    found = _before(config)
    return [(_record(config, d, path), until) for d, path, until in found if until > now]


def forget(config: Config, now: datetime) -> list[Record]:
    """Delete keys whose mails are old; their records may be withdrawn.

    Their public halves stay: who comes with a mail years later is answered by them.
    """
    old = [path for _, path, until in _before(config) if until <= now]
    gone = [_record(config, path.parent.name, path) for path in old]
    for path, record in zip(old, gone, strict=True):
        dkim_public.keep(path, record.value)
        path.unlink()
    return gone


class FollowedSigners:
    """The signers of a running process, which takes up a key once it may sign."""

    def __init__(self, config: Config, signers: dict[str, Signer]) -> None:
        self._config = config
        self._signers = signers
        self._seen = _marks(config)

    async def follow(self) -> int:
        """Load what changed, and sign with it once dkimpy agrees; raises for a key that is bad."""
        marks = _marks(self._config)
        if marks == self._seen:
            return 0
        newer = dkim_keys.load(self._config)
        for signer in newer.values():
            dkim.probe(signer)
        self._signers.update(newer)
        self._seen = marks
        return 0


def _marks(config: Config) -> dict[Path, tuple[int, ...]]:
    return {path: key_files.mark(path) for _, path in _files(config, "*.pem")}


def _domains(config: Config) -> list[str]:
    return sorted({sender.dkim_domain for sender in config.senders.values()})


def _files(config: Config, pattern: str) -> Iterator[tuple[str, Path]]:
    for domain in _domains(config):
        for path in sorted((config.keys.dkim_dir / domain).glob(pattern)):
            yield domain, path


def _before(config: Config) -> Iterator[tuple[str, Path, datetime]]:
    """Keys that another one followed, and until when what they signed is not old."""
    for domain in _domains(config):
        keys = [path for of, path in _files(config, "*.pem") if of == domain]
        for path, successor in pairwise(keys):
            since = datetime.fromtimestamp(successor.stat().st_mtime, UTC)
            yield domain, path, since + OLD_AFTER


def _next(config: Config, domain: str, path: Path, resolver: Resolver) -> Next:
    record = _record(config, domain, path)
    return Next(domain, path, record, resolver(record.name))


def _record(config: Config, domain: str, path: Path) -> Record:
    sender = next(name for name, one in config.senders.items() if one.dkim_domain == domain)
    return dkim_keys.record_of(sender, domain, path)
