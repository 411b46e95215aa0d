"""The DKIM keys on disk: `dkim_dir/DOMAIN/SELECTOR.pem`, shared by the senders of a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from delivery import dkim
from delivery.dkim import Signer, SigningKey
from delivery.errors import SigningError
from gateway.config.config import Config
from gateway.errors import KeyFileError
from gateway.keyfiles import key_files
from storage.secret import Secret

_REWRITTEN: Final[Mapping[str, Sequence[str]]] = {"smtp": (), "ses": ("message-id", "date")}


@dataclass(frozen=True)
class Record:
    """A DNS record to publish."""

    sender: str
    selector: str
    name: str
    type: str
    value: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def create_missing(config: Config, now: datetime) -> list[Path]:
    """Make a key for every sender domain without one; returns the files that it made.

    Selectors sort by the day on which they were made.
    """
    made = []
    for domain in sorted({sender.dkim_domain for sender in config.senders.values()}):
        if not _keys(config, domain):
            path = config.keys.dkim_dir / domain / f"gw{now:%Y%m%d}.pem"
            key_files.create(path, dkim.new_key().reveal())
            made.append(path)
    return made


def load(config: Config) -> dict[str, Signer]:
    """A signer for each sender, with the newest key of its domain.

    Raises KeyFileError. Nothing here says that DNS has the record.
    """
    return {name: _signer(config, s.dkim_domain) for name, s in config.senders.items()}


def records(config: Config) -> list[Record]:
    """What DNS must hold, for each sender."""
    return [Record(name, signer.selector, *_named(signer)) for name, signer in load(config).items()]


def record_of(sender: str, domain: str, path: Path) -> Record:
    """The record of the key in one file."""
    name, value = dkim.dns_record(path.stem, domain, private(path))
    return Record(sender, path.stem, name, "TXT", value)


def _named(signer: Signer) -> tuple[str, str, str]:
    name, value = dkim.dns_record(signer.selector, signer.domain, signer.key)
    return name, "TXT", value


def _signer(config: Config, domain: str) -> Signer:
    found = _keys(config, domain)
    if not found:
        way_out = "restore its backup; for a new sender `gateway init` makes one"
        raise KeyFileError(f"there is no DKIM key for {domain}", way_out)
    newest = found[-1]
    return Signer(domain, newest.stem, private(newest), _rewritten(config))


def private(path: Path) -> SigningKey:
    """The key in one file; raises KeyFileError."""
    try:
        return SigningKey.load(Secret(key_files.read(path)))
    except SigningError:
        raise KeyFileError(f"{path} holds no key that can sign", "put its backup back") from None


def _rewritten(config: Config) -> Sequence[str]:
    """The fields that the relay writes anew: a signature over them would break on the way."""
    delivery = config.delivery
    return _REWRITTEN[delivery.relay.profile] if delivery.transport == "relay" else ()


def _keys(config: Config, domain: str) -> list[Path]:
    return sorted((config.keys.dkim_dir / domain).glob("*.pem"))
