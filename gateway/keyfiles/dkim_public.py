"""The public halves of all DKIM keys that ever signed: what a mail that comes back is judged by.

A key that signs, or signed lately, is there whole. Of one that was let go `SELECTOR.pub` stays,
for as long as somebody may come with a mail; a domain that no sender has any more is there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from delivery import dkim
from delivery.authorship import Keys
from delivery.signatures import Key
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import dkim_keys, key_files

_ENDING: Final = ".pub"


def keep(path: Path, record: str) -> None:
    """Keep the public half of the key at *path*, whose DNS record this is; repeating is safe."""
    place = path.with_suffix(_ENDING)
    if not place.exists():
        key_files.create(place, record.encode() + b"\n")


def ever(config: Config) -> Keys:
    """The keys of then and now, by domain and selector; raises KeyFileError."""
    return {(one.domain, one.selector): one for one in _found(config)}


def fingerprint(domain: str, path: Path) -> str:
    """By its hash, the public half of the key in one file."""
    return _whole(domain, path).fingerprint


def domains(config: Config) -> frozenset[str]:
    """Those that mails of ours are, or were, signed for."""
    there = {path.name for path in config.keys.dkim_dir.glob("*/") if path.is_dir()}
    return frozenset(there | {sender.dkim_domain for sender in config.senders.values()})


def _found(config: Config) -> Iterator[Key]:
    for domain in sorted(domains(config)):
        folder = config.keys.dkim_dir / domain
        for path in sorted(folder.glob(f"*{_ENDING}")):
            yield _half(domain, path)
        for path in sorted(folder.glob("*.pem")):
            yield _whole(domain, path)


def _whole(domain: str, path: Path) -> Key:
    _, record = dkim.dns_record(path.stem, domain, dkim_keys.private(path))
    return Key(domain, path.stem, record)


def _half(domain: str, path: Path) -> Key:
    try:
        return Key(domain, path.stem, path.read_text("ascii", "replace").strip())
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        said = f"{path} holds no DNS record of a DKIM key: put back a copy of it, or remove it"
        raise KeyFileError(said) from None
