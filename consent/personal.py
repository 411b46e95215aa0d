"""What is kept of a person for operations: sealed under their own key, bound to its row.

Nothing else opens an address or an answer. Each function says what it means
that the key is gone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from audit.entry import Opener, Sealer
from consent.consents import Consent
from consent.gates import Gate
from consent.keys.vault import Compartment

_PROFILE = Compartment.PROFILE


def seal_mailbox(subject: str, mailbox: str, sealer: Sealer) -> bytes:
    """The address as mail is sent to it, for the person's row."""
    return sealer.seal(subject, _PROFILE, _mailbox_place(subject), mailbox.encode())


def open_mailbox(gate: Gate, opener: Opener) -> str | None:
    """The address that mail is sent to; None where there is none, or its key is gone."""
    return None if gate.address is None else mailbox_in(gate.subject, gate.address, opener)


def mailbox_in(subject: str, sealed: bytes, opener: Opener) -> str | None:
    """As `open_mailbox`, of what the person's row holds."""
    raw = opener.open(subject, _PROFILE, _mailbox_place(subject), sealed)
    return None if raw is None else raw.decode()


def seal_profile(subject: str, answers: Mapping[str, str], sealer: Sealer) -> bytes | None:
    """What confirmed requests said, for the person's row; None for nothing."""
    return _seal(subject, ("subject", "profile", subject), answers, sealer)


def open_profile(gate: Gate, opener: Opener) -> dict[str, str]:
    """What confirmed requests said; nothing where the key is gone."""
    return _open(gate.subject, ("subject", "profile", gate.subject), gate.profile, opener)


def seal_answers(
    subject: str, consent: str, answers: Mapping[str, str], sealer: Sealer
) -> bytes | None:
    """Form answers, for the row of the request that they wait with; None for nothing."""
    return _seal(subject, ("consent", "profile", consent), answers, sealer)


def open_answers(consent: Consent, opener: Opener) -> dict[str, str]:
    """The answers that wait with a request; nothing where the key is gone."""
    return _open(consent.subject, ("consent", "profile", consent.id), consent.profile, opener)


def _mailbox_place(subject: str) -> tuple[str, str, str]:
    # Names of the time of sealing, here and above: with one changed, nothing old opens any more.
    return ("subject", "address", subject)


def _seal(
    subject: str, place: tuple[str, str, str], answers: Mapping[str, str], sealer: Sealer
) -> bytes | None:
    if not answers:
        return None
    raw = json.dumps(dict(answers), ensure_ascii=False).encode()
    return sealer.seal(subject, _PROFILE, place, raw)


def _open(
    subject: str, place: tuple[str, str, str], sealed: bytes | None, opener: Opener
) -> dict[str, str]:
    raw = None if sealed is None else opener.open(subject, _PROFILE, place, sealed)
    # Read as it is: what opens under the person's key is what we sealed there.
    return {} if raw is None else dict(json.loads(raw))
