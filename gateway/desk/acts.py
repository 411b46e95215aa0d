"""What the desk does for a person who asked by phone or letter: two steps, the first of which
says what will happen. Each is final when it is answered, as on a person's own pages."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from multidict import MultiDictProxy

from audit.kinds import Actor
from gateway.callers.operators import Role
from gateway.desk import questions, sessions
from gateway.desk.entrance import TAGS, brand, see_other, start_page
from gateway.desk.people import shown_again, tell
from gateway.desk.questions import Act
from gateway.errors import Invalid, NotFound
from gateway.flows.desk.sitting import Operator
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.rights import erase, erasing
from gateway.flows.rights.erase import Erasures, Foreseen, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.stops import Stops
from gateway.flows.sending.permission import Question
from gateway.http import pages
from gateway.http.app_keys import PARTS, WITHDRAWALS
from gateway.http.endpoints import page

_CHANNELS: Final = ("phone", "letter", "email")
_ACTS: Final = ("withdraw", "object", "restrict", "erase")


@page(
    "POST",
    "/dpo/act",
    "What a withdrawal, objection, restriction or erasure does; with `sure` it is done",
    form=Act,
    statuses=(200, 303),
    tags=TAGS,
)
async def act(request: web.Request) -> web.StreamResponse:
    """Answered when nothing that it ends can start any more."""
    found = await sessions.posted(request, Role.DPO)
    if found is None:
        return see_other(request)
    operator, fields = found
    subject, why = questions.about(fields)
    what = questions.one_of(fields, "act", *_ACTS)
    if "act" not in fields:
        raise Invalid.at("/act", "is required")
    await tell(request, operator, subject, why)
    if fields.get("sure") != "yes":
        return await _before(request, operator, subject, why, fields)
    channel = questions.one_of(fields, "channel", *_CHANNELS)
    if what == "erase":
        return await _erase(request, operator, subject, channel)
    if what == "restrict":
        await _stops(request).restrict(subject, channel, Actor.OPERATOR)
    else:
        purpose = fields.get("purpose") or None
        objects = what == "object"
        said = Withdrawal(
            None if objects else purpose, Actor.OPERATOR, channel, objects, {"reference": why}
        )
        await request.app[WITHDRAWALS].by_subject(subject, said)
    return await shown_again(request, operator, subject, why, what)


async def _before(
    request: web.Request,
    operator: Operator,
    subject: str,
    why: str,
    fields: MultiDictProxy[str],
) -> web.Response:
    """The first step: what will happen, and how the person asked."""
    parts = request.app[PARTS]
    periods = erasing.periods_of(parts.config.retention)
    stores = (parts.data, parts.clock, parts.consents, periods)
    foreseen: Foreseen | None = await erase.foresee(*stores, subject)
    if foreseen is None:
        raise NotFound
    facts: dict[str, Any] = {
        "subject": subject,
        "why": why,
        "act": fields["act"],
        "purpose": fields.get("purpose", ""),
        "locked_until": foreseen.locked_until,
        "held_until": foreseen.held_until,
        "csrf": sessions.csrf(request, operator),
    }
    return pages.response(request, "desk_act", brand=brand(request), **facts)


async def _erase(
    request: web.Request, operator: Operator, subject: str, channel: str
) -> web.Response:
    asked = Request(Question("", subject=subject), Actor.OPERATOR, channel)
    begun = await Erasures(Erasing(request.app[PARTS])).erase(asked)
    if begun is None:
        raise NotFound
    return start_page(request, operator, problem="held" if begun.state == "held" else "erased")


def _stops(request: web.Request) -> Stops:
    parts = request.app[PARTS]
    return Stops(
        parts.data,
        parts.clock,
        parts.keystore,
        parts.consents,
        parts.log,
        parts.keyring.suppression,
        parts.permit_wait,
        parts.config.delivery.permit_ttl,
        parts.takings,
    )


ROWS: Final = (act,)
