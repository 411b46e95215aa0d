"""What evidence of a consent says in sentences, marked for the catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.flows.proving.consent_proof import Unknown
from gateway.look.translations import say

UNKNOWN: Final[Mapping[Unknown, str]] = {
    Unknown.WHO_ASKED: say(
        "Who filled in the form. Anybody can enter an address; that is why its mailbox was asked."
    ),
    Unknown.WHO_PRESSED: say(
        "Which person pressed the button. It was somebody who had the link, and the link was sent"
        " to this mailbox alone."
    ),
    Unknown.NETWORK_ASKED: say(
        "From which network and by which device it was asked for: neither is kept as proof."
    ),
    Unknown.NETWORK_PRESSED: say(
        "From which network and by which device it was confirmed: neither is kept as proof."
    ),
    Unknown.WORDING_SHOWN: say(
        "Whether the wording was shown with the form: whoever passed the request on says so, and"
        " nothing else does. The confirmation mail and the page behind its link showed it."
    ),
    Unknown.FORM_SHOWN: say("What the form looked like: no specimen of it was kept."),
    Unknown.PAGE_SHOWN: say(
        "What the page behind the link looked like: no specimen of it was kept."
    ),
    Unknown.MAIL_BYTES: say(
        "The mail to the byte: its hash alone was kept, or nothing, where the process that sent it"
        " ended before it wrote that down."
    ),
    Unknown.MAIL_LINK: say("Which link was in this mail: that was not recorded."),
    Unknown.SERVER_REPLY: say("What the server answered: that was not recorded."),
    Unknown.SERVER_SESSION: say(
        "Over which connection the mail was handed over, and how it was encrypted: that was not"
        " recorded."
    ),
    Unknown.MAILBOX: say(
        "What became of the mail behind the server that took it: whether it lay in the mailbox, and"
        " who read it, is not reported back."
    ),
    Unknown.REQUEST: say(
        "Whether whoever confirmed had also asked. Somebody else may have, so what the request said"
        " is left out, and proves nothing."
    ),
}
FAULTS: Final[Mapping[str, str]] = {
    "consent_text": say("The wording is not what its hash says, or gone: it is not shown."),
    "privacy_notice": say("The notice is not what its hash says, or gone: it is not shown."),
    "specimen": say("What was shown or sent is not what its hash says, or gone: it is not shown."),
    "consent": say(
        "The row of the consent is not the last that the log tells of: somebody altered it, or put"
        " an old one back."
    ),
    "log": say("The log lacks events of this person that nobody let go."),
    "mail": say(
        "What was kept of the mail does not give the mail that the log names: it is not shown."
    ),
    "link": say("The link in the mail is not the one that the log names."),
}
