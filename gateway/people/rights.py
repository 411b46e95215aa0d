"""What a person asks of us in their own session: restrict, object, be erased; and takes back.

Looking changes nothing. Each is final when it is answered: no mail of those that it
ends starts any more. While it cannot be stored, the answer is 503.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiohttp import web
from itsdangerous import BadSignature, URLSafeSerializer

from audit.kinds import Actor
from consent.erasures import Erasure, Stage
from consent.fresh_links import Session
from gateway.errors import Invalid, NotFound, TooMany
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.proving import certificate
from gateway.flows.proving.certificate import Certificate
from gateway.flows.rights import erasing, waiting
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.foreseen import foresee
from gateway.flows.rights.session import close_session
from gateway.flows.rights.stops import CHANNEL, Stopped, Stops
from gateway.flows.rights.telling import receivers_of
from gateway.flows.rights.waiting import Waiting
from gateway.flows.sending.permission import Question
from gateway.http import certificate_paper, certificates, pages
from gateway.http.answers import answer
from gateway.http.app_keys import EXPORTS, PARTS, WITHDRAWALS
from gateway.http.certificate_paper import CertificateQuery
from gateway.http.certificates import ErasureView
from gateway.http.endpoints import Media, endpoint, page
from gateway.http.signing import serializer
from gateway.http.typesetter import PDF
from gateway.look import generated_notices
from gateway.people import sessions, wording
from gateway.people.own_pages import OWN, START, brand, posted, see_other
from gateway.people.page_models import ErasureAnswer, ObjectionAnswer, RestrictionAnswer
from storage.clock import Clock
from storage.database import Database
from storage.errors import StorageAway
from storage.honesty import RowKeys

logger = structlog.get_logger()


_CERTIFICATE_SALT: Final = "consentgw/certificate/v1"
_SEEN: Final = (200, 303)


@page("GET", "/my-data/restrict", "Restrict the use of one's data", statuses=_SEEN, tags=OWN)
async def show_restriction(request: web.Request) -> web.StreamResponse:
    """What a restriction does, and one button; or since when it stands, and how to lift it."""
    session = await sessions.current(request)
    return await _stops_page(request, session, "my_data_restrict", None)


@page(
    "POST",
    "/my-data/restrict",
    "Restrict; answered when no such mail can start any more. Or lift it",
    form=RestrictionAnswer,
    statuses=_SEEN,
    tags=OWN,
)
async def restrict(request: web.Request) -> web.StreamResponse:
    """Art. 18 GDPR; `answer=lift` takes it back."""
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    did = _one_of(fields.get("answer", "restrict"), "restrict", "lift")
    stops = stops_for(request)
    if did == "lift":
        await stops.lift_restriction(session.subject)
    else:
        await stops.restrict(session.subject)
    return await _stops_page(request, session, "my_data_restrict", did)


@page("GET", "/my-data/object", "Object to advertising", statuses=_SEEN, tags=OWN)
async def show_objection(request: web.Request) -> web.StreamResponse:
    """What an objection does, and one button; or since when it stands, and what lifting it does."""
    session = await sessions.current(request)
    return await _stops_page(request, session, "my_data_object", None)


@page(
    "POST",
    "/my-data/object",
    "Object to advertising; answered when no mail of it can start any more. Or lift it",
    form=ObjectionAnswer,
    statuses=_SEEN,
    tags=OWN,
)
async def object_to_it(request: web.Request) -> web.StreamResponse:
    """Art. 21(2) GDPR; `answer=lift` takes it back, for what the page said that counts again."""
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    did = _one_of(fields.get("answer", "object"), "object", "lift")
    if did == "lift":
        shown = set(fields.getall("again", []))
        if not await stops_for(request).lift_objection(session.subject, shown):
            did = "changed"
    else:
        leave = Withdrawal(None, Actor.SUBJECT, CHANNEL, objection=True)
        await request.app[WITHDRAWALS].by_subject(session.subject, leave)
    return await _stops_page(request, session, "my_data_object", did)


@page("GET", "/my-data/erase", "What an erasure does", statuses=_SEEN, tags=OWN)
async def show_erasure(request: web.Request) -> web.StreamResponse:
    """What goes, what stays until when, and the button of the second step."""
    session = await sessions.current(request)
    return await _erasure_page(request, session)


@page(
    "POST",
    "/my-data/erase",
    "What an erasure does; with `answer=erase` it is done, and the session ends",
    form=ErasureAnswer,
    statuses=_SEEN,
    tags=OWN,
)
async def erase_me(request: web.Request) -> web.StreamResponse:
    """Art. 17 GDPR, in two steps: nothing happens before the page was answered."""
    found = await posted(request)
    if found is None:
        return see_other(START, request)
    session, fields = found
    if fields.get("answer") != "erase":
        return await _erasure_page(request, session)
    asked = Request(Question("", subject=session.subject), Actor.SUBJECT, CHANNEL)
    begun = await Erasures(Erasing(request.app[PARTS])).erase(asked)
    if begun is None:  # it was done long ago, and the proof of it is over
        return see_other(START, request)
    response = await _erased_page(request, begun)
    sessions.take(request, response)
    return response


@endpoint(
    "GET",
    "/my-data/certificate/{signed:[A-Za-z0-9._~-]+}",
    summary="What one's erasure did, for whoever was given the link",
    responses={200: (ErasureView, Media(PDF))},
    query=CertificateQuery,
    people=True,
    tags=OWN,
)
async def download_certificate(request: web.Request) -> web.StreamResponse:
    """As a file, for as long as we keep that somebody was erased."""
    try:
        erasure_id = _signer(request).loads(request.match_info["signed"])
    except BadSignature:
        raise NotFound from None
    found = await _looked_up(request, str(erasure_id))
    if found is None:
        raise NotFound
    config, locale = request.app[PARTS].config, pages.locale_of(request)
    shown = certificates.view(*found, config, locale, counted=False)
    if certificate_paper.wants_pdf(request):
        _require_a_turn(request, str(erasure_id))
        return await certificate_paper.answer_pdf(request, shown)
    response = answer(shown)
    response.headers["Content-Disposition"] = f'attachment; filename="{erasure_id}.json"'
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _require_a_turn(request: web.Request, erasure_id: str) -> None:
    """Papers are dear, and whoever was erased once has this link for years."""
    parts = request.app[PARTS]
    if parts.config.limits.enabled:
        wait = request.app[EXPORTS].count(erasure_id, parts.clock.wall())
        if wait is not None:
            raise TooMany(wait.how_long)


def _one_of(said: str, *words: str) -> str:
    if said not in words:
        raise Invalid.at("", f"must be {' or '.join(words)}")
    return said


def stops_for(request: web.Request) -> Stops:
    """What restricts, and lifts that or an objection."""
    parts = request.app[PARTS]
    return Stops(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        SameMailbox(parts.keyring.suppression, parts.lookup),
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.takings,
        parts.config,
    )


async def _stops_page(
    request: web.Request, session: Session | None, name: str, did: str | None
) -> web.StreamResponse:
    seen = None if session is None else await stops_for(request).look(session.subject)
    if session is None or seen is None:
        return see_other(START, request)
    return pages.response(
        request,
        name,
        brand=brand(request),
        restricted_at=seen.restricted_at,
        objected_at=seen.objected_at,
        again=_again(seen),
        waiting=seen.waiting,
        did=did,
        csrf=sessions.csrf(request, session),
    )


def _again(seen: Stopped) -> Sequence[dict[str, Any]]:
    return [
        {"purpose": name, **wording.shown(text, name)} for name, text in sorted(seen.again.items())
    ]


async def _erasure_page(request: web.Request, session: Session | None) -> web.StreamResponse:
    parts = request.app[PARTS]
    config, locale = parts.config, pages.locale_of(request)
    foreseen = None
    if session is not None:
        periods = erasing.periods_of(config.retention)
        args = (parts.data, parts.clock, parts.consents, periods)
        foreseen = await foresee(*args, session.subject)
    if session is None or foreseen is None:
        return see_other(START, request)
    blocked = config.rights.suppress_after_erasure
    return pages.response(
        request,
        "my_data_erase",
        brand=brand(request),
        locked_until=foreseen.locked_until,
        held_until=foreseen.held_until,
        blocked=blocked == "always" or (blocked == "objection" and foreseen.objected),
        stopped=blocked == "objection",
        kept=generated_notices.spell(config.retention.rights_requests, locale),
        processors=generated_notices.processors(config.processors, locale),
        contact=config.controller.contact,
        csrf=sessions.csrf(request, session),
    )


async def _erased_page(request: web.Request, begun: Erasure) -> web.Response:
    """Also while a store is away: it was answered, and nobody could open this page again."""
    parts, raw = request.app[PARTS], sessions.raw_id(request)
    erasure, shown = begun, None
    asked = Waiting(begun.asked_at, None) if begun.state is Stage.HELD else None
    try:
        if raw is not None:
            await close_session(parts.data, parts.keystore.sessions, parts.rows, raw)
        erasure, shown = await _looked_up(request, begun.id) or (begun, None)
        asked = await _waiting(parts.data, parts.clock, parts.rows, begun.subject)
    except StorageAway as error:
        logger.warning("erasure.waits", store=error.store)
    return pages.response(
        request,
        "my_data_erased",
        brand=brand(request),
        erasure=erasure,
        waiting=asked,
        shown=None if shown is None else _counted(shown),
        certificate_url=f"/my-data/certificate/{_signer(request).dumps(erasure.id)}",
        contact=parts.config.controller.contact,
    )


async def _waiting(data: Database, clock: Clock, keys: RowKeys, subject: str) -> Waiting | None:
    async with data.snapshot() as connection:
        return await waiting.look(connection, keys, subject, await clock.now(connection))


def _counted(shown: Certificate) -> dict[str, Any]:
    # No records: a mail that asked another mailbox would count, and tell that it may be asked.
    return {"done_at": shown.done_at, "key_count": len(shown.keys_destroyed)}


async def _looked_up(
    request: web.Request, erasure_id: str
) -> tuple[Erasure, Certificate | None] | None:
    parts = request.app[PARTS]
    told = receivers_of(parts.config)
    stores = (parts.data, parts.keystore)
    return await certificate.look_up(*stores, parts.rows, parts.log, erasure_id, told)


def _signer(request: web.Request) -> URLSafeSerializer:
    """So that a certificate opens for who was given its link, and no id can be tried out."""
    return serializer(request.app[PARTS].keyring, _CERTIFICATE_SALT)
