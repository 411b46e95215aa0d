"""A process gets a key into its keyring between a look and the question which keys are live.

What it looked for it named by the keys of before: the newer one is no key that it looked by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from audit.kinds import Actor
from consent import suppressions
from consent.errors import KeyringBehind
from consent.marks import Marks
from consent.moving import TOLD_BEFORE
from gateway.callers.api_keys import Scope
from gateway.flows.joining.asking_limits import AskingLimits
from gateway.flows.leaving import acknowledging
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from storage.together import Together
from tests.attacks.test_addresses_of_who_left import BOB, by_withdrawal, me
from tests.attacks.test_asked_elsewhere import SPELLED, bobs, stops
from tests.attacks.test_lagging_node import CLEO, beside
from tests.contract.test_ask_anew import NOW_ASKED, agreed, begin, finish, reworded
from tests.http.test_people_rights import Visit
from tests.promises.test_withdrawal_is_told import tell
from tests.support.addresses import ask
from tests.support.apps import ADA, App, start_app
from tests.support.calls import call
from tests.support.hostile import by_sql

__all__ = ["me"]

SECOND, A_WEEK = timedelta(seconds=1), timedelta(days=8)


@pytest.fixture
def learns_behind(monkeypatch: pytest.MonkeyPatch) -> Callable[[App, App, Any, str], None]:
    """Let a process have the keys of a newer one as soon as a look of that name was made."""

    def learns_behind(app: App, newer: App, owner: Any, name: str) -> None:
        look: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def looked(*given: Any, **named: Any) -> Any:
            found = await look(*given, **named)
            for kind, keys in app.parts.keyring.sets.items():
                keys.stand(newer.parts.keyring.sets[kind].keys, (), keys.learnt_at)
            return found

        monkeypatch.setattr(owner, name, looked)

    return learns_behind


async def test_nobody_is_told_of_a_withdrawal_who_stopped_such_mails(
    app: App, learns_behind: Callable[..., None]
) -> None:
    mail = await bobs(app)
    tell(app, "newsletter")
    await app.http.post(f"/confirm/{mail.token('confirm')}", data={"answer": "confirm"})
    async with beside(app, kind="suppression") as newer:
        await newer.sign_up(SPELLED)
        (other,) = await newer.deliver()
        await stops(newer, other)
        app.step(SECOND)
        bob = await newer.subject(BOB)
        learns_behind(app, newer, acknowledging._Mailboxes, "read")

        leaving = Withdrawal("newsletter", Actor.SUBJECT, "unsubscribe")
        await Withdrawals(app.parts).by_subject(bob or "", leaving)

        assert await newer.deliver() == []


async def test_no_dossier_leaves_a_block_out(app: App, learns_behind: Callable[..., None]) -> None:
    mail = await bobs(app)
    async with beside(app, kind="suppression") as newer:
        subject = await newer.subject(BOB)
        await stops(newer, mail)
        key = await newer.key(Scope.SUBJECTS_READ) | {"Access-Reason": "a letter"}
        learns_behind(app, newer, suppressions, "standing")

        assert (await call(app, key, "GET", f"/v1/subjects/{subject}/dossier"))[0] == 503


async def test_nobody_is_asked_anew(app: App, learns_behind: Callable[..., None]) -> None:
    text = await agreed(app, BOB, CLEO)
    async with beside(app, kind="suppression") as newer:
        await newer.sign_up(SPELLED)
        (mail,) = await newer.deliver()
        await stops(newer, mail)
        app.step(A_WEEK)
        async with start_app(reworded(app.parts.config, NOW_ASKED), app.parts.clock) as lagging:
            asking = await begin(lagging, text)
            learns_behind(lagging, newer, AskingLimits, "read")

            with pytest.raises(KeyringBehind):
                await finish(asking)

        assert await newer.send_due() == []


async def test_a_mailbox_that_was_left_is_not_asked(
    me: Visit, learns_behind: Callable[..., None]
) -> None:
    await ask(me, BOB)
    assert [one.to for one in await me.app.deliver()] == [ADA]
    async with beside(me.app, kind="marks") as newer:
        await by_withdrawal(newer)
        me.app.step(TOLD_BEFORE)
        learns_behind(me.app, newer, Marks, "read")

        assert await me.app.deliver() == []


async def test_nobody_who_is_found_by_that_key_alone_is_unknown(
    app: App, learns_behind: Callable[..., None]
) -> None:
    """The keys of before were let go by all who have it: who leaves by address would be nobody."""
    async with beside(app) as newer:
        await newer.subscribe(BOB)
        await by_sql(app, "DELETE FROM subject_index WHERE kid = 1")
        learns_behind(app, newer, Together, "rows")

        with pytest.raises(KeyringBehind):
            await app.subject(BOB)

        assert await app.subject(BOB)
