"""What `consent` keeps in the data database. Private to this package.

No column holds personal data in the clear: it is sealed, and look-ups go by keyed hashes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from storage.sound import within
from storage.types import Moment, honest

metadata = MetaData()


def _taking_away() -> tuple[Column[Any], ...]:
    """What somebody took back: by the random id, with no word of theirs."""
    return (
        Column("eid", LargeBinary, primary_key=True, info=within(16)),  # the event that says it
        Column("subject", String(40), nullable=False, index=True),
        Column("purpose", String(64)),  # none: all of them
        Column("kind", String(32), nullable=False),  # of the event
        Column("at", Moment, nullable=False, index=True),
        Column("erasure", String(40)),  # that was asked for
        Column("locked_until", Moment),  # as its person was told
    )


# The gate: everything granting or ending a permission locks it. It also counts the events.
subject = Table(
    "subject",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("state", String(10), nullable=False),  # live | erasing | erased
    Column("blind_index", LargeBinary, unique=True),  # of the first release; moved by the upgrade
    Column("address", LargeBinary),  # sealed, compartment profile
    Column("profile", LargeBinary),  # sealed; what confirmed requests said
    Column("locale", String(35), nullable=False),
    Column("restricted_at", Moment),
    Column("objected_at", Moment),
    Column("suppressed", String(12)),  # bounce | complaint
    Column("asking_blocked_at", Moment),  # the last "not me" or objection
    Column("created_at", Moment, nullable=False),
    Column("trail_length", Integer, nullable=False),
    Column("trail_last", String(44)),
    Column("left_unread", LargeBinary),  # with a MAC of its own: `consent/leavings.py`
    Column("going", LargeBinary),  # as that: `consent/going.py`
    *honest(),  # over state and stops
    Index("subject_created", "created_at"),  # who came last: a start asks for their keys
    Index(
        "subject_erasing",
        "id",
        sqlite_where=text("state = 'erasing'"),
        postgresql_where=text("state = 'erasing'"),
    ),
    Index(
        "subject_erased",
        "id",
        sqlite_where=text("state = 'erased'"),
        postgresql_where=text("state = 'erased'"),
    ),
)

# By what an address is found, under each live look-up key (`consent/lookup.py`).
subject_index = Table(
    "subject_index",
    metadata,
    Column("hash", LargeBinary, primary_key=True, info=within(1, 64)),
    # Also the key of the MAC.
    Column("kid", Integer, primary_key=True, autoincrement=False, info=within(1, 2**31 - 1)),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("mac", LargeBinary, nullable=False),
)
# Which keys of hashes of addresses are live, for nodes that lack one.
live_key = Table(
    "live_key",
    metadata,
    Column("kind", String(16), primary_key=True, info=within(1, 16)),
    Column("number", Integer, primary_key=True, autoincrement=False, info=within(1, 2**31 - 1)),
    *honest(),
)

consent = Table(
    "consent",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("subject", ForeignKey("subject.id"), nullable=False, info=within(1, 40)),
    Column("purpose", String(64), nullable=False),
    Column("text_hash", String(71), nullable=False),
    Column("form", String(64), nullable=False),
    Column("locale", String(35), nullable=False),
    Column("state", String(10), nullable=False),
    Column("evidence", String(12), nullable=False),
    Column("requested_at", Moment, nullable=False, info=within(27)),
    Column("lapses_at", Moment, nullable=False, info=within(27)),
    Column("decided_at", Moment, info=within(27)),
    Column("ends_at", Moment, info=within(27)),
    Column("mails", Integer, nullable=False),  # confirmation mails that named it
    Column("profile", LargeBinary),  # sealed form answers; the subject's once confirmed
    Column("eid", LargeBinary, nullable=False),  # the event that made it what it is
    *honest(from_the_first=True),
    Index("consent_of_subject", "subject", "purpose"),
    # Those of duties are partial, as `consents.in_words` spells it: over all rows each would be
    # written with every consent, for the few that are ever due.
    Index(
        "consent_pending",
        "lapses_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "consent_ending",
        "ends_at",
        sqlite_where=text("state = 'confirmed'"),
        postgresql_where=text("state = 'confirmed'"),
    ),
    Index(
        "consent_confirmed",
        "decided_at",
        "id",
        sqlite_where=text("state = 'confirmed'"),
        postgresql_where=text("state = 'confirmed'"),
    ),
    Index(
        "consent_audience",
        "purpose",
        "decided_at",
        "id",
        sqlite_where=text("state = 'confirmed'"),
        postgresql_where=text("state = 'confirmed'"),
    ),
    Index(
        "consent_unconfirmed",
        "requested_at",
        "id",
        sqlite_where=text("state IN ('rejected', 'lapsed')"),
        postgresql_where=text("state IN ('rejected', 'lapsed')"),
    ),
    Index(
        "consent_ended",
        "decided_at",
        "id",
        sqlite_where=text("state IN ('withdrawn', 'expired')"),
        postgresql_where=text("state IN ('withdrawn', 'expired')"),
    ),
)

# Which consents one confirmation mail asked for.
confirmation = Table(
    "confirmation",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
)
confirmation_consent = Table(
    "confirmation_consent",
    metadata,
    Column(
        "token_hash",
        ForeignKey("confirmation.token_hash", ondelete="CASCADE"),
        primary_key=True,
        info=within(32),
    ),
    Column("consent", ForeignKey("consent.id"), primary_key=True, index=True, info=within(1, 40)),
    *honest(from_the_first=True),  # also over the token's row
)

# A link that the mailbox asked for a moment ago, and the session that its spending opened.
fresh_link = Table(
    "fresh_link",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("spent_at", Moment),
    *honest(),
)
session = Table(
    "session",
    metadata,
    Column("id_hash", LargeBinary, primary_key=True, info=within(32)),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("opened_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    *honest(),
)

# A mail about somebody's address, or a stop that was lifted (`consent/address_links.py`).
address_link = Table(
    "address_link",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("kind", String(8), nullable=False),  # to-new | to-old | told | lifted
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # where it goes, compartment profile
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("spent_at", Moment),
    Column("lifted", String(16)),  # restriction | objection | pause
    Column("paused_until", Moment),
    *honest(),
)

# One handle per subject and purpose, for ever; every link in a mail comes from it.
handle = Table(
    "handle",
    metadata,
    Column("subject", ForeignKey("subject.id"), primary_key=True, info=within(1, 40)),
    Column("purpose", String(64), primary_key=True, info=within(1, 64)),
    Column("sealed", LargeBinary, nullable=False),
    Column("unsubscribe_hash", LargeBinary, nullable=False, unique=True),
    Column("why_hash", LargeBinary, nullable=False, unique=True),
    Column("preferences_hash", LargeBinary, nullable=False, unique=True),
    *honest(),
)

# Somebody's proof is needed until then, and they are not erased (`consent/holds.py`).
hold = Table(
    "hold",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    Column("reason", LargeBinary, nullable=False),  # sealed, compartment evidence
    Column("placed_at", Moment, nullable=False),
    Column("until", Moment, nullable=False, index=True),
    Column("eid", LargeBinary, nullable=False),  # the event that placed it
    *honest(),
)

# What somebody asked to be forgotten (`consent/erasures.py`). The id of the person was random, and
# names nobody once everything else is gone; so nothing else here may ever say who it was.
erasure = Table(
    "erasure",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("subject", String(40), nullable=False, unique=True),
    Column("state", String(10), nullable=False),  # held | erasing | done
    Column("channel", String(64), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("locked_until", Moment),  # what proves their consents stays so long; none: nothing does
    Column("done_at", Moment, index=True),
    Column("eid", LargeBinary, nullable=False),  # the event that made it what it is
    *honest(),
    Index(
        "erasure_held",
        "id",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
)

# What somebody asked for by right, and the decision (`consent/rights_requests.py`). It outlives its
# person, as the row above does.
rights_request = Table(
    "rights_request",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("subject", String(40), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(10), nullable=False),  # open | extended | answered | refused | ended
    Column("channel", String(64), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False, info=within(27)),
    Column("decided_at", Moment, index=True),
    Column("reason", LargeBinary),  # sealed, compartment evidence
    Column("reminded_at", Moment),  # when it was last named as due; not signed
    Column("eid", LargeBinary, nullable=False),  # the event that made it what it is
    *honest(),
    Index("rights_request_state", "state", "id"),
    Index(
        "rights_request_due",
        "due_at",
        sqlite_where=text("state IN ('open', 'extended')"),
        postgresql_where=text("state IN ('open', 'extended')"),
    ),
)

# What people took away and the guard's store may not have yet (`consent/taken_away.py`).
taking_away_due = Table("taking_away_due", metadata, *_taking_away(), *honest())

# How a person wants mails to come: it only delays (`consent/paces.py`).
pace = Table(
    "pace",
    metadata,
    Column("subject", ForeignKey("subject.id"), primary_key=True, info=within(1, 40)),
    Column("paused_until", Moment, info=within(27)),
    Column("apart_days", Integer),  # at most one mail in so many days
    *honest(),
)

# An address that must not be mailed, or not be asked again, by its keyed hash.
suppression = Table(
    "suppression",
    metadata,
    Column("address_hash", LargeBinary, primary_key=True),
    Column("kind", String(12), primary_key=True),  # bounce | complaint | asking | service
    Column("kid", Integer, nullable=False),  # the key that made the hash
    Column("since", Moment, nullable=False),
    Column("until", Moment),
)

# Somebody left: what was received for the address up to then does not count (`consent/marks.py`).
mark = Table(
    "mark",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    Column("address_hash", LargeBinary, nullable=False, index=True),
    Column("purpose", String(64), nullable=False),  # none: all of them
    Column("left_at", Moment, nullable=False, index=True),
    *honest(),  # under a key of the set `marks`, which also made the hash
)

# Of the last week, per folded address and under a weekly key: confirmation mails, from where they
# were asked for, mailed or not, by which link, and turns that this took of the recipient's domain;
# each in a domain of its own.
confirmation_count = Table(
    "confirmation_count",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("address_key", LargeBinary, nullable=False, index=True),
    Column("sent_at", Moment, nullable=False, index=True),
)

# A mail that somebody asked for, by its link to stop such mails (`consent/service_mails.py`).
service_mail = Table(
    "service_mail",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("subject", ForeignKey("subject.id"), nullable=False, index=True),
    # confirmation | fresh-link | asked-again | withdrawal | address
    Column("kind", String(16), nullable=False),
    Column("mailbox", LargeBinary, nullable=False, index=True),  # keyed hash of the folded address
    # What its link stops, where that is not the mailbox on file: as of a suppression.
    Column("address_hash", LargeBinary),
    Column("kid", Integer, nullable=False),  # the key that made it
    Column("sent_at", Moment, nullable=False, index=True),
)

# What was acknowledged and not yet worked off, sealed under an intake key.
intake = Table(
    "intake",
    metadata,
    Column("id", String(40), primary_key=True, info=within(1, 40)),
    # sign-up | fresh-link | address
    Column("kind", String(12), nullable=False, info=within(1, 12)),
    # Names a row of another database, so no foreign key holds it: a key goes when none names it.
    Column("key_id", String(40), nullable=False, index=True, info=within(1, 40)),
    Column("blind_index", LargeBinary, nullable=False, info=within(1, 64)),
    # The look-up key that made it; none in rows of the first release.
    Column("index_kid", Integer, info=within(1, 2**31 - 1)),
    Column("sealed", LargeBinary, nullable=False, info=within(1, 1 << 20)),
    Column("received_at", Moment, nullable=False, info=within(27)),
)

consent_text = Table(
    "consent_text",
    metadata,
    Column("hash", String(71), primary_key=True),
    Column("purpose", String(64), nullable=False),
    Column("locale", String(35), nullable=False),
    Column("bundle", LargeBinary, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("published_at", Moment, nullable=False),
    Column("retired_at", Moment),
)

privacy_notice = Table(
    "privacy_notice",
    metadata,
    Column("hash", String(71), primary_key=True),
    Column("locale", String(35), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("published_at", Moment, nullable=False),
)

guard_metadata = MetaData()

# In the guard's store, so that a restored backup of the data permits nothing of it again.
taking_away = Table("taking_away", guard_metadata, *_taking_away(), *honest())
