"""A form is posted: keep it sealed and answer; everything else happens later.

The answer is given before the address is looked at, so it cannot tell a
stranger anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, intakes
from consent.intakes import Intake
from consent.keys import blind, seal
from gateway import limits
from gateway.errors import TooMany
from gateway.parts import Parts
from storage.ids import ordered_id
from storage.secret import Secret


class RenderedBy(StrEnum):
    """Who showed the wording to the person, as far as we can know."""

    PAGE = "page"  # our hosted page, by its stamp
    SCRIPT = "script"  # our script, by its stamp
    ASSERTED = "asserted"  # the caller says so


@dataclass(frozen=True, slots=True)
class Asked:
    """One purpose of a sign-up with the wording that was shown for it."""

    purpose: str
    text_hash: str


@dataclass(frozen=True, slots=True)
class SignUp:
    """What a form said, checked for shape; the address is as typed."""

    form: str
    email: address.Address
    locale: str
    asked: tuple[Asked, ...]
    rendered_by: RenderedBy = RenderedBy.ASSERTED
    page_url: str | None = field(default=None, repr=False)
    form_digest: str | None = None
    client: str | None = field(default=None, repr=False)
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_mailbox: bool = False  # who asks has just opened a link in that mailbox


@dataclass(frozen=True, slots=True)
class Posted:
    """A sign-up and whose network it came from, as far as that is known."""

    sign_up: SignUp
    network: str | None = field(repr=False)


async def accept(parts: Parts, sign_up: SignUp, network: str | None) -> None:
    """Keep an acknowledged sign-up; raises `TooMany` for network and form limits only.

    Once this returned the sign-up survives the process. The work does not
    depend on whether the address is known.
    """
    (wait,) = await accept_all(parts, [Posted(sign_up, network)])
    if wait is not None:
        raise TooMany(wait)


async def accept_all(parts: Parts, posted: Sequence[Posted]) -> list[timedelta | None]:
    """Keep sign-ups in one transaction; answers for each how long to wait, None when it is kept.

    What one of them is refused for stops no other. Limits of network and form
    are told; those of address and domain act later, silently.
    """
    wall = parts.clock.wall()
    key_id, key = await parts.keystore.intake_key(wall)
    (_, weekly), *_ = await parts.keystore.limit_keys(wall)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        waits = [await _wait_of(parts, connection, weekly, one, now) for one in posted]
        kept = [one.sign_up for one, wait in zip(posted, waits, strict=True) if wait is None]
        if kept:
            await intakes.add(connection, [_seal(parts, one, key_id, key, now) for one in kept])
    return waits


def _seal(parts: Parts, sign_up: SignUp, key_id: str, key: Secret, now: datetime) -> Intake:
    intake_id = ordered_id("int", now)
    index = blind.blind_index(parts.keyring.blind_index, sign_up.email.canonical)
    raw = json.dumps(_document(sign_up), ensure_ascii=False).encode()
    return Intake(intake_id, key_id, index, seal.seal(key.reveal(), raw, _aad(intake_id)), now)


async def _wait_of(
    parts: Parts, connection: AsyncConnection, weekly: Secret, one: Posted, now: datetime
) -> timedelta | None:
    """Network first: a flood from one network must not use up the form for all others."""
    if not parts.config.limits.enabled:
        return None
    counted = [(limits.FORM, one.sign_up.form)]
    if one.network is not None:
        counted.insert(0, (limits.NETWORK, one.network))
    for limit, value in counted:
        wait = await limits.hit(connection, limits.limit_key(weekly, limit, value), limit, now)
        if wait is not None:
            return wait
    return None


def read(intake: Intake, key: bytes) -> SignUp:
    """Open what `accept` sealed."""
    document = json.loads(seal.open_sealed(key, intake.sealed, _aad(intake.id)))
    return SignUp(
        form=document["form"],
        email=address.Address(**document["email"]),
        locale=document["locale"],
        asked=tuple(Asked(**one) for one in document["asked"]),
        rendered_by=RenderedBy(document["rendered_by"]),
        page_url=document["page_url"],
        form_digest=document["form_digest"],
        client=document["client"],
        profile=document["profile"],
        by_mailbox=document["by_mailbox"],
    )


def _document(sign_up: SignUp) -> dict[str, object]:
    return asdict(sign_up)


def _aad(intake_id: str) -> tuple[str, ...]:
    return ("consentgw/intake/v1", *intakes.place(intake_id))
