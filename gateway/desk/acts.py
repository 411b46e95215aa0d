"""What the desk does for a person who asked by phone or letter: two steps, the first of which
says what will happen. Each is final when it is answered, as on a person's own pages."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any, Final

from aiohttp import web
from multidict import MultiDictProxy

from audit.kinds import Actor
from gateway.callers.operators import Role
from gateway.config import calendars
from gateway.desk import questions, seated, sessions
from gateway.desk.entrance import TAGS, brand, start_page
from gateway.desk.people import shown_again, tell
from gateway.desk.questions import Act
from gateway.desk.seated import Fields
from gateway.errors import Invalid, NotFound
from gateway.flows.by import By
from gateway.flows.desk.sitting import Operator
from gateway.flows.leaving.ending import Withdrawal
from gateway.flows.leaving.same_mailbox import SameMailbox
from gateway.flows.rights import erasing
from gateway.flows.rights.erase import Erasures, Request
from gateway.flows.rights.erasing import Erasing
from gateway.flows.rights.foreseen import Foreseen, foresee
from gateway.flows.rights.holds import Holds
from gateway.flows.rights.stops import Stops
from gateway.flows.sending.permission import Question
from gateway.http import fact_words, pages
from gateway.http.app_keys import PARTS, WITHDRAWALS
from gateway.http.endpoints import page

_ACTS: Final = ("withdraw", "object", "restrict", "unrestrict", "hold", "lift_hold", "erase")
_LAST_SECOND: Final = time(23, 59, 59)


@page(
    "POST",
    "/dpo/act",
    "What a withdrawal, objection, restriction, hold or erasure does; with `sure` it is done",
    form=Act,
    statuses=(200, 303),
    tags=TAGS,
)
@seated.posts(Role.DPO)
async def act(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """Answered when nothing that it ends can start any more."""
    subject, why = questions.about(fields)
    what = questions.one_of(fields, "act", *_ACTS)
    if "act" not in fields:
        raise Invalid.at("/act", "is required")
    await tell(request, operator, subject, why)
    until = _until(request, fields) if what == "hold" else None
    if fields.get("sure") != "yes" or _is_unsaid(fields, until):
        return await _before(request, operator, subject, why, fields)
    channel = questions.one_of(fields, "channel", *questions.CHANNELS)
    if what == "erase":
        return await _erase(request, operator, subject, channel)
    if until is not None:
        dispute = questions.label_of(fields, "dispute") or why
        did = await _hold(request, operator, subject, dispute, until)
    elif what == "lift_hold":
        did = await _lift_hold(request, operator, subject, fields)
    else:
        did = await _stop(request, operator, subject, why, fields)
    return await shown_again(request, operator, subject, why, did)


def _is_unsaid(fields: MultiDictProxy[str], until: datetime | None) -> bool:
    """Whether the act lacks what its log entry says for ever: nothing is guessed for it."""
    match fields["act"]:
        case "hold":
            return until is None or questions.label_of(fields, "dispute") is None
        case "lift_hold":
            return False
        case _:
            return not fields.get("channel")


async def _stop(
    request: web.Request, operator: Operator, subject: str, why: str, fields: Fields
) -> str:
    """Take down what the person said; the act that was done, or `nothing`."""
    what, channel = fields["act"], questions.one_of(fields, "channel", *questions.CHANNELS)
    by = By(operator.id, Actor.OPERATOR)
    if what == "restrict":
        await _stops(request).restrict(subject, channel, by.actor, by)
    elif what == "unrestrict":
        lifted = await _stops(request).lift_restriction(subject, channel, by.actor, by)
        return what if lifted else "nothing"
    else:
        objects = what == "object"
        purpose = None if objects else fields.get("purpose") or None
        told = {"reference": why}
        said = Withdrawal(purpose, by.actor, channel, objects, told, by)
        await request.app[WITHDRAWALS].by_subject(subject, said)
    return what


async def _hold(
    request: web.Request, operator: Operator, subject: str, dispute: str, until: datetime
) -> str:
    holds = Holds(Erasing(request.app[PARTS]))
    said = (subject, dispute, until, Actor.OPERATOR)
    placed = await holds.place(*said, caller=operator.id)
    return "nothing" if placed is None else "hold"


async def _lift_hold(
    request: web.Request, operator: Operator, subject: str, fields: MultiDictProxy[str]
) -> str:
    holds, name = Holds(Erasing(request.app[PARTS])), questions.subject_of(fields, "hold")
    lifted = await holds.lift(name, Actor.OPERATOR, operator.id, subject)
    return "lift_hold" if lifted else "nothing"


def _until(request: web.Request, fields: MultiDictProxy[str]) -> datetime | None:
    """When the day that was chosen is over, as the calendar of due dates has it; None: no such."""
    day = questions.day_of(fields, "until")
    if day is None:
        return None
    parts = request.app[PARTS]
    zone = calendars.of(parts.config.rights).zone
    over = datetime.combine(day, _LAST_SECOND, zone).astimezone(UTC)
    return over if over > parts.clock.wall() else None


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
    foreseen: Foreseen | None = await foresee(*stores, subject)
    if foreseen is None:
        raise NotFound
    facts: dict[str, Any] = {
        "subject": subject,
        "why": why,
        "act": fields["act"],
        "purpose": fields.get("purpose", ""),
        "title": _title(request, fields),
        "hold": fields.get("hold", ""),
        "dispute": fields.get("dispute", ""),
        "until": fields.get("until", ""),
        "unsaid": fields.get("sure") == "yes",
        "channel": fields.get("channel", ""),
        "locked_until": foreseen.locked_until,
        "held_until": foreseen.held_until,
        "csrf": sessions.csrf(request, operator),
    }
    return pages.response(request, "desk_act", brand=brand(request), **facts)


def _title(request: web.Request, fields: MultiDictProxy[str]) -> str:
    """What a withdrawal is of, as people read it."""
    said, config = fields.get("purpose", ""), request.app[PARTS].config
    return said and fact_words.purpose(config, said, pages.locale_of(request))


async def _erase(
    request: web.Request, operator: Operator, subject: str, channel: str
) -> web.Response:
    by = By(operator.id, Actor.OPERATOR)
    asked = Request(Question("", subject=subject), by.actor, channel, by=by)
    begun = await Erasures(Erasing(request.app[PARTS])).erase(asked)
    if begun is None:
        raise NotFound
    problem = "held" if begun.state == "held" else "erased"
    return start_page(request, operator, problem=problem, erasure=begun.id)


def _stops(request: web.Request) -> Stops:
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


ROWS: Final = (act,)
