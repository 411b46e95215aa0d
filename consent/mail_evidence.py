"""What the log seals of a mail that asked, beside what `consent.evidence` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from consent.stored import Stored

Facts = dict[str, Any]


def fills_mail(facts: Mapping[str, Any]) -> bool:
    """Whether facts have what fills a mail, and with it its links."""
    return "made_of" in facts


def without_links(facts: Mapping[str, Any]) -> Facts:
    """What an event says, without what fills a mail: links in it open or end something."""
    made = facts.get("made_of")
    found = dict(facts)
    return (
        found | {"made_of": {"specimen": made.get("specimen")}} if isinstance(made, dict) else found
    )


# None of these has a repr: in a traceback it would write what it says into the log.
@dataclass(frozen=True, slots=True, repr=False)
class MadeOf:
    """A specimen, by its hash, and what fills it: together the mail to the byte."""

    specimen: str
    values: Mapping[str, str] = field(repr=False)

    def facts(self) -> Facts:
        return {"specimen": self.specimen, "values": dict(self.values)}

    @classmethod
    def read(cls, stored: Stored) -> Self:
        return cls(stored.text("specimen"), stored.answers("values"))


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """With which server the mail was handed over, and how that was encrypted; None: it was not."""

    host: str
    port: int
    tls: str | None = None  # the version
    cipher: str | None = None
    certificate: str | None = None  # the name by which it was verified
    fingerprint: str | None = None

    def facts(self) -> Facts:
        said: Facts = {"host": self.host, "port": self.port}
        if self.tls is not None:
            said["tls"] = {
                "version": self.tls,
                "cipher": self.cipher,
                "certificate": self.certificate,
                "fingerprint": self.fingerprint,
            }
        return said

    @classmethod
    def read(cls, stored: Stored) -> Self:
        tls, place = stored.object_or_none("tls"), (stored.text("host"), stored.number("port"))
        if tls is None:
            return cls(*place)
        names = ("cipher", "certificate", "fingerprint")
        return cls(*place, tls.text("version"), *map(tls.text_or_none, names))
