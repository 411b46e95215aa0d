"""A gateway that has lived, with rows of many people in every table, and what it lets happen.

It is made once; each attack gets a copy, on which a process is started anew.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import rfc8785
from sqlalchemy import insert

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import address, fresh_links, gates, policy, suppressions, texts, tokens
from consent.external_ids import Ids
from consent.feed import Change
from consent.keys import nodes, sets, verified
from consent.keys.epochs import Epoch, EpochState, row_of
from consent.keys.nodes import Held
from consent.keys.sets import KeyName, SetKey
from consent.keys.tables import kek_epoch, set_key
from consent.keys.vault import OF_PEOPLE
from consent.keys.verified import VerifiedBackup
from consent.links import Route
from consent.model import Granted
from consent.suppressions import Stop, Suppression
from consent.tellings import Failure
from delivery import leases
from delivery.desk import Ended
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.callers import api_keys
from gateway.callers.api_keys import ApiKey, Scope
from gateway.config.config import Config
from gateway.flows.campaigning import launch
from gateway.flows.campaigning.steering import By, Refusal, Steering
from gateway.flows.joining import publish_texts
from gateway.flows.leaving import preferences
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving import verify
from gateway.flows.rights import erasing
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.holds import Holds
from gateway.flows.rights.pace import Apart
from gateway.flows.rights.rectify import Rectifying
from gateway.flows.rights.session import close_session, open_session, session_of
from gateway.flows.rights.telling import receivers_of
from gateway.flows.sending import permission
from gateway.flows.sending.permission import Question
from gateway.parts import Parts
from gateway.process import duties
from gateway.process.desk import Desk
from gateway.process.duties import Duty
from gateway.process.lifespan import open_parts
from gateway.schema.tables import spent_stamp
from storage import bad_rows
from storage.errors import StorageAway
from storage.keysets import KeyState
from tests.support import seats
from tests.support.apps import App, Mail, serve, tellings_of
from tests.support.campaigns import expand, order_of, stores_of
from tests.support.clock import SteppedClock
from tests.support.databases import Urls
from tests.support.gaps import gap
from tests.support.seats import Seat
from tests.support.stops import paces_of
from tests.support.stores import Rows, dump

PURPOSES = ("newsletter", "updates")
CROWD = 18
DOMAINS = ("example.org", "example.net", "example.com")
HELD = f"judy0@{DOMAINS[0]}"
_MINUTE, _DAY, YEAR = timedelta(minutes=1), timedelta(days=1), timedelta(days=365)
Earlier = dict[str, dict[str, Rows]]  # by database and table


@dataclass
class Person:
    """Somebody with a consent, mails, and links of each kind."""

    email: str
    subject: str = ""
    tokens: list[str] = field(default_factory=list)  # of confirmation mails
    why: str = ""
    spent: str = ""  # a fresh link
    link: str = ""  # another one, not spent
    session: bytes = b""


# Without words for a whole database: asyncio puts what a task returns into words at each end.
@dataclass(repr=False)
class Life:
    """Who lived, what opens what, and the rows of both databases as they stood before the end."""

    people: list[Person]
    keys: dict[str, ApiKey]  # by token
    revoked: str
    text: str  # the hash of a wording that is current
    seats: list[Seat]
    earlier: Earlier


@dataclass(repr=False)
class Lived(Life):
    """The gateway as it stands, closed."""

    config: Config
    moment: datetime
    urls: Urls

    @property
    def untouched(self) -> Person:
        """Whose rows no attack touches."""
        return self.people[-1]

    def at(self, urls: Urls) -> Config:
        """The configuration of a copy."""
        data, keys = urls
        storage = self.config.storage.model_copy(update={"url": data, "keystore_url": keys})
        return self.config.model_copy(update={"storage": storage})


CAMPAIGNS, TO_COME = 4, 44
NEW = "new"  # what addresses that people asked for begin with


@dataclass
class Outcome:
    """What a process that was started on some rows lets happen."""

    granted: set[tuple[str, str]]
    accepted: dict[str, ApiKey]
    opened: set[tuple[str, str]]  # whose link or session, and whose data
    mails: Counter[str]
    failed: list[str]  # duties
    named: list[str]  # by the verification
    answers: dict[str, int]  # of pages of somebody untouched, and of a stranger's form

    def beyond(self, other: Outcome) -> list[str]:
        """What it lets happen, and *other* does not."""
        more = self.mails - other.mails
        found = [f"granted {one}" for one in self.granted - other.granted]
        found += [f"opened {one}" for one in self.opened - other.opened]
        # A new mailbox is asked a minute after the old one: whoever sets the row's time back lets
        # that one mail come at once.
        more -= Counter(one for one in more if one.startswith(NEW) and one not in other.mails)
        found += [f"{count} more mails to {one}" for one, count in more.items()]
        for token, key in self.accepted.items():
            known = other.accepted.get(token)
            if known is None or (key.scopes, key.senders, key.purposes) != (
                known.scopes,
                known.senders,
                known.purposes,
            ):
                found.append(f"a key {key.id} with {sorted(key.scopes)}")
        return found


async def live(app: App) -> Life:
    """Let people sign up, confirm, read, leave."""
    # At several domains: each is asked seldom.
    people = [Person(f"p{number:02}@{DOMAINS[number % 3]}") for number in range(CROWD)]
    people.append(Person("grace@example.org"))
    by_email = {one.email: one for one in people}
    parts = app.parts
    old = await _publish_others(parts)
    keys = dict([await _key(parts, name) for name in by_email])
    await _seed(parts)
    await _forget_some(app)
    holding, lifted = await _hold_some(app)
    callers = list(keys)
    for purpose in PURPOSES:
        for number, one in enumerate(people):
            await _sign_up(app, one.email, purpose, number)
        for mail in await app.deliver():
            by_email[mail.to].tokens.append(mail.token("confirm"))
        if purpose == PURPOSES[0]:  # the other one waits
            await _confirm(app, people)
    await _post(app, people, callers, "first")
    for mail in await app.deliver():
        by_email[mail.to].why = mail.token("why")
    await _open_sessions(app, people)
    app.step(_DAY + _MINUTE)
    asking = [one for number, one in enumerate(people) if number != AGAIN]
    for one, token in zip(asking, await _fresh_links(app, asking), strict=True):
        one.link = token
    people[AGAIN].link = people[AGAIN].spent
    await _write_to_all(app)
    await _post(app, people, callers, "second")
    asked = [await _ask_by_right(app, one) for one in people]
    await app.tick()
    await _tell(parts)
    at_desk = await seats.fill(parts)
    await app.tick()
    earlier = {"data": await dump(parts.data), "keys": await dump(parts.key_database)}
    await _go_on(app, people, old)
    await seats.empty(parts, at_desk)
    await _decide(app, asked)
    assert await holding.lift(lifted, Actor.API)
    left = [one for number, one in enumerate(people) if number not in GONE]
    await _post(app, left[::2], callers, "third")
    await _pause(parts, left[1::2])
    revoked = callers[REVOKED]
    await _revoke(parts, keys[revoked])
    await app.tick()
    await _tell(parts)
    await _ask_for_addresses(app, left)  # with a turn of the duties: what is untold comes after
    await _leave_untold(app)
    # Acknowledged, and not worked off:
    for number in range(4):
        await _sign_up(app, f"henry{number}@example.org", "newsletter", CROWD + 1)
    await app.http.post("/my-data", data={"email": people[AGAIN].email})
    (text,) = await app.texts("newsletter")
    return Life(people, keys, revoked, text, at_desk, earlier)


async def _write_to_all(app: App) -> None:
    """Campaigns: some over, some that stand still with all of their messages, more to come."""
    steering = Steering(stores_of(app.parts), app.parts.permit_wait)
    for number in range(CAMPAIGNS):
        name = await launch.launch(stores_of(app.parts), order_of(f"To all {number}"))
        assert isinstance(name, str)
        await expand(app.parts)
        if number % 2:
            paused = await steering.pause(name, By(Actor.OPERATOR))
            assert not isinstance(paused, Refusal)
        else:
            await app.deliver()
            await expand(app.parts)
    for number in range(TO_COME):
        later = order_of(f"Later {number}", starts_at=app.parts.clock.wall() + YEAR)
        await launch.launch(stores_of(app.parts), later)


async def _tell(parts: Parts) -> None:
    """Others hear of what happened; some of it is acknowledged."""

    async def send(_: str, change: Change, _ids: Ids) -> Failure | None:
        hears = int(sha256(change.id.encode()).hexdigest(), 16) % 2 == 0
        return None if hears else Failure(status=503)

    receivers = receivers_of(parts.config)
    told = tellings_of(parts, send)
    await told.spread()
    for name in receivers:
        await told.tell(name)


async def _pause(parts: Parts, people: list[Person]) -> None:
    """Of people to whom nothing is on its way: what they choose holds nothing back."""
    paces = paces_of(parts)
    for one in people:
        await paces.choose(one.subject, 1, Apart.WEEK)


async def _open_sessions(app: App, people: list[Person]) -> None:
    parts = app.parts
    for one, token in zip(people, await _fresh_links(app, people), strict=True):
        one.spent = token
        raw = await open_session(parts, token)
        assert raw is not None
        session = await session_of(
            parts.data, parts.keystore.sessions, parts.clock, parts.rows, raw
        )
        assert session is not None
        one.session, one.subject = raw, session.subject


async def _seed(parts: Parts) -> None:
    """Rows of what one gateway has few of: one is altered in each column at once."""
    some = range(20)
    notices = [texts.notice_of("en", f"# Notice {number}\n") for number in some]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        blocked = [Suppression(bytes([n]) * 16, Stop.ASKING, now + YEAR, kid=1) for n in some]
        await suppressions.add(connection, blocked, now)
        made, _ = publish_texts.bundles(parts.config)
        await texts.publish(connection, made, notices, now)
        for number in some:
            await leases.register(connection, f"wrk_{number}", "boot", now, YEAR)
        spent = [
            {"nonce_hash": bytes([n]) * 32, "post_mark": bytes(32), "spent_at": now} for n in some
        ]
        await connection.execute(insert(spent_stamp), spent)
        gone = {f"msg_{number:026}": "failed" for number in some}
        await bad_rows.park(connection, "outbox", gone, now)
    strangers = [f"sub_{number:026}" for number in some]
    await parts.keystore.erase(strangers, list(OF_PEOPLE), now)
    async with parts.key_database.begin() as connection:
        for number in some:
            one = Epoch(10 + number, EpochState.DESTROYED, now)
            await connection.execute(insert(kek_epoch).values(row_of(parts.rows, one)))
            name = KeyName("rows", 10 + number)
            key = SetKey(name, KeyState.DESTROYED, now, "00" * 8, told="destroyed")
            await connection.execute(insert(set_key).values(sets.row_of(parts.rows, key)))
            held = [Held("kek", 1, "00" * 8)]
            await nodes.report(connection, f"nod_{number:025}x", "host/1", held, now)
            states = {1: EpochState.ACTIVE}
            seen = VerifiedBackup(f"backup-{number}x", now, now, states, frozenset([1]))
            await verified.record(connection, parts.rows, seen)


async def _forget_some(app: App) -> None:
    """People who asked to be erased; what proves their consents is locked."""
    for number in range(4):
        email = f"ivy{number}@{DOMAINS[number % 3]}"
        await app.subscribe(email)
        asked = Request(Question("", address.parse(email)), Actor.API, "letter")
        erasure = await Erasures(erasing.Erasing(app.parts)).erase(asked)
        assert erasure is not None
        assert erasure.locked_until is not None


async def _hold_some(app: App) -> tuple[Holds, str]:
    """People whose proof is needed, one of whom asked to be erased; and a hold that ends later."""
    holding, placed = Holds(erasing.Erasing(app.parts)), ""
    until = app.parts.clock.wall() + YEAR
    for number in range(4):
        email = f"judy{number}@{DOMAINS[number % 3]}"
        await app.subscribe(email)
        subject = await app.subject(email)
        assert subject is not None
        placed = await holding.place(subject, "a dispute", until, Actor.API) or ""
        assert placed
    asked = Request(Question("", address.parse(HELD)), Actor.API, "letter")
    held = await Erasures(erasing.Erasing(app.parts)).erase(asked)
    assert held is not None
    assert held.state == "held"
    return holding, placed


async def _ask_for_addresses(app: App, people: list[Person]) -> None:
    """What was asked for and nobody pressed: both mailboxes' mails wait."""
    for number, one in enumerate(people[:-1]):
        new = address.parse(f"{NEW}{number}@{DOMAINS[number % 3]}")
        assert await Rectifying(app.parts).ask(one.subject, new, None) is None
    await app.tick()


