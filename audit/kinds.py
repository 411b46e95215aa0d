"""The closed registry of what the log can say.

A kind once written stays here for ever: logs that hold it must stay readable.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What happened."""

    CONSENT_REQUESTED = "consent.requested"
    CONSENT_MAIL_SENT = "consent.mail_sent"
    CONSENT_CONFIRMED = "consent.confirmed"
    CONSENT_REJECTED = "consent.rejected"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_LAPSED = "consent.lapsed"
    CONSENT_EXPIRED = "consent.expired"
    CONSENT_OBJECTED = "consent.objected"
    CONSENT_IMPORTED = "consent.imported"
    CONSENT_LEFT = "consent.left"  # somebody did while their key was missing; their row says who

    PERMIT_BATCH = "permit.batch"
    DELIVERY_BATCH = "delivery.batch"
    ADDRESSES_RELEASED = "addresses.released"  # of changes, to a caller
    PERMISSION_ASKED = "permission.asked"
    MESSAGE_REFUSED = "message.refused"
    MESSAGE_BOUNCED = "message.bounced"
    MESSAGE_COMPLAINED = "message.complained"
    MESSAGE_CANCELLED = "message.cancelled"

    AUDIENCE_COUNTED = "audience.counted"  # whom a campaign would reach, before it is made
    CAMPAIGN_CREATED = "campaign.created"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    CAMPAIGN_RESENT = "campaign.resent"  # what may have been sent, and may not, is sent again
    CAMPAIGN_ENDED = "campaign.ended"  # with what its messages came to

    SUBJECT_ACCESSED = "subject.accessed"
    SUBJECT_EXPORTED = "subject.exported"
    SUBJECT_RECTIFIED = "subject.rectified"
    SUBJECT_ADDRESS_KEPT = "subject.address_kept"  # its mailbox refused that it changes
    SUBJECT_RESTRICTED = "subject.restricted"
    SUBJECT_UNRESTRICTED = "subject.unrestricted"
    SUBJECT_STOPPED_AGAIN = "subject.stopped_again"  # its mailbox refused that a stop was lifted
    SUBJECT_ERASURE_STARTED = "subject.erasure_started"
    SUBJECT_ERASED = "subject.erased"
    SUBJECT_ERASURE_HELD = "subject.erasure_held"  # restricted; erased once no hold stands
    EVIDENCE_ENDED = "evidence.ended"  # facts whose term was over went; their person stays
    EVIDENCE_SEARCHED = "evidence.searched"  # for a case, whatever was found
    EVIDENCE_OPENED = "evidence.opened"  # what stays of somebody who was erased
    RIGHTS_REQUESTED = "rights.requested"
    RIGHTS_EXTENDED = "rights.extended"
    RIGHTS_ANSWERED = "rights.answered"
    RIGHTS_REFUSED = "rights.refused"
    RIGHTS_ENDED = "rights.ended"  # undecided, as its person was erased
    HOLD_PLACED = "hold.placed"
    HOLD_LIFTED = "hold.lifted"  # or its date came
    SUPPRESSION_ADDED = "suppression.added"
    SUPPRESSION_LIFTED = "suppression.lifted"

    TEXT_PUBLISHED = "text.published"
    TEXT_RETIRED = "text.retired"
    TEXT_DECLARED = "text.declared"  # to say the same as another
    IDENTITY_DECLARED = "identity.declared"  # a former name or address of who mails
    KEY_ROTATED = "key.rotated"
    ROWS_ADOPTED = "rows.adopted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    OPERATOR_CREATED = "operator.created"
    OPERATOR_BOUND = "operator.bound"  # to their account at the identity provider
    OPERATOR_SIGNED_IN = "operator.signed_in"
    OPERATOR_SIGNED_OUT = "operator.signed_out"
    OPERATOR_REVOKED = "operator.revoked"
    OPERATOR_ACCESSED = "operator.accessed"  # somebody looked who it is
    OPERATOR_FORGOTTEN = "operator.forgotten"  # who it was: nobody reads that any more
    AUDIT_EXPORTED = "audit.exported"
    BREACH_ASSESSED = "breach.assessed"  # what was in reach of whoever took something
    BACKUP_RESTORED = "backup.restored"
    BACKUP_ACCEPTED = "backup.accepted"  # an operator answers for what nobody can know
    DRILL_HELD = "drill.held"  # a restore was exercised beside the gateway
    ERASURE_REPLAYED = "erasure.replayed"
    CLOCK_STEP = "clock.step"
    LOG_OPENED = "log.opened"
    LOG_COVER = "log.cover"  # tells of nothing: how many entries tell of something stays unknown
    LOG_SHOWN = "log.shown"  # the first checkpoint that covers it is public
    LOG_CLOSED = "log.closed"
    CHECKPOINT_MAILED = "checkpoint.mailed"  # a public one, to the mailbox that keeps them


class Actor(StrEnum):
    """Who made it happen, as a class; nobody is named in an entry."""

    SUBJECT = "subject"
    OPERATOR = "operator"
    API = "api"
    SYSTEM = "system"
