"""A person's own pages: ask for a link, open it, see everything, change preferences.

Without a session they tell nobody anything; with one they show what is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from audit.receipt import Receipt
from consent import address
from consent.consents import Consent
from consent.errors import AddressError
from consent.evidence import MailSent, Objected, Requested, ServerReply, TakenBack
from consent.fresh_links import Session
from consent.model import State
from gateway.errors import NotFound, TooMany
from gateway.flows.leaving import all_of_sender
from gateway.flows.leaving.preferences import Switched
from gateway.flows.rights import fresh_link, overview, past_mails
from gateway.flows.rights.overview import Choice, Held, OwnData, Step
from gateway.flows.rights.session import close_session, open_session
from gateway.http import dossier_paper, pages
from gateway.http.app_keys import PARTS, WITHDRAWALS
from gateway.http.endpoints import Endpoint, page
from gateway.http.networks import client_network
from gateway.http.parsing import read_fields
from gateway.limits import Wait
from gateway.look import field_words, terms
from gateway.look.generated_notices import processors
from gateway.people import links, receipts, sessions, wording
from gateway.people.own_pages import OWN, brand, see_other
from gateway.people.page_models import MyDataQuestion, PreferencesAnswer
from gateway.people.spoken import speak_to

# Where a spent link leads, by the page that it was opened on.
_AFTERWARDS = {
    "my-data": "/my-data",
    "why": "/my-data/why",
    "preferences": "/my-data/preferences",
}
_NEWEST = 20  # mails on the overview; the files have them all
_TOLD = {
    "consent.requested": "requested",
    "consent.mail_sent": "mail_sent",
    "consent.confirmed": "confirmed",
    "consent.rejected": "rejected",
    "consent.withdrawn": "withdrawn",
    "consent.lapsed": "lapsed",
    "consent.expired": "expired",
    "consent.objected": "objected",
}


@page("GET", "/my-data", "Ask for a link; in a session: everything", tags=OWN)
async def start(request: web.Request) -> web.StreamResponse:
    """The overview in a session; else the page that asks for an address."""
    parts = request.app[PARTS]
    session = await sessions.current(request)
    if session is None:
        return _ask_page(request)
    seen = await _overview(request, session)
    if seen is None:
        return _ask_page(request)
    mails, count = await past_mails.newest(parts.data, parts.keystore, session.subject, _NEWEST)
    locale, shown = pages.locale_of(request), brand(request)
    return pages.response(
        request,
        "my_data",
        brand=shown,
        email=seen.email,
        language=seen.locale,
        profile=field_words.answers(seen.profile, parts.config, locale),
        identifiers=dossier_paper.identifiers(seen, locale),
        consents=_shown(seen.consents, locale),
        csrf=sessions.csrf(request, session),
        restricted_at=seen.restricted_at,
        objected_at=seen.objected_at,
        paused_until=seen.paused_until,
        waiting=seen.waiting,
        processors=processors(parts.config.processors, locale),
        mails=dossier_paper.mail_rows(mails, seen, parts.config, locale, shown.zone),
        more_mails=count - len(mails),
        periods=dossier_paper.periods(parts.config, locale),
    )


@page(
    "POST",
    "/my-data",
    "Send a link to the mailbox; the same answer whether known or not",
    form=MyDataQuestion,
    statuses=(200, 422),
    tags=OWN,
)
async def ask(request: web.Request) -> web.StreamResponse:
    """Field `email`; the answer is the same for every address that has the form of one."""
    parts = request.app[PARTS]
    fields = await read_fields(request)
    typed = fields.get("email", "")
    try:
        email = address.parse(typed)
    except AddressError:
        problem = "email_invalid" if typed.strip() else "email_missing"
        return _ask_page(request, 422, email=typed, problem=problem)
    network = client_network(request, parts.config.server.trusted_proxies)
    wait = await fresh_link.accept(parts, email, network)
    if wait is not None:
        raise TooMany(wait.how_long)
    contact = parts.config.controller.contact
    return pages.response(request, "my_data_asked", brand=brand(request), contact=contact)


async def show_link(request: web.Request) -> web.StreamResponse:
    """One button, while the link can be used. Looking does not use it."""
    parts = request.app[PARTS]
    token = links.token_of(request)
    subject = await fresh_link.look(parts.data, parts.clock, parts.rows, token)
    if subject is None:
        return _over(request)
    await speak_to(request, subject)
    return pages.response(request, "my_data_open", brand=brand(request))


async def open_link(request: web.Request) -> web.StreamResponse:
    """Spend the link, open a session, and go where the link leads."""
    sessions.require_same_site(request)
    raw = await open_session(request.app[PARTS], links.token_of(request))
    if raw is None:
        return _over(request)
    opened = request.path.split("/")[1]
    response = see_other(_AFTERWARDS[opened], request)
    sessions.give(request, response, raw)
    return response


def _fresh_links() -> Iterator[Endpoint]:
    """One link for each of a person's own pages; two share their paths with links of mails."""
    for opened, shows, does in (
        ("my-data", "", ""),
        ("why", "; from a mail: why it came", ""),
        ("preferences", "; from a mail: its purpose's switch", "; from a mail: switch that"),
    ):
        path, form = (
            f"/{opened}/{links.FRESH}",
            PreferencesAnswer if opened == "preferences" else None,
        )
        looking = f"A fresh link: one button{shows}"
        spending = f"Spend a fresh link and open a session{does}"
        yield page("GET", path, looking, statuses=(200, 410), tags=OWN)(show_link)
        yield page("POST", path, spending, form=form, statuses=(200, 303, 410), tags=OWN)(open_link)


