"""What a decision is made from, read after the gates are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import links
from consent.consents import Consent, Consents
from consent.gates import Gate
from consent.model import Reason
from consent.policy import Facts

_SUPPRESSED = {
    "complaint": Reason.SUPPRESSED_COMPLAINT,
    "bounce": Reason.SUPPRESSED_BOUNCE,
}
UNKNOWN = Facts(None, restricted=False, objected=False, suppressed=None, consents=())


async def read(
    connection: AsyncConnection,
    consents: Consents,
    held: Mapping[str, Gate],
    pairs: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], Facts]:
    """The facts of each (subject, purpose); a subject without a gate is unknown."""
    found = await consents.of_subjects(connection, held)
    return {
        (subject, purpose): _facts(held.get(subject), found.get(subject, ()), purpose)
        for subject, purpose in pairs
    }


def _facts(gate: Gate | None, consents: Sequence[Consent], purpose: str) -> Facts:
    if gate is None:
        return UNKNOWN
    return Facts(
        subject_state=gate.state,
        restricted=gate.restricted_at is not None,
        objected=gate.objected_at is not None,
        suppressed=_SUPPRESSED[gate.suppressed] if gate.suppressed else None,
        consents=[one for one in consents if one.purpose == purpose],
    )


async def asked_by(
    connection: AsyncConnection, consents: Consents, regarding: Iterable[str]
) -> dict[str, list[Consent]]:
    """The consents that confirmation mails ask for, by the mail's `regarding` (a token's hash)."""
    named = await links.asked(connection, [bytes.fromhex(one) for one in regarding])
    rows = await consents.get(connection, {one for ids in named.values() for one in ids})
    return {token.hex(): [rows[one] for one in ids if one in rows] for token, ids in named.items()}
