"""What is said of a mail that somebody came with, in sentences, marked for the catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from delivery.alterations import How
from delivery.authorship import Why
from gateway.flows.proving.defend import Reach
from gateway.look.translations import say

NOT_OURS: Final[Mapping[Why, str]] = {
    Why.NOT_A_MAIL: say(
        "This file is no mail, or is larger than any of ours. Save the mail itself, with all its"
        " header fields (.eml)."
    ),
    Why.FOREIGN: say("Nothing in this mail names a domain that we send from, or sent from."),
    Why.FORWARDED: say(
        "Somebody else sent this mail, and one of ours is attached to it. Save the attached one as"
        " a file of its own: that can be checked."
    ),
    Why.FORGED: say(
        "This mail says to be ours, and no signature in it is by a key of ours. Each mail of ours"
        " is signed. One that was forwarded as text bears none either: the original is needed."
    ),
    Why.UNKNOWN_KEY: say(
        "This mail is signed in the name of our domain, by a key that was never ours."
    ),
    Why.ALTERED: say(
        "The signature in this mail was made by our key, but not over what stands here: it was"
        " altered on its way, or the signature was taken from another mail."
    ),
    Why.NEVER_ACCEPTED: say(
        "The signature is by our key, and valid, but the log has no such mail in the second that"
        " the signature names: the gateway never permitted it. Somebody else may have that key."
        " Change it now: gateway dkim rotate."
    ),
    Why.OTHER_CONTENT: say(
        "The signature is by our key, and valid, but the mail that the gateway sent under this"
        " Message-ID bore another one: this is not that mail. Somebody else may have that key."
        " Change it now: gateway dkim rotate."
    ),
}
BODY: Final[Mapping[How, str]] = {
    How.APPENDED: say(
        "The body that we signed is here whole, and lines follow it: mailing lists append such a"
        " footer."
    ),
    How.WRAPPED: say(
        "The body that we signed is here whole, as one part among others: mailing lists wrap a mail"
        " so, to add a footer."
    ),
    How.RECODED: say(
        "The body says the same words in another encoding: a mail server encoded it again."
    ),
    How.CHANGED: say("The body is another than we signed."),
}
FIELDS_PROVEN: Final = say(
    "These header fields were altered, added or taken out, and no others; with them as they were"
    " the signature is valid: %(fields)s"
)
HEADER_WHOLE: Final = say("The header is as we signed it.")
FIELDS_COUNTED: Final = say(
    "Header fields were altered, too. These stand there more or less often than they were"
    " signed: %(fields)s. Whether others were altered cannot be proven."
)
HEADER_UNKNOWN: Final = say("A header field was altered; which one cannot be proven.")
REACHES: Final[Mapping[Reach, str]] = {
    Reach.WHOLE: say(
        "This mail is ours: our key signed it, and it is as it was signed. The log tells what"
        " allowed it."
    ),
    Reach.ENDED: say(
        "Our key signed this mail, and it is as it was signed. In that second the log has mails of"
        " which nothing is kept any more: their people were erased, or their term is over. Whether"
        " this is one of them cannot be told."
    ),
    Reach.UNIDENTIFIED: say(
        "Our key signed this mail, and it is as it was signed. Which of our mails it is cannot be"
        " told: the server that sent it on gave it another Message-ID."
    ),
    Reach.LOCKED: say(
        "Our key signed this mail, and it is as it was signed. Its person was erased; what proves"
        " it is locked, and opened by who may open evidence for a case."
    ),
    Reach.LOST: say(
        "Our key signed this mail, and it is as it was signed. The log has no such mail, but it"
        " lost entries when a backup was restored."
    ),
}
