"""What the pages of cases say: a list by due date, one case, and a step before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel, ConfigDict, StringConstraints

from consent.erasures import Stage
from consent.rights import Right, RightsRequest, Step
from consent.rights_requests import Place
from gateway.callers.operators import Role
from gateway.desk import sessions
from gateway.desk.entrance import brand
from gateway.desk.questions import CHANNELS
from gateway.flows.desk.sitting import Operator
from gateway.flows.rights.requests import Case
from gateway.http import pages
from gateway.http.app_keys import RIGHTS_REQUESTS
from gateway.http.fields import Locale, Moment
from gateway.look import code_words, terms
from gateway.look.translations import translations
from storage import patterns

ONE: Final = "/dpo/cases/{id:req_[0-9a-v]{26}}"
FIRST: Final[Place | None] = None
AT_ONCE: Final = 50
_DAY: Final = timedelta(days=1)
_HANDED: Final = (Right.ACCESS, Right.PORTABILITY)


class DueQuery(BaseModel):
    """Behind which case a page of the list begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    due: Moment | None = None
    after: Annotated[str, StringConstraints(pattern=patterns.REQUEST)] | None = None
    locale: Locale | None = None

    @property
    def place(self) -> Place | None:
        return None if self.due is None or self.after is None else (self.due, self.after)


class DecidedQuery(BaseModel):
    """Before which case a page of the decided ones begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: Annotated[str, StringConstraints(pattern=patterns.REQUEST)] | None = None
    locale: Locale | None = None


async def decided_page(request: web.Request, before: str | None) -> web.Response:
    """Those that are decided, the last first."""
    found = await request.app[RIGHTS_REQUESTS].decided_page(before, AT_ONCE)
    locale = pages.locale_of(request)
    return pages.response(
        request,
        "desk_cases_decided",
        brand=brand(request),
        cases=[facts(one, found.now, locale) for one in found.requests],
        further=found.further,
    )


async def list_page(
    request: web.Request,
    operator: Operator,
    after: Place | None,
    *,
    typed: Mapping[str, str] | None = None,
    problem: str | None = None,
) -> web.Response:
    """Those that wait; *typed*: what was to be written down, and *problem* why it was not."""
    found = await request.app[RIGHTS_REQUESTS].due_page(after, AT_ONCE)
    locale = pages.locale_of(request)
    further, said = found.further, MultiDict(typed or {})
    return pages.response(
        request,
        "desk_cases",
        422 if problem in ("email", "kind", "channel") else 200,
        brand=brand(request),
        cases=[facts(one, found.now, locale) for one in found.requests],
        further=None if further is None else {"due": further[0].isoformat(), "after": further[1]},
        may_act=operator.role is Role.DPO,
        today=found.now.date().isoformat(),
        rights=[(str(one), in_words(code_words.RIGHTS, one, locale)) for one in Right],
        typed={name: said.get(name, "") for name in ("email", "received_on", "channel")},
        problem=problem,
        csrf=sessions.csrf(request, operator),
    )


def case_page(
    request: web.Request,
    operator: Operator,
    case: Case,
    *,
    did: str | None = None,
    problem: str | None = None,
) -> web.Response:
    """One case; *did*: what was just written down, *problem*: why nothing was."""
    one, erasure = case.request, case.erasure
    return pages.response(
        request,
        "desk_case",
        422 if problem == "reason" else 409 if problem else 200,
        brand=brand(request),
        case=facts(one, case.now, pages.locale_of(request)),
        subject=one.subject,
        handed_out=one.right in _HANDED,
        steps=[step for step in Step if one.refusal(step, case.now) is None],
        erasure=None
        if erasure is None
        else {"id": erasure.id, "done": erasure.state is Stage.DONE},
        did=did,
        problem=problem,
        may_act=operator.role is Role.DPO,
        csrf=sessions.csrf(request, operator),
    )


def step_page(
    request: web.Request,
    operator: Operator,
    case: Case,
    step: Step,
    later: datetime | None,
    *,
    unsaid: bool,
) -> web.Response:
    """What a step means, before it is taken; *unsaid*: it was to be taken, without a reason."""
    return pages.response(
        request,
        "desk_case_step",
        422 if unsaid else 200,
        brand=brand(request),
        case=facts(case.request, case.now, pages.locale_of(request)),
        step=step,
        later=later,
        unsaid=unsaid,
        csrf=sessions.csrf(request, operator),
    )


def facts(one: RightsRequest, now: datetime, locale: str) -> dict[str, Any]:
    """A case without its person, in words."""
    return {
        "id": one.id,
        "right": one.right,
        "what": in_words(code_words.RIGHTS, one.right, locale),
        "state": in_words(code_words.PROGRESS, one.progress, locale),
        "waits": one.progress.waits,
        "channel": terms.channel(one.channel, locale),
        "asked_by": one.channel if one.channel in CHANNELS else "",
        "received_at": one.received_at,
        "due_at": one.due_at,
        "days": (one.due_at - now) // _DAY,
        "decided_at": one.decided_at,
    }


def in_words(known: Mapping[Any, str], value: Any, locale: str) -> str:
    return translations(locale).gettext(known[value])
