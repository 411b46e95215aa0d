"""What a decision is made from, read after the gates are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import erasures, links
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.model import Reason, SubjectState
from consent.policy import Facts

_SUPPRESSED = {
    "complaint": Reason.SUPPRESSED_COMPLAINT,
    "bounce": Reason.SUPPRESSED_BOUNCE,
}
UNKNOWN = Facts(None, restricted=False, objected=False, suppressed=None, consents=())
ERASED = replace(UNKNOWN, subject_state=SubjectState.ERASED)


async def read(
    connection: AsyncConnection,
    consents: Consents,
    held: Mapping[str, Gate],
    pairs: Iterable[tuple[str, str]],
    now: datetime,
    theirs: Mapping[str, Sequence[Consent]] | None = None,
) -> dict[tuple[str, str], Facts]:
    """The facts of each (subject, purpose) as of *now*.

    A subject without a gate is unknown, or was erased at their own request. *theirs* are their
    consents, where they were read already.
    """
    wanted = list(pairs)
    missing = {subject for subject, _ in wanted} - held.keys()
    erased = await erasures.of_subjects(connection, consents.keys, missing) if missing else {}
    if theirs is None:
        theirs = await consents.of_subjects(connection, held)
    found = await consents.judged(connection, theirs, now)
    honest = {subject: consents.vouches(gate) for subject, gate in held.items()}
    return {
        (subject, purpose): ERASED
        if subject in erased
        else _facts(
            held.get(subject),
            [one for one in found.get(subject, ()) if one.purpose == purpose],
            consents.sender_of(purpose),
            honest=honest.get(subject, False),
        )
        for subject, purpose in wanted
    }


def _facts(
    gate: Gate | None, consents: Sequence[Consent], sender: str | None, *, honest: bool
) -> Facts:
    if gate is None:
        return UNKNOWN
    return Facts(
        subject_state=gate.state,
        restricted=gate.restricted_at is not None,
        objected=gate.objected_at is not None,
        suppressed=_suppressed(gate),
        consents=consents,
        asking_blocked_at=gate.asking_blocked_at,
        honest=honest,
        sender=sender,
    )


def _suppressed(gate: Gate) -> Reason | None:
    """A word that we never wrote stops like the gravest that we know."""
    if gate.suppressed is None:
        return None
    return _SUPPRESSED.get(gate.suppressed, Reason.SUPPRESSED_COMPLAINT)


async def asked_by(
    connection: AsyncConnection, consents: Consents, token_hashes: Iterable[bytes]
) -> dict[bytes, list[Consent]]:
    """The consents that confirmation mails ask for, by the hash of the mail's token."""
    named = await links.asked(connection, token_hashes)
    rows = await consents.get(connection, set(chain.from_iterable(named.values())))
    return {token: [rows[name] for name in ids if name in rows] for token, ids in named.items()}