async def _leave_untold(app: App) -> None:
    """What the guard's store has not heard of yet: whoever left got no answer."""
    subject = await app.subject(f"judy1@{DOMAINS[1]}")
    assert subject is not None
    left = Withdrawal(None, Actor.SUBJECT, "letter")
    with gap(app.parts.guard, 1, happened=False), suppress(StorageAway):
        await Withdrawals(app.parts).by_subject(subject, left)


async def _sign_up(app: App, email: str, purpose: str, number: int) -> None:
    body = await app.posted(email, purpose, profile={"first_name": "Ada"})
    network = f"198.51.100.{number}"
    headers, path = {"X-Forwarded-For": network}, "/forms/signup"
    if number % 4 == 0:  # a back end passes it on
        body |= {"form": "signup", "visitor_network": network, "external_ids": {"crm": "4711"}}
        headers = {"Authorization": f"Bearer {(await _key(app.parts, 'shop'))[0]}"}
        path = "/v1/signups"
    async with app.http.post(path, json=body, headers=headers) as answer:
        assert answer.status == 202


async def _confirm(app: App, people: list[Person]) -> None:
    for one in people:
        async with app.http.post(f"/confirm/{one.tokens[0]}", data={"answer": "confirm"}) as page:
            assert page.status == 200


# What became of some of them after the earlier copy, by their number; one asks for a link again.
WITHDREW, OBJECTED, NOT_ME, SPENT, LEFT, BOUNCED, REVOKED, ERASED, AGAIN = range(9)
GONE = frozenset({WITHDREW, OBJECTED, BOUNCED, ERASED})


