"""What is hashed, and what is committed to: an event becomes an entry and its payloads.

An entry names no person. Facts about one stand in payloads, sealed under that
person's keys and bound to the entry by salted commitments; without salt and
payload a commitment can neither be opened nor guessed.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from audit.canonical import canonical, decode, encode
from audit.errors import EntryError
from audit.kinds import Actor, Kind
from audit.tree import leaf_hash, root_of

EVIDENCE = "evidence"
SALT_SIZE = 32
_LARGEST = 4096
_COMMITMENT = b"consentgw/audit/payload/v1\0"
_MANDATORY = frozenset({"comp", "eid", "sub", "sseq", "sprev"})

# An entry is exactly what this matches: canonical by construction, and five
# times faster than parsing JSON. No value can hold an "@".
GRAMMAR = re.compile(
    rb'\{"ac":"(?P<actor>[a-z]+)"'
    rb'(?:,"bt":\{"n":(?P<count>[1-9][0-9]{0,9}),"root":"(?P<root>[A-Za-z0-9+/]{43}=)"\})?'
    rb'(?:,"cm":(?P<commitments>\{"[a-z]+":"[A-Za-z0-9+/]{43}="'
    rb'(?:,"[a-z]+":"[A-Za-z0-9+/]{43}=")*\}))?'
    rb',"id":"(?P<eid>[A-Za-z0-9+/]{22}==)"'
    rb',"k":"(?P<kind>[a-z_.]+)"'
    rb',"nd":"(?P<node>[A-Za-z0-9:._/+-]{1,64})"'
    rb'(?:,"rf":(?P<refs>\{"[a-z_]+":"[A-Za-z0-9:._/+=-]{1,128}"'
    rb'(?:,"[a-z_]+":"[A-Za-z0-9:._/+=-]{1,128}")*\}))?'
    rb',"t":"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)"'
    rb',"v":1\}'
)

Salts = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person's next event stands: how many there were, and the last one's commitment."""

    subject: str
    length: int
    last: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a batch event.

    Without a subject the facts are kept unsealed and outlive every erasure:
    give ids and outcomes then, nothing that leads to a person.
    """

    subject: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as its transaction knows it.

    *refs* are digests and names of things that are nobody's personal data;
    they are hashed into the log and stay for ever. *facts* are per compartment
    and need the *place* of the person they are about.
    """

    kind: Kind
    actor: Actor
    at: datetime
    eid: bytes = field(default_factory=partial(secrets.token_bytes, 16))
    refs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    place: Place | None = None
    items: Sequence[Item] = ()


class Sealer(Protocol):
    """Who can seal for people."""

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], plaintext: bytes
    ) -> bytes:
        """Seal under that person's key, bound to *place*: table, column, row."""


class Opener(Protocol):
    """Who can open what was sealed."""

    def open(
        self, subject: str, compartment: str, place: tuple[str, str, str], sealed: bytes
    ) -> bytes | None:
        """Open, or return None when the key is gone; altered bytes raise `ValueError`.

        `KeyDamaged` where the key is there and cannot be used.
        """


@dataclass(frozen=True, slots=True)
class Payload:
    """The sealed facts of one compartment."""

    compartment: str
    subject: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedItem:
    """The facts of one message; unsealed when it has no subject."""

    subject: str | None
    commitment: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """An event ready to be staged; *next* is the place after it."""

    eid: bytes
    kind: Kind
    at: datetime
    entry: bytes
    payloads: Sequence[Payload]
    items: Sequence[SealedItem]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Batch:
    """The small tree of a batch event: how many items, and the root over their commitments."""

    count: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as read back from its bytes."""

    eid: bytes
    kind: Kind
    actor: Actor
    at: datetime
    node: str
    refs: Mapping[str, str]
    commitments: Mapping[str, bytes]
    batch: Batch | None


def draft(
    event: Event, sealer: Sealer | None, node: str, *, salts: Salts = secrets.token_bytes
) -> Draft:
    """Write the entry of *event* and seal what belongs to it.

    A person's event always has an `evidence` payload, if need be without
    facts, so that the trail has no hole. An event about nobody needs no
    sealer. Raises `ValueError` for an event that the format cannot carry.
    """
    if event.facts and event.place is None:
        raise ValueError(f"{event.kind}: facts need a person")
    payloads, commitments = _seal_payloads(event, sealer, salts)
    items = _seal_items(event, sealer, salts)
    return Draft(
        eid=event.eid,
        kind=event.kind,
        at=_whole_milliseconds(event.at),
        entry=_write(event, node, commitments, items),
        payloads=payloads,
        items=items,
        next=_next(event.place, commitments),
    )


def parse(entry: bytes) -> Entry:
    """Read an entry; anything but what `draft` writes raises `EntryError`."""
    found = GRAMMAR.fullmatch(entry)
    if found is None or len(entry) > _LARGEST:
        raise EntryError("not an entry")
    try:
        return _entry(found)
    except ValueError:
        raise EntryError("not an entry") from None


def commitment(salt: bytes, payload: bytes) -> bytes:
    """Bind *payload* so that nobody can guess it without *salt*, which has 32 bytes."""
    return hmac.digest(salt, _COMMITMENT + payload, "sha256")


def committed(opened: bytes) -> bytes:
    """The commitment of a stored payload after opening: salt, then payload."""
    return commitment(opened[:SALT_SIZE], opened[SALT_SIZE:])


def facts_of(opened: bytes) -> dict[str, Any]:
    """The facts of a stored payload after opening. Check `committed` first."""
    facts: dict[str, Any] = json.loads(opened[SALT_SIZE:])
    return facts


def batch_root(commitments: Sequence[bytes]) -> bytes:
    """The root over the commitments of a batch event, in the order of its items."""
    return root_of([leaf_hash(one) for one in commitments])


def payload_place(eid: bytes) -> tuple[str, str, str]:
    """Where a payload is stored; its seal is bound to this."""
    return ("audit_payload", "sealed", encode(eid))


def item_place(eid: bytes, position: int) -> tuple[str, str, str]:
    """Where a batch item is stored; its seal is bound to this."""
    return ("audit_item", "sealed", f"{encode(eid)}/{position}")


def format_moment(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as entries write it; sorts as time."""
    if at.tzinfo is None:
        raise ValueError("a moment must be aware")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _entry(found: re.Match[bytes]) -> Entry:
    commitments = read_object(found["commitments"])
    batch = None
    if found["count"]:
        batch = Batch(int(found["count"]), decode(found["root"].decode()))
    return Entry(
        eid=decode(found["eid"].decode()),
        kind=Kind(found["kind"].decode()),
        actor=Actor(found["actor"].decode()),
        at=datetime.fromisoformat(found["at"].decode()),
        node=found["node"].decode(),
        refs=read_object(found["refs"]),
        commitments={name: decode(value) for name, value in commitments.items()},
        batch=batch,
    )


