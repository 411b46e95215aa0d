"""The HTTP application: routes, middlewares, keys. Builds everything and opens nothing."""

from __future__ import annotations

from aiohttp import web

from gateway import metrics, openapi, pages, problems
from gateway.api_keys import API_KEYS, ApiKeys
from gateway.handlers import audit, cors, forms, messages, operations, permissions, recipients
from gateway.health import Health
from gateway.keys import HEALTH, PARTS, WORDINGS
from gateway.metrics import METRICS, Metrics
from gateway.parts import Parts
from gateway.wordings import Wordings

# Inline mails of a batch are the largest thing that anybody may send.
LARGEST_BODY = 16 * 1024 * 1024

ENDPOINTS = (
    forms.describe_form,
    forms.post_form,
    messages.post_message,
    messages.post_batch,
    messages.get_message,
    messages.delete_message,
    permissions.post_permission,
    permissions.post_withdrawal,
    audit.get_checkpoint,
    audit.get_events,
)


def create_app(parts: Parts, counted: Metrics, health: Health) -> web.Application:
    """The application of one process, on pieces that are open."""
    app = web.Application(
        client_max_size=LARGEST_BODY,
        middlewares=[
            metrics.metrics_middleware,
            cors.middleware,
            problems.middleware(pages.error),
        ],
    )
    app[PARTS] = parts
    app[WORDINGS] = Wordings(parts.data)
    app[API_KEYS] = ApiKeys(parts.data)
    app[METRICS] = counted
    app[HEALTH] = health
    openapi.add_routes(app, ENDPOINTS, public_url=parts.base)
    _add_pages(app)
    _add_operations(app, parts, counted)
    return app


def _add_pages(app: web.Application) -> None:
    form = "/forms/{form:[a-z0-9][a-z0-9_-]*}"
    app.router.add_get(form, forms.form_page)
    app.router.add_route("OPTIONS", form, forms.form_preflight)
    app.router.add_route("OPTIONS", f"{form}.json", forms.form_preflight)
    app.router.add_get("/confirm/{token}", recipients.show_confirmation)
    app.router.add_post("/confirm/{token}", recipients.answer_confirmation)
    app.router.add_get("/unsubscribe/{token}", recipients.show_unsubscribe)
    app.router.add_post("/unsubscribe/{token}", recipients.unsubscribe)
    app.router.add_get("/why/{token}", recipients.show_why)
    app.router.add_get("/preferences/{token}", recipients.show_preferences)
    app.router.add_post("/preferences/{token}", recipients.change_preferences)
    app.router.add_get("/notices/{hash}", recipients.show_notice)


def _add_operations(app: web.Application, parts: Parts, counted: Metrics) -> None:
    app.router.add_get("/healthz", operations.healthz)
    app.router.add_get("/readyz", operations.readyz)
    if parts.config.server.admin_listen is None:
        metrics.add_route(app, counted)