async def _go_on(app: App, people: list[Person], old: str) -> None:
    parts = app.parts
    await _deliver_but(app, people[BOUNCED].email)
    headers = {"Authorization": f"Bearer {(await _key(parts, 'crm'))[0]}"}
    for number, body in (
        (WITHDREW, {"kind": "withdraw", "purpose": "newsletter"}),
        (OBJECTED, {"kind": "object", "all": True}),
    ):
        body = {"to": {"email": people[number].email}, "channel": "letter", **body}
        async with app.http.post("/v1/withdrawals", json=body, headers=headers) as answer:
            assert answer.status == 200
    async with app.http.post(
        f"/confirm/{people[NOT_ME].tokens[1]}", data={"answer": "reject"}
    ) as page:
        assert page.status == 200
    assert await open_session(parts, people[SPENT].link) is not None
    await close_session(parts.data, parts.keystore.sessions, parts.rows, people[LEFT].session)
    await _erase(parts, people[ERASED].subject)
    await _retire(parts, old)
    app.step(11 * _MINUTE)
    await app.tick()


async def outcome(lived: Lived, urls: Urls, *, verified: bool = True) -> Outcome:
    """Start a process on these databases, let it do everything once, and look."""
    async with AsyncExitStack() as stack:
        opened_parts = open_parts(lived.at(urls), SteppedClock(lived.moment))
        parts = await stack.enter_async_context(opened_parts)
        named = await _said(parts) if verified else []  # before a start puts anything in order
        app = await stack.enter_async_context(serve(parts))
        granted = await _granted(parts, lived.people)
        accepted = await _accepted(parts, lived)
        opened = await _opened(parts, lived.people) | await seats.opened(parts, lived.seats)
        failed = [one.name for one in duties.of(parts) if not await _runs(one)]
        mails = Counter(mail.to for mail in await app.send_due())
        answers = await _answers(app, lived)
        return Outcome(granted, accepted, opened, mails, failed, named, answers)


