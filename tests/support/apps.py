"""The real application inside the test's own process: real databases, the duties turned by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import generate_latest

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from consent import address, intakes
from consent.external_ids import Ids
from consent.feed import Change
from consent.intakes import IntakeKind
from consent.tellings import Failure
from delivery.desk import Ended, Parcel
from delivery.outcome import Ending, Phase, Reply
from delivery.permits import Spending
from gateway.callers import api_keys
from gateway.callers.api_keys import Scope
from gateway.config import config
from gateway.config.config import Config
from gateway.flows.desk.sign_in import SignIns
from gateway.flows.desk.staff import Staff
from gateway.flows.joining import intake
from gateway.flows.keeping import expire
from gateway.flows.keeping.due_takings import DueTakings
from gateway.flows.restoring.high_water import HighWater
from gateway.flows.rights import fresh_link
from gateway.flows.rights.address_mails import AddressMails
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.following import identified
from gateway.flows.rights.telling import Send, Tellings, receivers_of
from gateway.http.runner import Runner
from gateway.parts import Parts
from gateway.process import initialise
from gateway.process.app import create_app
from gateway.process.desk import Desk
from gateway.process.lifespan import open_parts, put_in_order
from gateway.watch.health import Health
from gateway.watch.metrics import Metrics
from storage.clock import Clock
from tests.support.clock import SteppedClock
from tests.support.databases import Databases, Urls, copy_initialised

ADA = "ada@example.org"
ORIGIN = "https://www.acme.example"
THANKS = "https://www.acme.example/thanks"
_OWNER = "wrk_test"
_LINK = r"http://gateway\.example/{route}/([A-Za-z0-9_-]+)"
_CONFIG = """
[server]
public_url = "http://gateway.example"
trusted_proxies = ["127.0.0.1/32"]

[controller]
name = "Acme GmbH"
postal_address = "Musterstr. 1, 10115 Berlin, Germany"
contact = "privacy@acme.example"

[storage]
url = "{url}"
keystore_url = "{keystore_url}"

[keys]
keyring_file = "keyring.json"
dkim_dir = "dkim"

[audit]
origin = "test.example/audit/gateway"

[senders.acme]
name = "Acme"
from_address = "news@acme.example"
imprint_url = "https://www.acme.example/imprint"
privacy_url = "https://www.acme.example/privacy"
dkim_domain = "acme.example"

[senders.other]
name = "Other"
from_address = "news@other.example"
imprint_url = "https://www.other.example/imprint"
privacy_url = "https://www.other.example/privacy"
dkim_domain = "other.example"

[processors.relay]
name = "Mail Relay GmbH"
role = {{ en = "hands over our mails", de = "übergibt unsere E-Mails" }}
country = "DE"

[purposes.newsletter]
sender = "acme"
basis = "consent"
title = {{ en = "Newsletter", de = "Rundbrief" }}
text = {{ en = "Yes, send me the newsletter.", de = "Ja, ich möchte den Rundbrief." }}

[purposes.updates]
sender = "acme"
basis = "consent"
title = {{ en = "Updates", de = "Neuigkeiten" }}
text = {{ en = "Yes, tell me about the product.", de = "Ja, ich möchte Neuigkeiten." }}

[purposes.elsewhere]
sender = "other"
basis = "consent"
title = {{ en = "Elsewhere" }}
text = {{ en = "Yes, the other brand too." }}

[forms.signup]
purposes = ["newsletter", "updates"]
fields = {{ first_name = {{ required = false, max_length = 8 }} }}
origins = ["https://www.acme.example"]

[forms.linked]
purposes = ["newsletter"]
fields = {{ first_name = {{ required = true, max_length = 8 }} }}
thank_you_url = "https://www.acme.example/thanks"
error_url = "https://www.acme.example/sign-up?from=form#form"
{more}
[delivery]
transport = "relay"
permit_ttl = "{permit_ttl}"
journal_dir = "journal"

[delivery.relay]
host = "127.0.0.1"
port = 1

