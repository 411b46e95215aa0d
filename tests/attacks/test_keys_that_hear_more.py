"""By SQL: a key that is bound to one purpose hears of people who never agreed to that."""

from __future__ import annotations

from sqlalchemy import insert, update

from consent.external_id_tables import external_id
from consent.tables import consent
from gateway.callers.api_keys import Scope
from tests.contract.test_following import confirmed, poll, reader, signed_up
from tests.support.apps import ADA, App
from tests.support.stops import stops_of
from tests.support.stores import rows


async def test_a_planted_consent_releases_no_address_to_a_bound_key(app: App) -> None:
    """Nor what somebody is called for another purpose, whose row is said to be of this one."""
    bound = await reader(app, Scope.CHANGES_ADDRESSES, purposes=["updates"])
    await confirmed(app, await signed_up(app, {"crm": "4711"}, ADA, "newsletter"))
    await stops_of(app.parts).restrict(await app.subject() or "")
    async with app.parts.data.begin() as connection:
        (one,) = await rows(connection, consent)
        planted = {**one, "id": f"con_{'0' * 26}", "purpose": "updates"}
        await connection.execute(insert(consent).values(planted))

    assert (await poll(app, bound))["changes"] == []


async def test_a_name_for_one_purpose_is_told_for_no_other(app: App) -> None:
    bound = await reader(app, purposes=["updates"])
    await confirmed(app, await signed_up(app, {"crm": "4711"}, ADA, "newsletter"))
    await app.subscribe(ADA, "updates")
    async with app.parts.data.begin() as connection:
        await connection.execute(update(external_id).values(purpose="updates"))

    assert [one["external_ids"] for one in (await poll(app, bound))["changes"]] == [{}]