async def said(lived: Lived, urls: Urls) -> list[str]:
    """What a verification says of these databases."""
    async with open_parts(lived.at(urls), SteppedClock(lived.moment)) as parts:
        return await _said(parts)


async def _said(parts: Parts) -> list[str]:
    found = await verify.verify(parts)
    return [*found.rows, *(one.text for one in found.report.findings)]


async def _runs(duty: Duty) -> bool:
    try:
        while await duty.run():
            pass
    except Exception as error:  # noqa: BLE001 as `duties` does, and goes on with the others
        print(f"{duty.name}: {error!r}")
        return False
    return True


async def _granted(parts: Parts, people: list[Person]) -> set[tuple[str, str]]:
    asked = [(one.email, purpose) for one in people for purpose in PURPOSES]
    questions = [Question(purpose, email=address.parse(email)) for email, purpose in asked]
    async with parts.data.read() as connection:
        advised = await permission.advise(parts, connection, questions)
    return {
        one for one, said in zip(asked, advised.decisions, strict=True) if isinstance(said, Granted)
    }


async def _accepted(parts: Parts, lived: Lived) -> dict[str, ApiKey]:
    async with parts.data.read() as connection:
        found = {one: await api_keys.find(connection, parts.rows, one) for one in lived.keys}
    return {token: key for token, key in found.items() if key is not None}