[limits]
enabled = {limits}
"""


@dataclass
class Mail:
    """One mail that left, as the relay would have seen it."""

    to: str
    raw: bytes = field(repr=False)

    def token(self, route: str) -> str:
        """The token of the link to *route*."""
        text = self.raw.replace(b"=\r\n", b"").decode()
        found = re.search(_LINK.format(route=route), text)
        assert found is not None, f"no {route} link"
        return found[1]


@dataclass
class App:
    """One gateway; `http` talks to it, `tick` and `deliver` are its duties and its worker."""

    parts: Parts
    http: aiohttp.ClientSession
    base: str
    begun: list[str]  # paths of the requests whose handling was begun
    counted: Metrics

    def metrics(self) -> str:
        """What `admin_listen` would tell an operator."""
        return generate_latest(self.counted.registry).decode()

    async def tell_takings(self) -> int:
        """Tell the guard's store what it was not told, as a process that just started."""
        parts = self.parts
        return await DueTakings(parts.data, parts.clock, parts.rows, parts.takings).work_off()

    async def tick(self) -> None:
        """Work off what was posted, expire what is over, give every event its index."""
        parts = self.parts
        works = {
            IntakeKind.SIGN_UP: partial(intake.work_off, parts),
            IntakeKind.FRESH_LINK: partial(fresh_link.work_off, parts),
            IntakeKind.ADDRESS: AddressMails(parts).work_off,
            IntakeKind.SIGN_IN: sign_ins_of(parts).work_off,
        }
        for kind in await self._waiting():  # as the duties, which ask no more where nothing waits
            while await works[kind]():
                pass
        await expire.Expiry(self.parts).by_date()
        await self.tell_takings()
        async with self.parts.data.begin() as connection:
            await self.parts.log.sequence(connection)
        await tellings_of(self.parts).spread()
        high_water = HighWater(parts.config.delivery.journal_dir, parts.publisher, parts.rows)
        await high_water.publish(parts.data, parts.guard, parts.clock)

    async def _waiting(self) -> list[IntakeKind]:
        async with self.parts.data.read() as connection:
            await self.parts.lookup.find(connection, ())  # a key may have come that we lack
            return await intakes.kinds(connection)

    async def deliver(self) -> list[Mail]:
        """Claim, permit and "send" everything that is due, to a relay that takes it."""
        await self.tick()
        return await self.send_due()

    async def send_due(self) -> list[Mail]:
        """What of `deliver` is the worker's."""
        desk, mails = Desk(self.parts), []
        await desk.register(_OWNER)
        while parcels := await desk.claim(_OWNER, 100):
            ended = [await _carry(desk, one) for one in parcels]
            await desk.settle(_OWNER, [one for one, _ in ended])
            mails += [mail for _, mail in ended if mail is not None]
        return mails

    async def texts(self, *purposes: str, locale: str = "en", form: str = "signup") -> list[str]:
        """The hashes of the current wordings."""
        described = await (await self.http.get(f"/forms/{form}.json?locale={locale}")).json()
        by_purpose = {one["purpose"]: one["text"]["hash"] for one in described["purposes"]}
        return [by_purpose[one] for one in purposes]

    async def posted(self, email: str = ADA, *purposes: str, **more: Any) -> dict[str, Any]:
        """The JSON body of a good sign-up, changed by *more*."""
        wanted = list(purposes or ("newsletter",))
        return {"email": email, "purposes": wanted, "texts": await self.texts(*wanted)} | more

    async def sign_up(self, email: str = ADA, *purposes: str) -> None:
        answer = await self.http.post("/forms/signup", json=await self.posted(email, *purposes))
        assert answer.status == 202

    async def confirmation(self, email: str = ADA, *purposes: str) -> str:
        """Sign up and return the token of the confirmation mail."""
        await self.sign_up(email, *purposes)
        (mail,) = [one for one in await self.deliver() if one.to == email]
        return mail.token("confirm")

    async def subscribe(self, email: str = ADA, *purposes: str) -> str:
        """Sign up and confirm; returns the token of the confirmation mail."""
        token = await self.confirmation(email, *purposes)
        answer = await self.http.post(f"/confirm/{token}", data={"answer": "confirm"})
        assert answer.status == 200
        return token

    async def key(
        self,
        *scopes: Scope,
        senders: Sequence[str] = (),
        purposes: Sequence[str] = (),
    ) -> dict[str, str]:
        """The headers of a caller."""
        parts = self.parts
        async with parts.data.begin() as connection:
            now = await parts.clock.now(connection)
            key, token = await api_keys.create(
                connection,
                parts.rows,
                name="test",
                scopes=scopes or tuple(Scope),
                senders=senders,
                purposes=purposes,
                now=now,
            )
            event = Event(Kind.API_KEY_CREATED, Actor.OPERATOR, now, refs={"api_key": key.id})
            await parts.log.stage(connection, [draft(event, None, "test")])
        return {"Authorization": f"Bearer {token}"}

    async def permission(self, email: str = ADA, purpose: str = "newsletter") -> str:
        """`granted`, or the reason for a refusal."""
        question = {"to": {"email": email}, "purpose": purpose}
        key = await self.key(Scope.PERMISSIONS_READ)
        said = await (await self.http.post("/v1/permissions", json=question, headers=key)).json()
        return "granted" if said["granted"] else str(said["reason"])

    async def subject(self, email: str = ADA) -> str | None:
        """Who is known by this address, whoever wrote so."""
        canonical = address.parse(email).canonical
        async with self.parts.data.read() as connection:
            found = await self.parts.lookup.find(connection, [canonical])
        return found[canonical].subject if canonical in found else None

    def step(self, by: timedelta) -> None:
        """Let time pass."""
        clock = self.parts.clock
        assert isinstance(clock, SteppedClock)
        clock.step(by)


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[str]:
    """As a process of ours serves it, with our runner's bounds."""
    runner = Runner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _initialise(directory: Path, urls: Urls) -> None:
    await initialise.initialise(configuration(directory, urls), SteppedClock())


