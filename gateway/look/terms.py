"""What a page or a paper says for a word that programs use: each of them, in the reader's language.

A word that is not here was chosen by a caller or the operator, and is shown as they wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consent.model import Reason
from consent.sign_ups import ASK_AGAIN, RE_PERMISSION, SWITCHED_ON
from consent.suppressions import Stop
from delivery.outbox import Parked
from gateway.look.translations import say, translations

# Why what somebody confirmed is not mailed.
NOT_MAILED: Final[Mapping[str, str]] = {
    Reason.RESTRICTED: say("Not mailed: you had the use of your data restricted."),
    Reason.OBJECTED: say("Not mailed: you objected to advertising."),
    Reason.SUPPRESSED_COMPLAINT: say(
        "Not mailed: one of our mails to this mailbox was reported as unwanted."
    ),
    Reason.SUPPRESSED_BOUNCE: say("Not mailed: your mailbox refused our mails for good."),
    Reason.NOT_COVERED: say("Not mailed: the sender or this text has changed since then."),
    Reason.PURPOSE_UNKNOWN: say("Not mailed: these mails are not sent any more."),
}
NOT_MAILED_OTHERWISE: Final = say("Not mailed, as things stand.")

_LATER: Final = say("to be looked at first")
REASONS: Final[Mapping[str, str]] = {
    Reason.PURPOSE_UNKNOWN: say("these mails are not sent any more"),
    Reason.UNKNOWN: say("nobody had agreed to it"),
    Reason.ERASED: say("erased"),
    Reason.RESTRICTED: say("use of the data restricted"),
    Reason.OBJECTED: say("objected"),
    Reason.SUPPRESSED_COMPLAINT: say("reported as unwanted"),
    Reason.SUPPRESSED_BOUNCE: say("refused by the mailbox for good"),
    Reason.NOT_COVERED: say("sender or wording changed"),
    Reason.PENDING: say("not confirmed yet"),
    Reason.REJECTED: say("rejected"),
    Reason.LAPSED: say("never confirmed"),
    Reason.WITHDRAWN: say("withdrawn"),
    Reason.EXPIRED: say("consent ended"),
    Reason.UNPROVEN: say("consent not proven"),
    Reason.FREQUENCY_CAP: say("enough mails for now"),
    "paused": say("your pause"),
    "quota": say("waits for its turn"),
    "message_expired": say("its time was over"),
    "not_needed": say("not needed any more"),
    "restored": say("a backup was put back"),
    **dict.fromkeys(Parked, _LATER),
}
BLOCKS: Final[Mapping[str, str]] = {
    Stop.BOUNCE: say("refused by the mailbox for good"),
    Stop.COMPLAINT: say("reported as unwanted"),
    Stop.ASKING: say("mails that ask to confirm"),
    Stop.SERVICE: say("mails that ask to confirm, and personal links"),
}
CHANNELS: Final[Mapping[str, str]] = {
    "letter": say("by letter"),
    "phone": say("by phone"),
    "reply": say("by a reply to a mail"),
    "email": say("by a mail"),
    "crm": say("through another system"),
    "api": say("through another system"),
    # Ours alone: whoever passes something on cannot call their way so (`gateway/flows/by.py`).
    "my-data": say("on one's personal pages"),
    "one-click": say("by the unsubscribe button of the mail program"),
    "unsubscribe-page": say("by the button on the unsubscribe page"),
    "preferences-link": say("by a switch on the preferences page"),
    "confirmation-link": say("by “This was not me” behind the link of a confirmation mail"),
    "confirmation-page": say("left out when something else was confirmed"),
    "re-permission": say("by “No” to our question, after something had changed"),
    "stop-again-link": say("by the link in the mail that told of it"),
    "address-link": say("by the link that went to the new address"),
    "address-taken-back": say("by the link that went to the address of before"),
    "erasure": say("together with an erasure"),
    "restore": say("once more, after a backup was put back"),
    "exercise": say("in an exercise"),
}
CLIENTS: Final[Mapping[str, str]] = {
    "api": say("a program with a key"),
    "my-data": CHANNELS["my-data"],
    "preferences-link": CHANNELS["preferences-link"],
    "again-link": say("“Ask me again”, behind a link in a mail"),
    "expired-link": say("a link that worked no more, and asked anew"),
    "texts ask-again": say("our question, after the wording or who sends these mails had changed"),
}
FORMS: Final[Mapping[str, str]] = {
    ASK_AGAIN: say("“Ask me again”, behind a link in a mail"),
    RE_PERMISSION: say("our question, after the wording or who sends these mails had changed"),
    SWITCHED_ON: say("a switch on your preferences page"),
}
OWN_LOOK: Final = "the person's own look, by a fresh link"  # as the log has it
LOOKS: Final[Mapping[str, str]] = {OWN_LOOK: say("You yourself, by a personal link")}
# As others read of it, and the reason that `gateway defend` gives where nobody gave another one.
MAIL_HANDED_IN: Final = "a mail was handed in"
LOOKS_OF_OTHERS: Final[Mapping[str, str]] = {
    OWN_LOOK: say("the person themselves, by a personal link"),
}
LOOKS_OF_OURS: Final[Mapping[str, str]] = {MAIL_HANDED_IN: say("a mail was handed in")}
_QUOTED: Final = say("“%(word)s”")
_FORM: Final = say("form “%(form)s”")


def in_words(known: Mapping[str, str], value: str, locale: str) -> str:
    """The words for *value*; the value itself where it is none of ours."""
    found = known.get(value)
    return value if found is None else translations(locale).gettext(found)


def quoted(word: str, locale: str) -> str:
    """A word that somebody else chose, so marked: it may not pass for one of ours."""
    return translations(locale).gettext(_QUOTED) % {"word": word}


def channel(value: str, locale: str) -> str:
    """By what way something came; what a caller calls theirs, as they do."""
    return in_words(CHANNELS, value, locale) if value in CHANNELS else quoted(value, locale)


def form(name: str, locale: str) -> str:
    """Where it was asked for; a form of the configuration by the name that it has there."""
    if name in FORMS:
        return in_words(FORMS, name, locale)
    return translations(locale).gettext(_FORM) % {"form": name}


def not_mailed(reason: Reason | None, locale: str) -> list[str]:
    """Why a confirmed consent is not mailed, where something stands against it."""
    if reason is None:
        return []
    return [translations(locale).gettext(NOT_MAILED.get(reason, NOT_MAILED_OTHERWISE))]