async def _opened(parts: Parts, people: list[Person]) -> set[tuple[str, str]]:
    """Whose data every link and session that ever was leads to."""
    opened: set[tuple[str, str]] = set()
    for one in people:
        found = await session_of(
            parts.data, parts.keystore.sessions, parts.clock, parts.rows, one.session
        )
        if found is not None:
            opened.add((f"session of {one.email}", found.subject))
        for route in (Route.WHY, Route.PREFERENCES):
            look = preferences.look(parts.data, parts.clock, parts.consents, route, one.why)
            if (seen := await look) is not None:
                opened.add((f"mail of {one.email}", seen.subject))
        async with parts.data.read() as connection:
            now = await parts.clock.now(connection)
            links = {
                which: await fresh_links.find(connection, parts.rows, _hash(which))
                for which in (one.link, one.spent)
            }
        for which, link in links.items():
            if link is None or not policy.usable(link, now):
                continue
            # A row that says "not spent" is not believed alone, as it may have been altered.
            spent = which == one.spent or one is people[SPENT]
            if not spent or await open_session(parts, which) is not None:
                opened.add((f"link of {one.email}", link.subject))
    return opened


def _hash(token: str) -> bytes:
    digest = tokens.hash_of(token)
    assert digest is not None
    return digest


async def _answers(app: App, lived: Lived) -> dict[str, int]:
    statuses, one = {}, lived.untouched
    for path in (f"/why/{one.why}", f"/confirm/{one.tokens[0]}", "/my-data"):
        async with app.http.get(path) as page:
            statuses[path.split("/")[1]] = page.status
    email = {"email": "ivy@example.org"}
    body = email | {"purposes": ["newsletter"], "texts": [lived.text]}
    async with app.http.post("/forms/signup", json=body) as answer:
        statuses["form"] = answer.status
    async with app.http.post("/my-data", data=email) as answer:
        statuses["ask"] = answer.status
    return statuses


async def _key(parts: Parts, name: str) -> tuple[str, ApiKey]:
    """A new key, told of as the command does."""
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        key, token = await api_keys.create(
            connection, parts.rows, name=name, scopes=tuple(Scope), now=now
        )
        event = Event(Kind.API_KEY_CREATED, Actor.OPERATOR, now, refs={"api_key": key.id})
        await parts.log.stage(connection, [draft(event, None, "test")])
    return token, key


async def _revoke(parts: Parts, key: ApiKey) -> None:
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        assert await api_keys.revoke(connection, parts.rows, key.id, now)
        event = Event(Kind.API_KEY_REVOKED, Actor.OPERATOR, now, refs={"api_key": key.id})
        await parts.log.stage(connection, [draft(event, None, "test")])