def configuration(
    directory: Path,
    urls: Urls,
    *,
    limits: bool = False,
    more: str = "",
    permit_ttl: str = "1s",
) -> Config:
    return config.parse(written(urls, limits, more, permit_ttl), base=directory)


def written(urls: Urls, limits: bool = False, more: str = "", permit_ttl: str = "1s") -> str:
    """The file's text."""
    data, keys = urls
    said = {"limits": str(limits).lower(), "more": more, "permit_ttl": permit_ttl}
    return _CONFIG.format(url=data, keystore_url=keys, **said)


@asynccontextmanager
async def open_app(
    directory: Path,
    new_database_url: Databases,
    dialect: str,
    *,
    limits: bool = False,
    clock: Clock | None = None,
    more: str = "",
    permit_ttl: str = "1s",
    around: Sequence[Middleware] = (),
) -> AsyncIterator[App]:
    """An initialised gateway with an HTTP client.

    *more* is configuration after the forms, *around* goes outside of our middlewares.
    """
    clock = clock or SteppedClock()
    urls = await copy_initialised(_initialise, directory, new_database_url, dialect)
    loaded = configuration(directory, urls, limits=limits, more=more, permit_ttl=permit_ttl)
    async with start_app(loaded, clock, around) as app:
        yield app


@asynccontextmanager
async def start_app(
    loaded: Config, clock: Clock, around: Sequence[Middleware] = ()
) -> AsyncIterator[App]:
    """A process of a gateway that was initialised before."""
    async with open_parts(loaded, clock) as parts, serve(parts, around) as app:
        yield app


@asynccontextmanager
async def serve(parts: Parts, around: Sequence[Middleware] = ()) -> AsyncIterator[App]:
    """What a process does once its parts are open."""
    await put_in_order(parts)
    counted = Metrics()
    app = create_app(parts, counted, Health(parts.stores))
    begun: list[str] = []
    app.middlewares[:0] = [_noted_in(begun), *around]
    async with _served(app) as base, aiohttp.ClientSession(base) as http:
        yield App(parts, http, base, begun, counted)


def _noted_in(begun: list[str]) -> Middleware:
    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        begun.append(request.path)
        return await handler(request)

    return note


async def _deaf(_webhook: str, _change: Change, _ids: Ids) -> Failure:
    return Failure(status=503)


def sign_ins_of(parts: Parts) -> SignIns:
    """The duty that works off what was asked for at the desk's door."""
    of_mails = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
    return SignIns(*of_mails, parts.lookup, parts.marks, parts.config, Erasing(parts))


def staff_of(parts: Parts) -> Staff:
    """What commands enter and revoke operators by."""
    return Staff(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)


def tellings_of(parts: Parts, send: Send = _deaf) -> Tellings:
    """What tells others; unless *send* says how, nobody hears."""
    told = receivers_of(parts.config)
    identify = partial(identified, parts.data, parts.keystore)
    return Tellings(parts.data, parts.clock, parts.rows, parts.log, told, send, identify)


async def _carry(desk: Desk, parcel: Parcel) -> tuple[Ended, Mail | None]:
    """As a worker whose relay takes everything."""
    composed = await desk.compose(parcel)
    if composed is None:
        return Ended(parcel, Ending(Phase.GREETED), unsendable=True), None
    spending = Spending(parcel.permit, parcel.message, parcel.attempt)
    assert await desk.spend(_OWNER, [spending]) == {parcel.permit}
    taken = Ending(Phase.REPLIED, Reply(250, "2.0.0", ""))
    mail = Mail(composed.envelope.rcpt_to, composed.envelope.data)
    digest, kept, signature = composed.digest, composed.kept, composed.signature
    return Ended(parcel, taken, digest, kept=kept, signature=signature), mail
