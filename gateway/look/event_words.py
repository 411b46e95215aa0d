"""What the log tells, in words: a clause for each kind of event, and who acted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audit.kinds import Actor, Kind


def say(message: str) -> str:
    """Marks a message for the catalogues; it is translated where it is written."""
    return message


KINDS: Final[Mapping[Kind, str]] = {
    Kind.CONSENT_REQUESTED: say("A consent was asked for"),
    Kind.CONSENT_MAIL_SENT: say("The mail that asks to confirm a consent was handed over"),
    Kind.CONSENT_CONFIRMED: say("A consent was confirmed"),
    Kind.CONSENT_REJECTED: say("A request for consent was rejected"),
    Kind.CONSENT_WITHDRAWN: say("A consent was withdrawn"),
    Kind.CONSENT_LAPSED: say("A request for consent lapsed unconfirmed"),
    Kind.CONSENT_EXPIRED: say("A consent ended by itself"),
    Kind.CONSENT_OBJECTED: say("Somebody objected to advertising"),
    Kind.CONSENT_IMPORTED: say("A consent was imported"),
    Kind.CONSENT_LEFT: say("Somebody left while their key was missing"),
    Kind.PERMIT_BATCH: say("It was decided which messages may go"),
    Kind.DELIVERY_BATCH: say("It was written down what became of messages"),
    Kind.PERMISSION_ASKED: say("It was asked whether somebody may be mailed"),
    Kind.MESSAGE_REFUSED: say("Messages were refused"),
    Kind.MESSAGE_BOUNCED: say("A mailbox refused a message"),
    Kind.MESSAGE_COMPLAINED: say("A message was reported as unwanted"),
    Kind.MESSAGE_CANCELLED: say("A message was cancelled"),
    Kind.SUBJECT_ACCESSED: say("The data of a person was looked at"),
    Kind.SUBJECT_EXPORTED: say("A person took their data along"),
    Kind.SUBJECT_RECTIFIED: say("The data of a person was corrected"),
    Kind.SUBJECT_ADDRESS_KEPT: say("A mailbox refused that an address changes"),
    Kind.SUBJECT_RESTRICTED: say("The use of a person's data was restricted"),
    Kind.SUBJECT_UNRESTRICTED: say("A restriction was lifted"),
    Kind.SUBJECT_ERASURE_STARTED: say("An erasure began"),
    Kind.SUBJECT_ERASED: say("A person was erased"),
    Kind.SUBJECT_ERASURE_HELD: say("An erasure waits, for a hold stands"),
    Kind.EVIDENCE_ENDED: say("Facts whose term was over were let go"),
    Kind.EVIDENCE_SEARCHED: say("Locked evidence was searched for a case"),
    Kind.EVIDENCE_OPENED: say("Locked evidence was opened for a case"),
    Kind.RIGHTS_REQUESTED: say("Something was asked for by right"),
    Kind.RIGHTS_EXTENDED: say("More time was taken for what was asked for by right"),
    Kind.RIGHTS_ANSWERED: say("What was asked for by right was answered"),
    Kind.RIGHTS_REFUSED: say("What was asked for by right was refused"),
    Kind.RIGHTS_ENDED: say("What was asked for by right ended with an erasure"),
    Kind.HOLD_PLACED: say("A hold was placed on an erasure"),
    Kind.HOLD_LIFTED: say("A hold was lifted, or its date came"),
    Kind.SUPPRESSION_ADDED: say("A mailbox was blocked"),
    Kind.SUPPRESSION_LIFTED: say("A block of a mailbox was lifted"),
    Kind.TEXT_PUBLISHED: say("A wording was published"),
    Kind.TEXT_RETIRED: say("A wording was retired"),
    Kind.TEXT_DECLARED: say("A wording was declared to say the same as another"),
    Kind.IDENTITY_DECLARED: say("A former name or address of who mails was declared"),
    Kind.KEY_ROTATED: say("One key followed another"),
    Kind.ROWS_ADOPTED: say("Rows of an earlier release were adopted"),
    Kind.API_KEY_CREATED: say("A key for a program was made"),
    Kind.API_KEY_REVOKED: say("A program's key was revoked"),
    Kind.OPERATOR_CREATED: say("An operator was entered"),
    Kind.OPERATOR_SIGNED_IN: say("An operator signed in"),
    Kind.AUDIT_EXPORTED: say("The log was taken out"),
    Kind.BACKUP_RESTORED: say("A backup was put back"),
    Kind.BACKUP_ACCEPTED: say("An operator answered for what a backup does not know"),
    Kind.DRILL_HELD: say("Putting a backup back was exercised"),
    Kind.ERASURE_REPLAYED: say("Erasures were done again after a backup was put back"),
    Kind.CLOCK_STEP: say("The clock was set back"),
    Kind.LOG_OPENED: say("The log was opened"),
    Kind.LOG_COVER: say("A cover entry, which tells of nothing"),
    Kind.LOG_SHOWN: say("A checkpoint became public"),
    Kind.LOG_CLOSED: say("A log was closed"),
}
ACTORS: Final[Mapping[Actor, str]] = {
    Actor.SUBJECT: say("the person"),
    Actor.OPERATOR: say("an operator"),
    Actor.API: say("a program with a key"),
    Actor.SYSTEM: say("the gateway itself"),
}
