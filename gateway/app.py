"""The HTTP application: routes, middlewares, keys. Builds everything and opens nothing."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from delivery.grouping import Grouped, Write, severally
from gateway import frame, metrics, openapi, pages, problems, routes
from gateway.api_keys import API_KEYS, ApiKeys
from gateway.flows import enqueue, sign_up
from gateway.flows.enqueue import Handed, Taken
from gateway.flows.withdraw import Withdrawals
from gateway.forms import digest_of
from gateway.handlers import cors, forms, messages
from gateway.health import Health
from gateway.keys import FORM_DIGESTS, HEALTH, MESSAGES, PARTS, SIGN_UPS, WITHDRAWALS, WORDINGS
from gateway.metrics import METRICS, Metrics
from gateway.openapi import Endpoint, Media
from gateway.parts import Parts
from gateway.wordings import Wordings


def create_app(parts: Parts, counted: Metrics, health: Health) -> web.Application:
    """The application of one process, on pieces that are open."""
    app = web.Application(
        middlewares=[
            metrics.metrics_middleware,
            cors.middleware,
            problems.middleware(pages.error),
            frame.guard,
        ],
    )
    app.on_response_prepare.append(frame.protect(parts.base))
    app[PARTS] = parts
    app[FORM_DIGESTS] = {one: digest_of(parts.config, one) for one in parts.config.forms}
    app[WORDINGS] = Wordings(parts.data)
    app[SIGN_UPS] = Grouped(partial(sign_up.accept_all, parts))
    app[MESSAGES] = _messages(parts)
    app[WITHDRAWALS] = Withdrawals(parts)
    app[API_KEYS] = ApiKeys(parts.data)
    app[METRICS] = counted
    app[HEALTH] = health
    served = [*routes.API, *routes.PAGES, *routes.OWN_PAGES, *routes.OPERATIONS]
    if parts.config.server.admin_listen is None:
        served.append(_metrics(counted))
    openapi.add_routes(app, served, public_url=parts.base)
    for asked in ("", ".json", ".js"):
        app.router.add_route("OPTIONS", f"{routes.FORM}{asked}", forms.form_preflight)
    return app


def _messages(parts: Parts) -> Grouped[Handed, Taken]:
    write: Write[Handed, Taken | Exception] = partial(enqueue.accept_all, parts, messages.say)
    return Grouped(severally(write), most=100)


def _metrics(counted: Metrics) -> Endpoint:
    return Endpoint(
        "GET",
        metrics.PATH,
        "Metrics for Prometheus, without personal data",
        metrics.handler(counted),
        {200: Media("text/plain")},
        tags=("operator",),
    )
