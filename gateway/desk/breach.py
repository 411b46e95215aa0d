"""A breach at the desk: what was taken, and at once whose data that is, and what must be told.

Counts alone: nobody is opened. That it was worked out, and of what, is in the log first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from aiohttp import web
from multidict import MultiDictProxy

from gateway.callers.operators import Role
from gateway.desk import questions, seated, sessions
from gateway.desk.entrance import TAGS, brand
from gateway.desk.people import file_headers
from gateway.desk.questions import BreachQuestion
from gateway.desk.seated import Fields
from gateway.errors import Invalid
from gateway.flows.breaches.assessing import Breaches, Question
from gateway.flows.breaches.readable import Store, Taken
from gateway.flows.desk.sitting import Operator
from gateway.http import breach_papers, pages, turns
from gateway.http.app_keys import PARTS, RIGHTS_REQUESTS, TURNS, TYPESETTER
from gateway.http.breach_papers import Told
from gateway.http.endpoints import HTML, Media, endpoint, page
from gateway.http.typesetter import PDF

_DAY: Final = timedelta(days=1)
_LOOKED_BACK: Final = timedelta(days=30)
_JSON: Final = "application/json"
_COPIES: Final = (Store.DATA, Store.KEYSTORE, Store.KEYRING)
_TYPED: Final = ("case", "since", "until", "known_on", "known_at", "happened", "done")
_LONGEST: Final = 4000


@page("GET", "/dpo/breach", "Where a breach is worked out", statuses=(200, 303), tags=TAGS)
@seated.reads(Role.DPO)
async def show_breach(request: web.Request, operator: Operator) -> web.StreamResponse:
    return _form(request, operator)


@endpoint(
    "POST",
    "/dpo/breach",
    summary="What was in reach of who took something, of whom, and drafts of what is to be told",
    responses={200: (HTML, Media(PDF), Media(_JSON)), 303: None, 422: HTML},
    form=BreachQuestion,
    people=True,
    tags=TAGS,
)
@seated.posts(Role.DPO)
async def assess(request: web.Request, operator: Operator, fields: Fields) -> web.StreamResponse:
    """The answer on a page, or as the file whose button was pressed."""
    zone = request.app[RIGHTS_REQUESTS].calendar.zone
    try:
        asked = _question(fields, request.app[PARTS].clock.wall(), zone)
        told = Told(*(_text(fields, name) for name in ("happened", "done")))
    except Invalid as error:
        return _form(request, operator, fields, error.errors[0].pointer.strip("/"))
    form = questions.one_of(fields, "format", "page", "pdf", "json")
    config, locale = request.app[PARTS].config, pages.locale_of(request)
    async with request.app[TURNS].place():
        async with request.app[TURNS].making:  # it goes through whole tables
            found = await _breaches(request).assess(asked, operator.id)
        if form == "json":
            body = breach_papers.to_json(found, told, config)
            return await turns.hand_over(request, body, file_headers("breach.json", _JSON))
        made = breach_papers.whole(found, told, config, locale)
        if form == "pdf":
            body = await request.app[TYPESETTER].pdf(made)
            return await turns.hand_over(request, body, file_headers("breach.pdf", PDF))
    return pages.response(
        request,
        "desk_breach_found",
        brand=brand(request),
        paper=made.document(),
        typed=_again(fields),
        csrf=sessions.csrf(request, operator),
    )


def _breaches(request: web.Request) -> Breaches:
    parts, calendar = request.app[PARTS], request.app[RIGHTS_REQUESTS].calendar
    apart = parts.config.guard_url != parts.config.storage.keystore_url
    stores = (parts.data, parts.key_database, parts.rows, parts.log, parts.clock)
    return Breaches(*stores, calendar, apart)


def _form(
    request: web.Request,
    operator: Operator,
    fields: Fields | None = None,
    problem: str | None = None,
) -> web.Response:
    """Where it is asked; *problem*: what was wrong with what was typed."""
    zone = request.app[RIGHTS_REQUESTS].calendar.zone
    now = request.app[PARTS].clock.wall().astimezone(zone)
    typed = dict.fromkeys(_TYPED, "") | {
        "since": (now - _LOOKED_BACK).date().isoformat(),
        "until": now.date().isoformat(),
        "known_on": now.date().isoformat(),
        "known_at": f"{now:%H:%M}",
    }
    days = dict.fromkeys(map(str, _COPIES), "")
    if fields is not None:
        typed |= {name: fields.get(name, "") for name in _TYPED}
        days |= {store: fields.get(f"{store}_on", "") for store in days}
    return pages.response(
        request,
        "desk_breach",
        422 if problem else 200,
        brand=brand(request),
        typed=typed,
        days=days,
        took=[] if fields is None else fields.getall("took", []),
        zone=str(zone),
        problem=problem,
        csrf=sessions.csrf(request, operator),
    )


def _question(fields: Fields, now: datetime, zone: tzinfo) -> Question:
    """What was asked; raises `Invalid`. What was taken itself was so at any time of those days."""
    case = questions.case_of(fields)
    if case is None:
        raise Invalid.at("/case", "give a file number: it must name nobody")
    today = now.astimezone(zone).date()
    first = questions.day_of(fields, "since") or today - _LOOKED_BACK
    last = questions.day_of(fields, "until") or today
    since, until = _begin(first, zone), min(_begin(last + _DAY, zone), now)
    if not since < until:
        raise Invalid.at("/until", "must not be before the first day, nor that after today")
    known = _known(fields, now, zone)
    taken = list(_taken(fields, since, until, zone))
    if not taken:
        raise Invalid.at("/took", "say what was taken")
    return Question(taken, since, until, known, case)


def _taken(
    fields: MultiDictProxy[str], since: datetime, until: datetime, zone: tzinfo
) -> Iterator[Taken]:
    """A copy is of its day, whatever the time in question."""
    for word in dict.fromkeys(fields.getall("took", [])):
        if word not in set(Store):
            raise Invalid.at("/took", f"must be one of {', '.join(Store)}")
        store = Store(word)
        day = questions.day_of(fields, f"{store}_on") if store in _COPIES else None
        if day is None:
            yield Taken(store, since, until)
        else:
            yield Taken(store, _begin(day, zone), _begin(day + _DAY, zone))


def _known(fields: Fields, now: datetime, zone: tzinfo) -> datetime:
    """Since when one knows of it; now, where nothing else is said."""
    day = questions.day_of(fields, "known_on")
    said = fields.get("known_at", "")
    if day is None and not said:
        return now
    try:
        at = time.fromisoformat(said) if said else time()
        moment = datetime.combine(day or now.astimezone(zone).date(), at, zone)
    except ValueError:
        raise Invalid.at("/known_at", "must be a time such as 14:05") from None
    if moment > now:
        raise Invalid.at("/known_at", "must not be later than now")
    return moment.astimezone(UTC)


def _text(fields: Fields, name: str) -> str:
    said = fields.get(name, "")
    if len(said) > _LONGEST:
        raise Invalid.at(f"/{name}", f"must be at most {_LONGEST} characters")
    return said


def _again(fields: Fields) -> list[tuple[str, str]]:
    """What the buttons for the files post again."""
    names = (*_TYPED, "took", *(f"{store}_on" for store in _COPIES))
    return [(name, value) for name in names for value in fields.getall(name, []) if value]


def _begin(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


ROWS: Final = (show_breach, assess)