FRESH_LINKS = tuple(_fresh_links())


@page("GET", "/my-data/why", "Every consent", statuses=(200, 303), tags=OWN)
async def why(request: web.Request) -> web.StreamResponse:
    """Every consent with dates and evidence."""
    session = await sessions.current(request)
    seen = None if session is None else await _overview(request, session)
    if seen is None:
        return see_other("/my-data", request)
    kept = await receipts.of(request, [held.consent for held in seen.consents])
    return pages.response(
        request,
        "why",
        brand=brand(request),
        consents=_with_receipts(
            _shown(seen.consents, pages.locale_of(request)), seen.consents, kept
        ),
        on=any(held.state in (State.PENDING, State.CONFIRMED) for held in seen.consents),
        fresh=True,
        fresh_url=None,
    )


@page(
    "GET",
    "/my-data/preferences",
    "Every purpose with its switch",
    statuses=(200, 303),
    tags=OWN,
)
async def preferences(request: web.Request) -> web.StreamResponse:
    """Every purpose with its switch."""
    session = await sessions.current(request)
    if session is None:
        return see_other("/my-data", request)
    return await _preferences_page(request, session, None)


@page(
    "POST",
    "/my-data/preferences",
    "Change preferences",
    form=PreferencesAnswer,
    statuses=(200, 303),
    tags=OWN,
)
async def change_preferences(request: web.Request) -> web.StreamResponse:
    """`purpose.<name>=on|off` for any number of purposes, `sender` for all of one's; else as is."""
    parts = request.app[PARTS]
    session = await sessions.current(request)
    if session is None:
        return see_other("/my-data", request)
    fields = await read_fields(request)
    sessions.require_own(request, session, fields.get(sessions.CSRF_FIELD))
    wanted = {
        name.removeprefix("purpose."): value == "on"
        for name, value in fields.items()
        if name.startswith("purpose.") and value in ("on", "off")
    }
    theirs = all_of_sender.of_sender(parts.config.purposes, fields.get("sender", ""))
    wanted |= dict.fromkeys(theirs, False)
    network = client_network(request, parts.config.server.trusted_proxies)
    withdrawals = request.app[WITHDRAWALS]
    switched = await overview.choose(parts, withdrawals, session.subject, wanted, network)
    if isinstance(switched, Wait):
        raise TooMany(switched.how_long)
    return await _preferences_page(request, session, switched)


