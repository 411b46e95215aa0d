"""A form is posted: keep it sealed and answer; everything else happens later.

The answer is given before the address is looked at, so it cannot tell a
stranger anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from consent import address, blind, intakes, seal
from consent.intakes import Intake
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
    page_url: str | None = None
    form_digest: str | None = None
    client: str | None = None
    profile: Mapping[str, str] = field(default_factory=dict)


async def accept(parts: Parts, sign_up: SignUp, network: str | None) -> None:
    """Keep an acknowledged sign-up; raises `TooMany` for network and form limits only.

    Once this returned the sign-up survives the process. The work does not
    depend on whether the address is known.
    """
    raw = json.dumps(_document(sign_up), ensure_ascii=False).encode()
    index = blind.blind_index(parts.keyring.blind_index, sign_up.email.canonical)
    wall = parts.clock.wall()
    key_id, key = await parts.keystore.intake_key(wall)
    (_, weekly), *_ = await parts.keystore.limit_keys(wall)
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        if parts.config.limits.enabled:
            await _keep_within_limits(connection, weekly, network, sign_up.form, now)
        intake_id = ordered_id("int", now)
        sealed = seal.seal(key.reveal(), raw, _aad(intake_id))
        await intakes.add(connection, [Intake(intake_id, key_id, index, sealed, now)])


async def _keep_within_limits(
    connection: AsyncConnection, weekly: Secret, network: str | None, form: str, now: datetime
) -> None:
    """Limits of network and form are told; those of address and domain act later, silently."""
    counted = [(limits.FORM, form)]
    if network is not None:
        counted.insert(0, (limits.NETWORK, network))
    for limit, value in counted:
        wait = await limits.hit(connection, limits.limit_key(weekly, limit, value), limit, now)
        if wait is not None:
            raise TooMany(wait)


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
    )


def _document(sign_up: SignUp) -> dict[str, object]:
    return asdict(sign_up)


def _aad(intake_id: str) -> tuple[str, ...]:
    return ("consentgw/intake/v1", *intakes.place(intake_id))
