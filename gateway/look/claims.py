"""What a privacy notice says of the gateway, and what each claim rests on. Pure.

A notice states facts to people, under their consent and under the law. Each is a
claim by name; it may be published only where the gateway does what it rests on, as
it is configured. Docs: adr/0021. The tests of the facts: tests/support/words.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.config.config import Config


class Capability(StrEnum):
    """What the gateway does: always, or as the configuration has it (`capabilities`)."""

    PERMITS = "mails only what was agreed to, and writes each permission down"
    DOUBLE_OPT_IN = "asks the mailbox first"
    PROOF = "keeps the proof of each consent"
    PROOF_AFTER_END = "keeps a proof when its consent has ended"
    OUTCOMES = "writes down what became of each mail"
    BLOCKS = "asks nobody who does not want to be asked"
    MAILBOX_LIMITS = "counts the mails that anybody can have sent to a mailbox"
    NETWORK_COUNTS = "counts from which networks a mailbox was asked for"
    NETWORK_LIMITS = "keeps networks that send too much from its forms"
    OWN_PAGES = "shows people what is kept about them"
    NO_TRACKING = "adds no pixel or link, and takes out hidden images"
    NO_PROFILES = "scores nobody"
    RELAY = "hands mails to a relay"
    INBOX = "keeps mails in an inbox of its own"
    RETENTION = "deletes what is over"
    EXPIRY = "ends consents by date and by disuse"
    RE_PERMISSION = "asks anew, once, who agreed to what is not so any more"
    ERASURE = "erases who asks for it"
    RIGHTS_REQUESTS = "writes down what is asked for by right, and how it was decided"
    BLOCKS_WHO_OBJECTED = "asks nobody anew who had objected and was erased, for a year"
    BLOCKS_WHO_WAS_ERASED = "asks nobody anew who was erased, for a year"
    OWN_KEYS = "encrypts under keys of each person, and destroys them"
    CALLED = "tells callers what becomes of people, by their own names for them"
    ACKNOWLEDGES = "tells of a withdrawal by one mail"
    WITHDRAWALS = "takes withdrawals and objections, by link and passed on, and keeps to them"


# A sentence or more of a notice, by the name that the templates have for it.
CLAIMS: Final[Mapping[str, Capability]] = {
    "objection": Capability.WITHDRAWALS,
    "what_was_agreed": Capability.PERMITS,
    "called": Capability.CALLED,
    "called_kept": Capability.CALLED,
    "proof": Capability.PROOF,
    "proof_after_end": Capability.PROOF_AFTER_END,
    "outcomes": Capability.OUTCOMES,
    "blocks": Capability.BLOCKS,
    "service_mails": Capability.MAILBOX_LIMITS,
    "network_counted": Capability.NETWORK_COUNTS,
    "network_waits": Capability.NETWORK_COUNTS,
    "network_limited": Capability.NETWORK_LIMITS,
    "cookie": Capability.OWN_PAGES,
    "no_tracking": Capability.NO_TRACKING,
    "no_profile": Capability.NO_PROFILES,
    "source": Capability.DOUBLE_OPT_IN,
    "source_shown": Capability.OWN_PAGES,
    "three_a_week": Capability.MAILBOX_LIMITS,
    "only_confirmed": Capability.DOUBLE_OPT_IN,
    "link_ends": Capability.DOUBLE_OPT_IN,
    "asked_anew": Capability.RE_PERMISSION,
    "mailbox_provider": Capability.RELAY,
    "stays_here": Capability.INBOX,
    "stands": Capability.PERMITS,
    "ends": Capability.EXPIRY,
    "unused": Capability.EXPIRY,
    "unconfirmed_kept": Capability.RETENTION,
    "asked_anew_kept": Capability.RE_PERMISSION,
    "bodies_kept": Capability.RETENTION,
    "outcomes_kept": Capability.RETENTION,
    "profile_kept": Capability.RETENTION,
    "proof_kept": Capability.PROOF_AFTER_END,
    "proof_ends": Capability.RETENTION,
    "proof_held": Capability.PROOF_AFTER_END,
    "address_kept": Capability.RETENTION,
    "blocks_kept": Capability.BLOCKS,
    "service_mails_kept": Capability.MAILBOX_LIMITS,
    "network_kept": Capability.NETWORK_COUNTS,
    "blocked_objection": Capability.BLOCKS_WHO_OBJECTED,
    "blocked_erasure": Capability.BLOCKS_WHO_WAS_ERASED,
    "requests_kept": Capability.ERASURE,
    "rights_kept": Capability.RIGHTS_REQUESTS,
    "takings_kept": Capability.WITHDRAWALS,
    "own_keys": Capability.OWN_KEYS,
    "withdrawal": Capability.WITHDRAWALS,
    "withdrawal_told": Capability.ACKNOWLEDGES,
    "final": Capability.WITHDRAWALS,
    "own_pages": Capability.OWN_PAGES,
    "own_rights": Capability.OWN_PAGES,
    "erasure": Capability.ERASURE,
    "locked": Capability.PROOF_AFTER_END,
}


def capabilities(config: Config) -> frozenset[Capability]:
    """What this gateway does, as it is configured."""
    transport, blocked = config.delivery.transport, config.rights.suppress_after_erasure
    depends = {
        Capability.PROOF_AFTER_END: config.retention.evidence_after_withdrawal > timedelta(),
        Capability.NETWORK_LIMITS: config.limits.enabled,
        Capability.RELAY: transport == "relay",
        Capability.INBOX: transport == "inbox",
        Capability.ACKNOWLEDGES: any(one.acknowledge for one in config.purposes.values()),
        Capability.BLOCKS_WHO_OBJECTED: blocked == "objection",
        Capability.BLOCKS_WHO_WAS_ERASED: blocked == "always",
    }
    return frozenset(one for one in Capability if depends.get(one, True))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a notice says under the name of a claim; the register may lack that name."""

    claim: str
    text: str


# Between characters that no value of the configuration can hold, and that end no line.
_MARK: Final = re.compile("\x02([a-z_]+)\x03")


class Marks(dict[str, str]):
    """The mark of each claim by its name, for templates; gone from what is published."""

    def __missing__(self, name: str) -> str:
        return f"\x02{name}\x03"


def without_marks(marked: str) -> str:
    return _MARK.sub("", marked)


def statements(marked: str) -> Iterator[Statement]:
    """What stands behind each mark, up to the next one or the end of its line."""
    for line in marked.splitlines():
        _, *found = _MARK.split(line)
        for claim, text in zip(found[::2], found[1::2], strict=True):
            yield Statement(claim, text.strip())


def unfounded(said: Collection[Statement], able: Collection[Capability]) -> Iterator[str]:
    """Why some of it may not be said: the gateway does not do what it rests on."""
    for one in said:
        rests_on = CLAIMS.get(one.claim)
        if rests_on is None:
            yield f'says "{one.text}", and the gateway can do nothing by the name {one.claim}'
        elif rests_on not in able:
            yield f'says "{one.text}", and as it is configured the gateway is none that {rests_on}'
