"""Somebody is erased while what is kept of them is handed out: what stays of them is locked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.kinds import Actor, Kind
from consent.erasures import Stage
from gateway.flows.errors import PersonEnded
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.defence_bundle import DefenceBundles
from gateway.flows.proving.defend import Defences, Defended, Owned
from gateway.flows.proving.exports import Exports, at_once
from gateway.keyfiles import dkim_public
from tests.contract.test_defend import WHY, looks, newsletter
from tests.promises.test_erased_is_erased import erase
from tests.support.apps import App


async def test_a_bundle_that_was_asked_for_before_an_erasure_opens_nothing_that_is_locked_since(
    app: App,
) -> None:
    """Whoever may not open locked evidence would have it, and no event would tell of that."""
    parts, config = app.parts, app.parts.config
    _, mail = await newsletter(app)
    await app.tick()
    evidences = Evidences(
        parts.data, parts.keystore, parts.consents, parts.log, parts.clock, at_once
    )
    owned = Owned(dkim_public.ever(config), dkim_public.domains(config))
    opening = Opening(Actor.API, WHY, "key_1")
    found = await Defences(evidences, lambda: owned, at_once, opens_locked=False).of(
        mail.raw, opening
    )
    assert isinstance(found, Defended)
    assert found.subject

    _, begun = await erase(app)
    assert begun["state"] == Stage.DONE
    assert begun["locked_until"]
    told = replace(opening, case=found.case)
    bundle = await DefenceBundles(Exports(parts, at_once), evidences).of(found, told, {})

    assert bundle is not None
    with pytest.raises(PersonEnded):
        [piece async for piece in bundle]
    assert await looks(app, Kind.EVIDENCE_OPENED) == []