async def _publish_others(parts: Parts) -> str:
    """Wordings that were current once; the hash of one."""
    made, notices = publish_texts.bundles(parts.config)
    document = json.loads(made[0])
    others = [rfc8785.dumps(document | {"text": f"Yes, {number}."}) for number in range(16)]
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        names = await texts.publish(connection, [*made, *others], notices, now)
        events = [Event(Kind.TEXT_PUBLISHED, Actor.SYSTEM, now, refs={"text": n}) for n in names]
        await parts.log.stage(connection, [draft(one, None, "test") for one in events])
    await publish_texts.publish(parts)
    return names[0]


async def _ask_by_right(app: App, one: Person) -> str:
    body = {"email": one.email, "kind": "access", "channel": "letter"}
    async with app.http.post("/v1/rights-requests", json=body, headers=await _dpo(app)) as answer:
        assert answer.status == 201
        return str((await answer.json())["request_id"])


async def _decide(app: App, asked: list[str]) -> None:
    """Some of what was asked for; an erasure ended that of another one."""
    for number, step in ((LEFT, "answer"), (SPENT, "extend"), (REVOKED, "refuse")):
        path, body = f"/v1/rights-requests/{asked[number]}/{step}", {"reason": "As was told."}
        async with app.http.post(path, json=body, headers=await _dpo(app)) as answer:
            assert answer.status == 200


async def _dpo(app: App) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await _key(app.parts, 'dpo'))[0]}"}


async def _retire(parts: Parts, name: str) -> None:
    async with parts.data.begin() as connection:
        now = await parts.clock.now(connection)
        assert await texts.retire(connection, name, now) is texts.Retirement.RETIRED
        event = Event(Kind.TEXT_RETIRED, Actor.OPERATOR, now, refs={"text": name})
        await parts.log.stage(connection, [draft(event, None, "test")])


async def _erase(parts: Parts, subject: str) -> None:
    async with parts.data.begin() as connection:
        held = await gates.lock(connection, [subject])
        now = await parts.clock.now(connection)
        await erasing.begin(
            parts.log, connection, parts.rows, parts.lookup, parts.marks, held.values(), now
        )
    assert await erasing.Erasing(parts).finish([subject]) == 1


async def _post(app: App, people: list[Person], tokens: list[str], name: str) -> None:
    for one, token in zip(people, tokens, strict=False):
        body: dict[str, Any] = {
            "to": {"email": one.email},
            "purpose": "newsletter",
            "content": {"subject": name, "text": "Hello."},
        }
        headers = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": f"{name}-{one.subject or one.email[:3]}",
        }
        async with app.http.post("/v1/messages", json=body, headers=headers) as answer:
            assert answer.status == 202, await answer.text()


async def _fresh_links(app: App, people: list[Person]) -> list[str]:
    for number, one in enumerate(people):
        network = {"X-Forwarded-For": f"198.51.100.{number}"}
        question = {"email": one.email}
        async with app.http.post("/my-data", data=question, headers=network) as answer:
            assert answer.status == 200
    sent = {mail.to: mail.token("my-data") for mail in await app.deliver()}
    return [sent[one.email] for one in people]


async def _deliver_but(app: App, nobody: str) -> list[Mail]:
    """As `App.deliver`, to a relay that does not know one of the mailboxes."""
    desk, owner = Desk(app.parts), "wrk_lived"
    await desk.register(owner)
    mails: list[Mail] = []
    while parcels := await desk.claim(owner, 100):
        ended = []
        for one in parcels:
            composed = await desk.compose(one)
            assert composed is not None
            spending = Spending(one.permit, one.message, one.attempt)
            assert await desk.spend(owner, [spending]) == {one.permit}
            to = composed.envelope.rcpt_to
            refused = Ending(Phase.RCPT, Reply(550, "5.1.1", "no such user"))
            taken = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))
            ended.append(
                Ended(one, refused if to == nobody else taken, composed.digest, kept=composed.kept)
            )
            mails.append(Mail(to, composed.envelope.data))
        await desk.settle(owner, ended)
    return mails
