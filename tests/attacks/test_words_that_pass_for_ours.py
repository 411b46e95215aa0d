"""A caller chooses words that pass for those of the person, or for a gateway's own."""

from __future__ import annotations

from audit.kinds import Actor
from consent import address
from gateway.callers.api_keys import Scope
from gateway.flows.by import OWN_WAYS, By
from gateway.flows.joining import answering
from gateway.flows.leaving import ending
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving.verify import verify
from gateway.flows.restoring import replay
from gateway.flows.rights import erase, lifted_links, move, rectify, stops
from gateway.flows.sending.permission import Question
from gateway.look import terms
from tests.http.test_export import taken
from tests.http.test_people_rights import visit
from tests.support.apps import ADA, App
from tests.support.calls import call


async def test_nobody_passes_on_a_withdrawal_as_a_way_of_ours(app: App) -> None:
    """The proof of a consent would say that the person came by a page that they never saw."""
    await app.subscribe()
    key = await app.key(Scope.CONSENTS_WITHDRAW, Scope.SUBJECTS_MANAGE)
    ada = {"email": ADA}
    bodies = {
        "/v1/withdrawals": {"to": ada, "purpose": "newsletter", "kind": "withdraw"},
        "/v1/erasures": ada,
        "/v1/rights-requests": ada | {"kind": "access"},
    }
    for path, body in bodies.items():
        for way in OWN_WAYS if path == "/v1/withdrawals" else ["my-data"]:
            status, said = await call(app, key, "POST", path, body | {"channel": way})
            assert (status, said["errors"][0]["pointer"]) == (422, "/channel")
    assert {
        *(ending.NOT_ME, answering.DECLINED, answering.NOT_CHOSEN, replay.CHANNEL),
        *(stops.CHANNEL, rectify.CHANNEL, lifted_links.CHANNEL, erase._CHANNEL),
        *move._CHANNEL.values(),
    } <= OWN_WAYS


async def test_a_not_me_that_a_caller_told_of_convicts_no_row(app: App) -> None:
    """A key that may withdraw would have every verification fail for ever."""
    await app.subscribe()
    told = Withdrawal("newsletter", Actor.API, ending.NOT_ME, by=By("key_1"))
    await Withdrawals(app.parts).withdraw(Question("newsletter", address.parse(ADA)), told)
    await app.tick()

    assert (await verify(app.parts)).rows == []


async def test_who_looked_is_told_beside_why_whatever_they_say(app: App) -> None:
    await app.subscribe()
    key = await app.key(Scope.SUBJECTS_READ)
    path = f"/v1/subjects/{await app.subject()}/dossier"
    assert (await call(app, key | {"Access-Reason": terms.OWN_LOOK}, "GET", path))[0] == 200

    _, page = await taken(await visit(app), "html")

    assert page.decode().count("You yourself, by a personal link") == 1, "the look of this session"
    assert f"a program with a key: {terms.OWN_LOOK}" in page.decode().replace("&#39;", "'")
