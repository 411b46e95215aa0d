"""What a transmission's ending means for its message. Pure.

Replies are judged by their first digit (RFC 5321, section 4.2.1), and by how
far the dialogue had come: before the final dot nothing was handed over; after
it, silence leaves the outcome open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The two classes of mail."""

    MARKETING = "marketing"
    SERVICE = "service"


class Phase(StrEnum):
    """How far a transmission came: the last thing that was written or, at the end, read."""

    GREETED = "greeted"  # nothing of this message was written
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # told to go ahead, and stopped before the final dot
    DOT = "dot"  # the final dot may have been read by the server
    REPLIED = "replied"  # the reply to the final dot was read


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said; its text is personal data and stays out of a repr."""

    code: int
    enhanced: str | None = None
    text: str = field(default="", repr=False)

    @property
    def digit(self) -> int:
        return self.code // 100


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a transmission ended, and the reply that ended it; None when the connection did.

    *worn*: the session had carried others, and the server would have no more in it.
    """

    phase: Phase
    reply: Reply | None = None
    worn: bool = False


class Outcome(StrEnum):
    """What one attempt came to."""

    SENT = "sent"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the message; *again* means that it is due once more.

    *suppress* is set only where the server says that the mailbox itself does
    not exist, never for its opinion of the sender or of the content. Such an
    opinion is *ours*, for the operator to look at. *at_once*: in a new session,
    and it was no try of this message.
    """

    outcome: Outcome
    again: bool = False
    suppress: bool = False
    ours: bool = False
    at_once: bool = False


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)", re.ASCII)  # RFC 3463, section 2
_NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_MAILBOX_FULL: Final = "5.2.2"  # RFC 3463, section 3.3: it passes
# About the session or its credentials: for the operator to repair, not a fact about the message.
_OURS_TO_REPAIR = frozenset({500, 501, 502, 503, 504, 521, 530, 534, 535, 538})
_LATER = Verdict(Outcome.DEFERRED, again=True)
_NEXT_SESSION = Verdict(Outcome.DEFERRED, again=True, at_once=True)
_OURS = Verdict(Outcome.DEFERRED, again=True, ours=True)
# What servers say where they mean the sender, the relay or the content, whatever code they give.
_OPINION = re.compile(
    r"polic(?:y|ies)|\bspam|\bjunk|unsolicited|\babuse|reputation|\brate\b|frequen(?:t|cy)|throttl"
    r"|too (?:many|fast|much)|\blimit|black ?list|block(?:ed|ing|list)|\blisted\b|\b(?:rbl|dnsbl)\b"
    r"|spamhaus|(?:access|relay(?:ing)?) (?:is )?(?:denied|not (?:permitted|allowed))"
    r"|unable to relay|\b(?:spf|dkim|dmarc)\b|reverse dns|\bptr\b"
    r"|virus|malware|content (?:was )?re(?:jected|fused)",
    re.IGNORECASE,
)
# What somebody is called is nobody's opinion, nor is what a mailbox is, in the words of an opinion.
_NO_OPINION = re.compile(
    r"<[^>]*>|\S*@\S*|recipient address rejected: access denied"
    r"|(?:mailbox|account|user)(?: is| has been)? (?:blocked|over its limit)",
    re.IGNORECASE,
)
_READ: Final = 1000  # characters of a reply: looking at them costs their square
_TOO_LARGE = frozenset({"5.2.3", "5.3.4"})  # RFC 3463, sections 3.3 and 3.4: it will be so again


def parse_reply(code: int, text: str) -> Reply:
    """A reply with its enhanced code, where the first line starts with one of the same class."""
    found = _ENHANCED.match(text)
    enhanced = found.group(1) if found and found.group(1)[0] == str(code)[0] else None
    return Reply(code, enhanced, text)


_QUEUED = (
    re.compile(r"queued as ([A-Za-z0-9._-]{4,64})"),  # Postfix, and who imitates it
    re.compile(r"\bid=([A-Za-z0-9._-]{4,64})"),  # Exim
    re.compile(r"^(?:2\.\d\.\d )?(?:Ok:? )?([A-Za-z0-9._-]{8,80})(?: Message accepted| - gsmtp|$)"),
)


def queue_id(reply: str) -> str | None:
    """The name under which a server says that it queued a mail, in its reply to the dot."""
    found = (form.search(reply) for form in _QUEUED)
    return next((one[1] for one in found if one is not None), None)


def judge(ending: Ending, kind: Kind) -> Verdict:
    """Say what an ending means; whatever is not understood means later, not never.

    Past the final dot "later" could be a second copy: silence, and a reply that
    means nothing, leave marketing `uncertain` for good; service mail goes again.
    """
    reply = ending.reply
    match ending.phase:
        case Phase.GREETED:
            return Verdict(Outcome.NOT_STARTED, again=True)
        case Phase.DOT:
            return _in_doubt(kind)
        case Phase.REPLIED:
            return _in_doubt(kind) if reply is None else _judge_final(reply, kind)
        case Phase.MAIL if ending.worn:
            return _NEXT_SESSION
        case Phase.MAIL | Phase.RCPT | Phase.DATA | Phase.BODY as phase:
            return _LATER if reply is None else _judge_refusal(phase, reply)


def _in_doubt(kind: Kind) -> Verdict:
    return Verdict(Outcome.UNCERTAIN, again=kind is Kind.SERVICE)


def _judge_final(reply: Reply, kind: Kind) -> Verdict:
    match reply.digit:
        case 2:
            return Verdict(Outcome.SENT)
        case 4 | 5:
            return _judge_refusal(Phase.REPLIED, reply)
        case _:
            return _in_doubt(kind)


def _is_about_storage(phase: Phase, reply: Reply) -> bool:
    """Whether a 552 means a full mailbox; at MAIL, and by its enhanced code, it is about the size.

    RFC 5321, section 4.5.3.1.10: 552 to RCPT is temporary.
    """
    return phase is Phase.RCPT or (phase is not Phase.MAIL and reply.enhanced is None)


def _judge_refusal(phase: Phase, reply: Reply) -> Verdict:
    if reply.digit != 5 or reply.code in _OURS_TO_REPAIR:
        return _LATER
    if reply.enhanced == _MAILBOX_FULL or (reply.code == 552 and _is_about_storage(phase, reply)):
        return _LATER
    if _is_opinion(reply):
        return _OURS
    if phase is Phase.MAIL:
        return Verdict(Outcome.FAILED)  # about the sender or the size, not about the recipient
    # Without an enhanced code nobody knows whether a 550 is about the mailbox or about policy.
    return Verdict(Outcome.BOUNCED, suppress=reply.enhanced in _NO_SUCH_MAILBOX)


def _is_opinion(reply: Reply) -> bool:
    if reply.enhanced in _TOO_LARGE:
        return False
    return _OPINION.search(_NO_OPINION.sub(" ", reply.text[:_READ])) is not None
