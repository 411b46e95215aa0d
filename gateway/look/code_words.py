"""The words of states, grounds and kinds, each for the code that programs know it by.

With `terms.py`, which has reasons and ways, the one place for them: a page or a paper that prints
a code has a test against it (`tests/http/test_no_codes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audit.gaps import Cause
from consent.evidence import Why
from consent.feed import News
from consent.model import GroundKind
from consent.rights import Progress, Right
from consent.sign_ups import RenderedBy
from consent.specimens import What
from consent.stop_proofs import Lifted
from consent.subject_evidence import Corrected
from delivery.outbox import Status
from delivery.outcome import Outcome
from gateway.look.translations import say
from storage.keysets import KeyState

GROUNDS: Final[Mapping[str, str]] = {
    GroundKind.CONSENT: say("A consent"),
    GroundKind.CONFIRMATION: say("A request that had to be confirmed"),
    GroundKind.SERVICE: say("A service mail: something was asked for, withdrawn, or is to be kept"),
}
OTHER_GROUND: Final = say("Another ground")
WAITS: Final = say("Waits")
BECAME: Final[Mapping[str, str]] = {
    Status.SENT: say("Sent"),
    Status.UNCERTAIN: say("Perhaps sent"),
    Status.BOUNCED: say("Not accepted by the mailbox"),
    Status.REFUSED: say("Not permitted, not sent"),
    Status.CANCELLED: say("Cancelled, not sent"),
    Status.FAILED: say("Failed, not sent"),
}
STATES: Final[Mapping[str, str]] = {
    Status.QUEUED: say("Waits to be sent"),
    Status.DEFERRED: say("Waits, to be looked at again later"),
    Status.PAUSED: say("Waits with its campaign"),
    Status.SENDING: say("Is being sent"),
    **BECAME,
}
OUTCOMES: Final[Mapping[str, str]] = {
    Outcome.SENT: BECAME[Status.SENT],
    Outcome.DEFERRED: STATES[Status.DEFERRED],
    Outcome.BOUNCED: BECAME[Status.BOUNCED],
    Outcome.UNCERTAIN: BECAME[Status.UNCERTAIN],
    Outcome.FAILED: BECAME[Status.FAILED],
    Outcome.NOT_STARTED: say("Not begun"),
}
RIGHTS: Final[Mapping[str, str]] = {
    Right.ACCESS: say("Access"),
    Right.PORTABILITY: say("Portability"),
    Right.RECTIFICATION: say("Rectification"),
    Right.RESTRICTION: say("Restriction"),
    Right.OBJECTION: say("Objection"),
    Right.ERASURE: say("Erasure"),
}
PROGRESS: Final[Mapping[str, str]] = {
    Progress.OPEN: WAITS,
    Progress.EXTENDED: say("Waits, with more time"),
    Progress.ANSWERED: say("Answered"),
    Progress.REFUSED: say("Refused"),
    Progress.ENDED: say("Ended"),
}
SHOWN_BY: Final[Mapping[str, str]] = {
    RenderedBy.PAGE: say("our own page, by its signed stamp"),
    RenderedBy.SCRIPT: say("our script on that page, by its signed stamp"),
    RenderedBy.MAIL: say("our mail, and the page behind its link"),
    RenderedBy.ASSERTED: say("whoever passed the request on, as they say"),
    RenderedBy.CONFIRMATION: say("our page behind the link in the mail"),
}
ENDED: Final[Mapping[str, str]] = {
    Why.TIME: say("its time was over"),
    Why.UNUSED: say("nothing was sent under it for long"),
    Why.SUPERSEDED: say("another request was confirmed"),
    Why.RETIRED: say("its wording was retired"),
    Why.MOVED: say("the person has another address"),
}
STOPS: Final[Mapping[str, str]] = {
    Lifted.RESTRICTION: RIGHTS[Right.RESTRICTION],
    Lifted.OBJECTION: RIGHTS[Right.OBJECTION],
    Lifted.PAUSE: say("Pause"),
}
CORRECTED: Final[Mapping[str, str]] = {
    Corrected.PROFILE: say("What was entered"),
    Corrected.ADDRESS: say("The address"),
    Corrected.ADDRESS_BACK: say("The address, back to the one of before"),
}
SPECIMENS: Final[Mapping[str, str]] = {
    What.FORM: say("Our form, before anybody typed"),
    What.SCRIPT: say("Our script that shows the form"),
    What.DEFINITION: say("What the form asks"),
    What.PAGE: say("The page behind the link"),
    What.MAIL: say("The mail that asks to confirm, without what was the person's"),
    What.TEMPLATE: say("The template of the mail"),
}
# Whom others are told of, as a paper says it behind "what becomes of people".
NEWS: Final[Mapping[str, str]] = {
    News.CONSENT_CONFIRMED: say("consent confirmed"),
    News.CONSENT_WITHDRAWN: say("consent withdrawn"),
    News.CONSENT_OBJECTED: say("objected"),
    News.CONSENT_OBJECTION_LIFTED: say("objection lifted"),
    News.CONSENT_EXPIRED: say("consent ended"),
    News.SUBJECT_RECTIFIED: say("data corrected"),
    News.SUBJECT_RESTRICTED: say("use of the data restricted"),
    News.SUBJECT_UNRESTRICTED: say("restriction lifted"),
    News.SUBJECT_ERASED: say("erased"),
}
ROLES: Final[Mapping[str, str]] = {
    "dpo": say("answers for the data"),
    "auditor": say("audits, and changes nothing"),
    "admin": say("administers, and opens no personal data"),
}
TABLES: Final[Mapping[str, str]] = {
    "intake": say("sign-ups"),
    "outbox": say("messages"),
    "campaign": say("campaigns"),
    "change": say("changes that others are told of"),
    "consent": say("consents"),
    "subject": say("people"),
    "permit": say("permits"),
    "erasure": say("erasures"),
    "other": say("other things"),
}
STORES: Final[Mapping[str, str]] = {
    "data": say("The data database"),
    "keystore": say("The key store"),
    "key_store": say("The key store"),
    "keyring": say("The keyring"),
    "guard": say("The guard's store"),
    "logs": say("Log lines and journals"),
    "exports": say("A laptop, phone or mailbox: files that were taken out, and what was looked at"),
}
CAUSES: Final[Mapping[str, str]] = {
    Cause.RESTORED: say("an older backup of the data was put back"),
    Cause.GUARD_LOST: say("the guard's store was put back, or is gone"),
    Cause.DAMAGED: say("an entry is missing, or is not what the gateway wrote"),
}
KEYS: Final[Mapping[str, str]] = {
    "kek": say("the key that wraps the keys of people"),
    "audit": say("the key of the log's rows"),
    "fingerprint": say("the key of fingerprints"),
    "lookup": say("the key by which addresses are looked up"),
    "marks": say("the key of marks"),
    "rows": say("the key that rows are signed with"),
    "signing": say("the key that signs the log"),
    "suppression": say("the key of blocked mailboxes"),
    "web": say("the key of links and forms"),
    "dkim": say("the key that mails are signed with"),
}
KEY_STATES: Final[Mapping[str, str]] = {
    KeyState.ANNOUNCED: say("announced"),
    KeyState.ACTIVE: say("in use"),
    KeyState.RETIRING: say("counts, and makes nothing new"),
    KeyState.DESTROYED: say("destroyed"),
    "signed_in": say("signed in by the one before"),
}
