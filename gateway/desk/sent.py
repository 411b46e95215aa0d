"""What was sent, at the desk: messages by purpose, state and reason, and none says to whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from delivery.listing import Count, Listed, Wanted
from delivery.outbox import Status
from delivery.outcome import Kind
from gateway.callers.operators import Role
from gateway.config.config import Config
from gateway.desk import seated, sessions
from gateway.desk.entrance import TAGS, brand
from gateway.desk.questions import SentWanted
from gateway.desk.seated import Fields
from gateway.flows.desk.sitting import Operator
from gateway.flows.sending import sent
from gateway.http import fact_words, pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.fields import Identifier, Locale
from gateway.http.parsing import read_query
from gateway.look import code_words, moments, terms
from gateway.look.translations import say, translations
from gateway.watch.stuck import Why
from storage.bad_rows import Standing

AT_ONCE: Final = 50
STANDS_ASIDE: Final[Mapping[str, str]] = {
    Why.ALTERED: say("It is not what the gateway wrote: treat that as an intrusion."),
    Why.ATTEMPTS: say("Its attempts do not fit what was permitted: treat that as an intrusion."),
    Why.KEY_MISSING: say("Its key is missing."),
    Why.PURPOSE_UNKNOWN: say("Its purpose is not in the configuration any more."),
    Why.WORDING_MISSING: say("Its wording is missing or damaged."),
    Why.SENDER_UNKNOWN: say("Its sender is not in the configuration any more."),
    Why.OCCASION_UNKNOWN: say("Its occasion is of another release."),
    Why.HANDLE_MISSING: say("Its link to leave by is missing."),
    Why.FAILED: say("Working it off failed; the gateway's own log names the error."),
    Why.UNREADABLE: say("It cannot be read: treat that as an intrusion."),
}
SERVICE: Final = say("%(title)s, a service mail")
_DAY: Final = timedelta(days=1)


_Said = Annotated[str, StringConstraints(max_length=64)]


class SentQuery(BaseModel):
    """Which day, which purpose, which state; what is left empty is not asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: _Said = ""
    purpose: _Said = ""
    status: _Said = ""
    before: Identifier | None = None
    locale: Locale | None = None

    def wanted(self, today: date) -> Wanted | None:
        """The messages of that day; None for a day that there is none of."""
        try:
            day = date.fromisoformat(self.day) if self.day else today
            since = datetime.combine(day, time(), UTC)
            until = since + _DAY
        except (ValueError, OverflowError):
            return None
        if since.timestamp() < 0:
            return None
        return Wanted(since, until, self.purpose or None, self.status or None, self.before)


@page("GET", "/dpo/sent", "What became of a day's messages", statuses=(200, 303, 422), tags=TAGS)
@seated.reads(*Role)
async def show_sent(request: web.Request, operator: Operator) -> web.StreamResponse:
    """Every role sees it: it is about nobody."""
    parts, query, locale = (
        request.app[PARTS],
        read_query(request, SentQuery),
        pages.locale_of(request),
    )
    today = parts.clock.wall().date()
    wanted = query.wanted(today)
    shown = wanted or SentQuery().wanted(today)
    assert shown is not None  # noqa: S101 today is a day
    found = await sent.look(parts.data, parts.clock, shown, AT_ONCE)
    words = _Words(parts.config, locale)
    return pages.response(
        request,
        "desk_sent",
        200 if wanted else 422,
        brand=brand(request),
        day=shown.since.date(),
        said=moments.day(shown.since, locale),
        before=(shown.since - _DAY).date(),
        behind=shown.until.date() if shown.since.date() < today else None,
        purpose=query.purpose,
        state=query.status,
        purposes=[(name, words.purpose(name)) for name in parts.config.purposes],
        states=[(str(one), words.state(one, None)) for one in Status],
        counts=[words.count(one) for one in found.counts],
        messages=[words.message(one) for one in found.messages],
        further=None if found.last is None else found.last.message.id,
        queue=sum(found.queue.values()),
        longest_due=found.longest_due,
        parked=[words.parked(one) for one in found.parked],
        unknown=wanted is None,
        csrf=sessions.csrf(request, operator),
    )


@page("POST", "/dpo/sent", "Choose a day", form=SentWanted, statuses=(303,), tags=TAGS)
@seated.posts(*Role)
async def choose_sent(
    request: web.Request, operator: Operator, fields: Fields
) -> web.StreamResponse:
    return seated.lead_on(request, fields, "/dpo/sent", "day", "purpose", "status")


class _Words:
    def __init__(self, config: Config, locale: str) -> None:
        self._config, self._locale = config, locale
        self._words = translations(locale)

    def purpose(self, name: str, kind: str = Kind.MARKETING) -> str:
        """Its title; of our own mails what they are for."""
        title = fact_words.purpose(self._config, name, self._locale)
        if kind == Kind.MARKETING or name not in self._config.purposes:
            return title
        return self._words.gettext(SERVICE) % {"title": title}

    def state(self, status: str, reason: str | None) -> str:
        became = terms.in_words(code_words.STATES, status, self._locale)
        if reason is None:
            return became
        why = terms.in_words(terms.REASONS, reason, self._locale)
        return f"{became}{self._words.gettext(':')} {why}"

    def count(self, one: Count) -> dict[str, Any]:
        became = self.state(one.status, one.reason)
        return {
            "what": self.purpose(one.purpose, one.kind),
            "became": became,
            "messages": one.messages,
        }

    def message(self, one: Listed) -> dict[str, Any]:
        message = one.message
        return {
            "id": message.id,
            "at": one.created_at,
            "ended_at": one.ended_at,
            "what": self.purpose(message.purpose, message.kind),
            "became": self.state(message.status, message.reason),
        }

    def parked(self, one: Standing) -> dict[str, Any]:
        why = self._words.gettext(STANDS_ASIDE[one.reason])
        what = terms.in_words(code_words.TABLES, one.table, self._locale)
        return {"what": what, "rows": one.rows, "why": why, "since": one.since}


ROWS: Final = (show_sent, choose_sent)