def read_object(text: bytes | None) -> dict[str, str]:
    """An object inside an entry, or none; names out of order or twice raise `ValueError`."""
    if text is None:
        return {}
    found: dict[str, str] = json.loads(text)
    if canonical(found) != text:
        raise ValueError("not canonical")
    return found


def _write(
    event: Event, node: str, commitments: Mapping[str, bytes], items: Sequence[SealedItem]
) -> bytes:
    fields: dict[str, Any] = {
        "ac": event.actor,
        "id": encode(event.eid),
        "k": event.kind,
        "nd": node,
        "t": format_moment(event.at),
        "v": 1,
    }
    if commitments:
        fields["cm"] = {name: encode(value) for name, value in commitments.items()}
    if event.refs:
        fields["rf"] = dict(event.refs)
    if items:
        root = batch_root([item.commitment for item in items])
        fields["bt"] = {"n": len(items), "root": encode(root)}
    entry = canonical(fields)
    if GRAMMAR.fullmatch(entry) is None or len(entry) > _LARGEST:
        # The values may be anything, so they are not quoted.
        raise ValueError(f"{event.kind}: node or refs do not fit into an entry")
    return entry


def _seal_payloads(
    event: Event, sealer: Sealer | None, salts: Salts
) -> tuple[list[Payload], dict[str, bytes]]:
    payloads: list[Payload] = []
    commitments: dict[str, bytes] = {}
    if event.place is None:
        return payloads, commitments
    subject = event.place.subject
    for compartment in sorted({EVIDENCE, *event.facts}):
        payload = _payload(event, event.place, compartment)
        salt = salts(SALT_SIZE)
        commitments[compartment] = commitment(salt, payload)
        place = payload_place(event.eid)
        sealed = _seal(sealer, subject, compartment, place, salt + payload)
        payloads.append(Payload(compartment, subject, sealed))
    return payloads, commitments


def _payload(event: Event, place: Place, compartment: str) -> bytes:
    facts = event.facts.get(compartment, {})
    if not _MANDATORY.isdisjoint(facts):
        raise ValueError(f"{event.kind}: a fact has the name of a mandatory one")
    mandatory = {
        "comp": compartment,
        "eid": encode(event.eid),
        "sprev": place.last,
        "sseq": place.length,
        "sub": place.subject,
    }
    return canonical({**facts, **mandatory})


def _seal_items(event: Event, sealer: Sealer | None, salts: Salts) -> list[SealedItem]:
    drawn = salts(SALT_SIZE * len(event.items))
    sealed: list[SealedItem] = []
    for position, item in enumerate(event.items):
        salt = drawn[position * SALT_SIZE : (position + 1) * SALT_SIZE]
        if "sub" in item.facts:
            raise ValueError(f"{event.kind}: a fact has the name of a mandatory one")
        facts = dict(item.facts) if item.subject is None else {**item.facts, "sub": item.subject}
        payload = canonical(facts)
        kept = salt + payload
        if item.subject is not None:
            place = item_place(event.eid, position)
            kept = _seal(sealer, item.subject, EVIDENCE, place, kept)
        sealed.append(SealedItem(item.subject, commitment(salt, payload), kept))
    return sealed


def _seal(
    sealer: Sealer | None,
    subject: str,
    compartment: str,
    place: tuple[str, str, str],
    plaintext: bytes,
) -> bytes:
    if sealer is None:
        raise ValueError("facts about a person need a sealer")
    return sealer.seal(subject, compartment, place, plaintext)


def _next(place: Place | None, commitments: Mapping[str, bytes]) -> Place | None:
    if place is None:
        return None
    return Place(place.subject, place.length + 1, encode(commitments[EVIDENCE]))


def _whole_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000).astimezone(UTC)
