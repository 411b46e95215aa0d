"""The HTTP application: routes, middlewares, keys. Builds everything and opens nothing."""

from __future__ import annotations

import asyncio
from functools import partial

from aiohttp import web

from gateway import limits
from gateway.config import calendars
from gateway.flows.campaigning.launch import Stores
from gateway.flows.campaigning.steering import Steering
from gateway.flows.desk.fetching import DeskExports
from gateway.flows.desk.sitting import Desk
from gateway.flows.joining import sign_up
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.proving.exports import Exports
from gateway.flows.rights.handing_out import HandingOut
from gateway.flows.rights.requests import RightsRequests
from gateway.flows.sending import enqueue, permission
from gateway.flows.sending.enqueue import Handed, Taken
from gateway.flows.sending.permission import Asked, Decision
from gateway.http import frame, openapi, pages, problems
from gateway.http.app_keys import (
    CAMPAIGNS,
    CODE_TURNS,
    CODES,
    DESK,
    DESK_EXPORTS,
    EVIDENCE_SEARCHES,
    EVIDENCE_TURN,
    EXPORTS,
    FORM_DIGESTS,
    HEALTH,
    MESSAGES,
    PARTS,
    PERMISSIONS,
    PROVIDER,
    QUESTIONS,
    READING,
    RIGHTS_REQUESTS,
    SHOWN,
    SIGN_UPS,
    STEERING,
    TURNS,
    TYPESETTER,
    WITHDRAWALS,
    WORDINGS,
)
from gateway.http.authentication import AUTHENTICATION, Authentication
from gateway.http.reading import Reading
from gateway.http.shown import Shown
from gateway.http.sign_ups import digest_of
from gateway.http.turns import Turns
from gateway.http.typesetter import Typesetter
from gateway.http.wordings import Wordings
from gateway.limits import Meter
from gateway.oidc.provider import Provider
from gateway.parts import Parts
from gateway.people import cors, docs, form_specimens, forms
from gateway.process import routes
from gateway.watch import metrics
from gateway.watch.health import Health
from gateway.watch.metrics import METRICS, Metrics
from storage.grouping import Grouped, Write, severally

_CODES_AT_ONCE = 8  # each waits for the identity provider, for seconds where that hangs


def create_app(parts: Parts, counted: Metrics, health: Health) -> web.Application:
    """The application of one process, on pieces that are open."""
    app = web.Application(
        middlewares=[
            metrics.metrics_middleware,
            cors.middleware,
            problems.middleware(partial(pages.error, brand=pages.Brand.neutral(parts.config))),
            frame.guard,
        ],
    )
    app.on_response_prepare.append(frame.protect(parts.base))
    app[PARTS] = parts
    app[FORM_DIGESTS] = {form: digest_of(parts.config, form) for form in parts.config.forms}
    app[SHOWN] = Shown()
    form_specimens.keep_at_start(app, parts.config, parts.data, parts.clock)
    app[WORDINGS] = Wordings(parts.data)
    app[SIGN_UPS] = Grouped(partial(sign_up.accept_all, parts))
    write: Write[Handed, Taken | Exception] = partial(enqueue.accept_all, parts)
    messages: Grouped[Handed, Taken] = Grouped(severally(write), most=100)
    app[MESSAGES] = messages
    ask: Write[Asked, Decision | Exception] = partial(permission.ask_all, parts)
    permissions: Grouped[Asked, Decision] = Grouped(severally(ask), most=100)
    app[PERMISSIONS] = permissions
    app[QUESTIONS], app[EXPORTS] = Meter(limits.QUESTIONS), Meter(limits.EXPORTS)
    app[EVIDENCE_SEARCHES], app[EVIDENCE_TURN] = Meter(limits.EVIDENCE_SEARCHES), asyncio.Lock()
    app[TURNS] = Turns()
    app[TYPESETTER] = Typesetter()
    app.on_cleanup.append(app[TYPESETTER].stop)
    app[READING] = Reading()
    app.on_cleanup.append(app[READING].stop)
    app[WITHDRAWALS] = Withdrawals(parts)
    of_mails = (parts.data, parts.keystore, parts.clock, parts.log, parts.rows, parts.consents)
    app[CAMPAIGNS] = Stores(*of_mails)
    app[STEERING] = Steering(app[CAMPAIGNS], parts.permit_wait)
    opened = (parts.data, parts.keystore, parts.lookup, parts.rows, parts.log, parts.clock)
    app[RIGHTS_REQUESTS] = RightsRequests(*opened, calendars.of(parts.config.rights))
    app[DESK] = Desk(parts.data, parts.keystore, parts.clock, parts.log, parts.rows)
    aside = app[TYPESETTER].aside
    made = (parts.data, parts.keystore, parts.clock, parts.rows)
    app[DESK_EXPORTS] = DeskExports(*made, HandingOut(parts, aside), Exports(parts, aside))
    if parts.config.desk.oidc is not None:
        app[PROVIDER] = Provider(parts.config.desk.oidc)
    app[CODES], app[CODE_TURNS] = Meter(limits.CODES), Turns(_CODES_AT_ONCE)
    app[AUTHENTICATION] = Authentication(parts.data, parts.rows)
    app[METRICS] = counted
    app[HEALTH] = health
    served = [*routes.API, *routes.PAGES, *routes.OWN_PAGES, *routes.DESK, *routes.OPERATIONS]
    openapi.add_routes(app, served, public_url=parts.base)
    for path in dict.fromkeys(row.path for row in served if row.path.startswith(forms.PATH)):
        app.router.add_route("OPTIONS", path, forms.preflight)
    return app


def prepare(app: web.Application) -> None:
    """Make what takes long and is always the same, before anybody waits for it."""
    pages.prepare()
    docs.prepare(app)