@page("POST", "/my-data/leave", "End the session", statuses=(303,), tags=OWN)
async def leave(request: web.Request) -> web.StreamResponse:
    """End the session at once, for whoever sits at a borrowed machine."""
    session, raw = await sessions.current(request), sessions.raw_id(request)
    if session is not None and raw is not None:
        fields = await read_fields(request)
        sessions.require_own(request, session, fields.get(sessions.CSRF_FIELD))
        parts = request.app[PARTS]
        await close_session(parts.data, parts.keystore.sessions, parts.rows, raw)
    response = see_other("/my-data", request)
    sessions.take(request, response)
    return response


def _ask_page(
    request: web.Request, status: int = 200, *, email: str = "", problem: str | None = None
) -> web.Response:
    return pages.response(
        request, "my_data_ask", status, brand=brand(request), email=email, problem=problem
    )


def _over(request: web.Request) -> web.Response:
    return pages.response(
        request,
        "expired",
        410,
        brand=brand(request),
        kind="fresh",
        again_url="/my-data",
        contact=request.app[PARTS].config.controller.contact,
    )


async def _overview(request: web.Request, session: Session) -> OwnData | None:
    return await overview.look(request.app[PARTS], session.subject)


async def _preferences_page(
    request: web.Request, session: Session, switched: Switched | None
) -> web.StreamResponse:
    seen = await _overview(request, session)
    if seen is None:
        raise NotFound
    asked = switched.on if switched is not None else frozenset()  # worked off in a moment
    return pages.response(
        request,
        "preferences",
        brand=brand(request),
        purposes=[
            {
                **wording.shown(choice.text, choice.purpose),
                "purpose": choice.purpose,
                "on": choice.on,
                "waiting": choice.waiting or (choice.purpose in asked and not choice.on),
            }
            for choice in seen.choices
        ],
        switched=switched,
        senders=_senders(request, seen.choices),
        fresh=True,
        fresh_url=None,
        csrf=sessions.csrf(request, session),
    )


def _senders(request: web.Request, choices: Sequence[Choice]) -> list[dict[str, str]]:
    """Of whom something is on or waits."""
    config = request.app[PARTS].config
    on = {one.purpose for one in choices if one.on or one.waiting}
    found = {config.purposes[name].sender for name in on & config.purposes.keys()}
    return [{"sender": one, "name": config.senders[one].name} for one in sorted(found)]


def _shown(consents: Sequence[Held], locale: str) -> list[dict[str, Any]]:
    return [
        {
            **wording.shown(held.text, held.consent.purpose),
            "state": held.state,
            "not_mailed": terms.not_mailed(held.hindrance, locale),
            "decided_at": held.consent.decided_at,
            "requested_at": None if held.contested else held.consent.requested_at,
            "ends_at": held.consent.ends_at,
            "kept_until": held.kept_until,
            "own_form": _own_form(held.consent, locale),
            "contested": held.contested,
            "confirmation_away": held.confirmation_away,
            "evidence": held.consent.evidence,
            "text_hash": held.consent.text_hash,
            "story": [_told(step) for step in held.story if step.kind in _TOLD],
        }
        for held in consents
    ]


def _with_receipts(
    shown: Sequence[dict[str, Any]], consents: Sequence[Held], kept: Mapping[str, Receipt]
) -> list[dict[str, Any]]:
    return [
        {**one, "receipt": kept.get(held.consent.id)}
        for one, held in zip(shown, consents, strict=True)
    ]


def _own_form(consent: Consent, locale: str) -> str | None:
    """Through what it was asked for, where that was no form."""
    form = consent.form
    return terms.in_words(terms.FORMS, form, locale) if form in terms.FORMS else None


def _told(step: Step) -> dict[str, Any]:
    """One line of a consent's story; only what the page has words for."""
    told: dict[str, Any] = dict.fromkeys(("page_url", "rendered_by", "code", "reply", "channel"))
    told |= {"kind": _TOLD[step.kind], "at": step.at}
    match step.said:
        case Requested(page_url=page_url, rendered_by=rendered_by):
            told |= {"page_url": page_url, "rendered_by": rendered_by}
        case MailSent(reply=ServerReply(code=code, text=text)):
            told |= {"code": code, "reply": text}
        case TakenBack(channel=channel) | Objected(channel=channel):
            told |= {"channel": channel}
        case _:
            pass
    return told
