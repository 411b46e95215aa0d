"""What the gateway counts. No label ever names a person, an address or a domain."""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.aiohttp import make_aiohttp_handler

from gateway.watch.access import method_of, route_of

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry per app, so that several apps in one process do not mix."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Histogram(
            "gateway_request_seconds",
            "HTTP requests, by declared route",
            ["route", "method", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.signups = Counter(
            "gateway_signups", "Sign-ups that were acknowledged", ["form"], registry=registry
        )
        self.limited = Counter(
            "gateway_limited", "Requests answered 429, by route", ["route"], registry=registry
        )
        self.accepted = Counter(
            "gateway_messages_accepted", "Messages queued", ["purpose"], registry=registry
        )
        self.refusals = Counter(
            "gateway_refusals", "Permissions refused", ["reason"], registry=registry
        )
        self.permits = Counter(
            "gateway_permits", "Messages permitted and composed", ["kind"], registry=registry
        )
        self.outcomes = Counter(
            "gateway_outcomes", "Attempts that ended", ["kind", "outcome"], registry=registry
        )
        self.objections = Counter(
            "gateway_relay_objections",
            "Mails refused for who we are or what we send, not for their mailbox; they are put off",
            registry=registry,
        )
        self.failing = Gauge(
            "gateway_duty_failing",
            "1 while a duty fails for another reason than a store that is away",
            ["duty"],
            registry=registry,
        )
        self.duties = Histogram(
            "gateway_duty_seconds",
            "Runs of a duty, by how they ended",
            ["duty", "result"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._gauge_what_waits(registry)

    def _gauge_what_waits(self, registry: CollectorRegistry) -> None:
        self.outbox = Gauge("gateway_outbox", "Messages by status", ["status"], registry=registry)
        self.parked = Gauge(
            "gateway_parked",
            "Rows that cannot be worked off and are looked at again, by table and why",
            ["table", "reason"],
            registry=registry,
        )
        self.hindered = Gauge(
            "gateway_hindered",
            "Mails, mailboxes or rows that wait for a reason, by why; 1 where that is no number",
            ["why"],
            registry=registry,
        )
        self.intake = Gauge(
            "gateway_intake_waiting", "Sign-ups not worked off yet", registry=registry
        )
        self.lookup_keys_missing = Gauge(
            "gateway_lookup_keys_missing",
            "Keys of hashes of addresses that this process lacks: it takes no sign-ups",
            registry=registry,
        )
        self.rights_requests = Gauge(
            "gateway_rights_requests",
            "Rights requests that wait for a decision, by when they are due (soon: within 7 days)",
            ["due"],
            registry=registry,
        )
        self.webhooks = Gauge(
            "gateway_webhook_waiting",
            "Changes that a receiver has not acknowledged",
            ["webhook"],
            registry=registry,
        )
        self.webhook_age = Gauge(
            "gateway_webhook_oldest_seconds",
            "How long ago the first change happened that a receiver has not acknowledged",
            ["webhook"],
            registry=registry,
        )
        self.webhook_failing = Gauge(
            "gateway_webhook_failing",
            "1 while the last try to tell a receiver was in vain, by why",
            ["webhook", "why"],
            registry=registry,
        )
        self.backup_age = Gauge(
            "gateway_backup_age_seconds",
            "How old the newest verified backup is; infinite where none was ever verified",
            registry=registry,
        )
        self._gauge_the_log(registry)

    def _gauge_the_log(self, registry: CollectorRegistry) -> None:
        self.verified_age = Gauge(
            "gateway_audit_verified_age_seconds",
            "How long ago the live log was verified, or opened where it never was",
            registry=registry,
        )
        self.verification_faults = Gauge(
            "gateway_audit_verification_faults",
            "What the last verification found, in the log or beside it",
            ["where"],
            registry=registry,
        )
        self.witnesses_lacking = Gauge(
            "gateway_audit_witnesses_lacking_seconds",
            "For how long fewer witnesses than needed cosigned the last public checkpoint",
            registry=registry,
        )
        self.checkpoint_mail_late = Gauge(
            "gateway_checkpoint_mail_late_seconds",
            "For how long a checkpoint mail that was due was not handed over; 0 where none is sent",
            registry=registry,
        )
        self.audit_pending = Gauge(
            "gateway_audit_pending", "Audit events without an index yet", registry=registry
        )
        self.audit_size = Gauge(
            "gateway_audit_size", "Entries under the newest checkpoint", registry=registry
        )


METRICS = web.AppKey("metrics", Metrics)


@web.middleware
async def metrics_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Time every request; outermost, so that it sees the answers to errors too."""
    begun = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
        return response
    except web.HTTPException as error:
        status = error.status
        raise
    finally:
        request.app[METRICS].requests.labels(
            route_of(request), method_of(request), f"{status // 100}xx"
        ).observe(time.perf_counter() - begun)
        if status == web.HTTPTooManyRequests.status_code:
            request.app[METRICS].limited.labels(route_of(request)).inc()


def add_route(app: web.Application, metrics: Metrics) -> None:
    """Serve /metrics from *app*, which is never the one that everybody reaches."""
    app.router.add_get("/metrics", make_aiohttp_handler(metrics.registry))
