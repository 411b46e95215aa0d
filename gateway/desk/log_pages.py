"""The log at the desk: a day as a story, what its last verification came to, and taken out.

Its entries tell of nobody: every role reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from audit import witnessed
from audit.kinds import Kind
from audit.log import Logged
from gateway.callers.operators import Role
from gateway.desk import seated, sessions
from gateway.desk.entrance import TAGS, brand
from gateway.desk.people import READERS
from gateway.desk.questions import DayWanted
from gateway.desk.seated import Fields
from gateway.flows.desk.sitting import Operator
from gateway.flows.proving import agreed, audit_log
from gateway.flows.proving.audit_log import EventsWanted
from gateway.http import audit_paper, pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.fields import Locale
from gateway.http.parsing import read_query
from gateway.look import event_words, moments
from gateway.look.translations import translations
from gateway.watch import verification
from storage.ids import named

AT_ONCE: Final = 100
_DAY: Final = timedelta(days=1)
_WITNESSED: Final = "witnessed"
# What an entry itself names, beside its kind, and a reader asks first.
_SAID: Final = ("operator",)
_Said = Annotated[str, StringConstraints(max_length=40)]


class DayQuery(BaseModel):
    """Which day, from which minute on, and of which kind; what is left empty is not asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: _Said = ""
    at: _Said = ""
    kind: _Said = ""
    after: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    locale: Locale | None = None

    def wanted(self, today: date) -> EventsWanted | None:
        """The events of that time; None for what is no day, minute or kind."""
        try:
            day = date.fromisoformat(self.day) if self.day else today
            begins = time.fromisoformat(self.at) if self.at else time()
            kind = Kind(self.kind) if self.kind else None
            since = datetime.combine(day, begins, UTC)
            return EventsWanted(kind, since, _midnight(day) + _DAY, self.after, AT_ONCE)
        except (ValueError, OverflowError):
            return None


@page("GET", "/dpo/log", "A day of the audit log as a story", statuses=(200, 303, 422), tags=TAGS)
@seated.reads(*Role)
async def show_log(request: web.Request, operator: Operator) -> web.StreamResponse:
    return await log_page(request, operator, read_query(request, DayQuery))


@page("POST", "/dpo/log", "Choose a day of the log", form=DayWanted, statuses=(303,), tags=TAGS)
@seated.posts(*Role)
async def choose_day(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    return seated.lead_on(request, fields, "/dpo/log", "day", "at", "kind")


async def log_page(
    request: web.Request,
    operator: Operator,
    query: DayQuery,
    *,
    typed: Mapping[str, str] | None = None,
    problem: str | None = None,
) -> web.Response:
    """A day; *typed*: what was to be taken out, and *problem* why it was not."""
    parts, locale = request.app[PARTS], pages.locale_of(request)
    stores = (parts.data, parts.log)
    today = parts.clock.wall().date()
    wanted = query.wanted(today)
    found, last = ([], None) if wanted is None else await audit_log.events(*stores, wanted)
    day = today if wanted is None or wanted.since is None else wanted.since.date()
    said = typed or {}
    return pages.response(
        request,
        "desk_log",
        422 if problem or wanted is None else 200,
        brand=brand(request),
        day=day,
        said=moments.day(_midnight(day), locale),
        before=_other(day, -1),
        behind=_other(day, 1) if day < today else None,
        at=query.at,
        kind=query.kind,
        kinds=_kinds(locale),
        events=[_line(one, locale) for one in found],
        further=None if last is None else last.place,
        unknown=wanted is None,
        checked=await _checked(request, locale),
        may_export=operator.role in READERS,
        typed={name: said.get(name, "") for name in ("since", "until", "case", "format", "scope")},
        problem=problem,
        csrf=sessions.csrf(request, operator),
    )


async def _checked(request: web.Request, locale: str) -> dict[str, Any]:
    """What the last verification came to, and what stands behind it, in words."""
    parts = request.app[PARTS]
    nights = await verification.look(parts.guard, parts.rows, parts.log.first)
    audit, last = parts.config.audit, nights.last
    known = witnessed.known(audit.vkeys)
    stores = (parts.data, parts.guard, parts.log, parts.publisher.verifier)
    seen = await witnessed.seen(*stores, known)
    enough = bool(audit.witnesses) and len(seen.cosignatures) >= audit.quorum
    level = audit_paper.LEVELS[_WITNESSED if enough else audit_paper.SIGNED]
    return {
        "at": None if last is None else last.at,
        "ok": last is not None and last.ok,
        "entries": 0 if last is None else last.since.size,
        "whole_at": nights.whole_at,
        "faults": nights.faults,
        "first_bad": None if last is None else last.first_bad,
        "level": translations(locale).gettext(level),
    }


@page("GET", "/dpo/wordings", "Wordings and notices, and how many consents rest on each", tags=TAGS)
@seated.reads(*Role)
async def show_wordings(request: web.Request, operator: Operator) -> web.StreamResponse:
    parts = request.app[PARTS]
    texts, notices = await agreed.look(parts.data, parts.config, parts.log.macs)
    return pages.response(
        request, "desk_wordings", brand=brand(request), texts=texts, notices=notices
    )


def _line(one: Logged, locale: str) -> dict[str, Any]:
    words, entry = translations(locale), one.entry
    return {
        "at": entry.at,
        "what": words.gettext(event_words.KINDS[entry.kind]),
        "who": words.gettext(event_words.ACTORS[entry.actor]),
        "said": [
            (words.gettext(event_words.FACTS[name]), entry.refs[name])
            for name in _SAID
            if name in entry.refs
        ],
        "index": one.index,
        "id": named("evt", entry.eid),
    }


def _kinds(locale: str) -> list[tuple[str, str]]:
    """Every kind with its sentence, as a reader looks for it."""
    words = translations(locale)
    found = [(str(kind), words.gettext(text)) for kind, text in event_words.KINDS.items()]
    return sorted(found, key=lambda one: one[1])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _other(day: date, days: int) -> date | None:
    """So many days later; None where the calendar ends."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


ROWS: Final = (show_log, choose_day, show_wordings)
