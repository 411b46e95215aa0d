"""The page behind the link of a confirmation mail. Looking changes nothing; only POST acts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from consent import policy
from consent.consents import Consent
from consent.model import State
from consent.sign_ups import ASKED_BY_LINK
from consent.specimens import Specimen, What
from gateway.config.config import Config
from gateway.config.form_fields import FormField, several
from gateway.errors import FieldError, Invalid, NotFound, TooMany
from gateway.flows.joining import confirm
from gateway.flows.joining.answering import Choice, Declaration
from gateway.flows.joining.confirm import Seen
from gateway.http import form_answers, pages
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.networks import client_network
from gateway.http.pages import Brand
from gateway.http.parsing import read_fields
from gateway.look.field_words import control
from gateway.people import links, receipts, wording
from gateway.people.page_models import ConfirmationAnswer, corrections_of

_LINKS = ("recipients, by link",)
_UNASKED = FormField(max_length=200)  # an answer whose field left the form


@page(
    "GET",
    f"/confirm/{links.ANY}",
    "What a sign-up asked for, its answers to correct, and one button; changes nothing",
    statuses=(200, 410),
    tags=_LINKS,
)
async def show_confirmation(request: web.Request) -> web.StreamResponse:
    """The wording and one button; the page never submits itself."""
    seen = await confirm.look(request.app[PARTS], links.token_of(request), _network(request))
    return _confirmation_page(request, _found(request, seen))


@page(
    "POST",
    f"/confirm/{links.ANY}",
    "Confirm, or say that it was somebody else",
    form=ConfirmationAnswer,
    statuses=(200, 410, 422),
    tags=_LINKS,
)
async def answer_confirmation(request: web.Request) -> web.StreamResponse:
    """`answer=confirm` or `reject`; on an expired link `again` asks for a new mail.

    Where the operator asked anew, `decline` says no, and ends what was agreed to before.

    With `confirm`, `purpose` (repeated) says which, and `profile.<field>` what an
    answer is to be: absent as shown, empty removed. Where the sign-up may be
    somebody else's, nothing is shown, and of several purposes none is ticked.
    """
    fields = await read_fields(request)
    said = fields.get("answer")
    if said == "again":
        return await _ask_again(request)
    if said not in tuple(Declaration):
        raise Invalid.at("/answer", "must be confirm or reject")
    parts, token, network = request.app[PARTS], links.token_of(request), _network(request)
    choice = Choice()
    if (
        said == Declaration.DECLINE
        and not _found(request, await confirm.look(parts, token, network)).anew
    ):
        raise Invalid.at("/answer", "can be declined only where we asked anew")
    if said == Declaration.CONFIRM:
        seen = _found(request, await confirm.look(parts, token, network))
        choice = _choice(parts.config, seen, fields)
        if choice.purposes is not None and not choice.purposes:
            typed = {name: choice.answers.get(name, one) for name, one in seen.answers.items()}
            seen = replace(seen, answers=typed)  # nobody types it twice
            return _confirmation_page(request, seen, nothing_ticked=True)
        choice = replace(choice, shown=_specimen(request, seen))
    seen = _found(request, await confirm.answer(parts, token, Declaration(said), choice, network))
    if seen.expired:
        return _confirmation_page(request, seen)
    return pages.response(
        request,
        "confirm_done",
        brand=_brand(request),
        answer=said,
        anew=seen.anew,
        consents=_shown(seen),
        receipts=[*(await receipts.of(request, _confirmed(seen))).values()],
    )


def _confirmed(seen: Seen) -> list[Consent]:
    return [one for one in seen.consents if one.state is State.CONFIRMED]


async def _ask_again(request: web.Request) -> web.StreamResponse:
    parts, token = request.app[PARTS], links.token_of(request)
    wait = await confirm.ask_again(parts, token, _network(request))
    if wait is not None:
        raise TooMany(wait.how_long)
    return pages.response(request, "mail_again", brand=_brand(request))


def _choice(config: Config, seen: Seen, fields: MultiMapping[str]) -> Choice:
    """What was ticked and corrected; raises `Invalid` that names every field that is wrong."""
    known = _questions(config, seen)
    said = corrections_of(fields, several(known))
    corrected, problems = form_answers.read_corrections(
        {name: known.get(name, _UNASKED) for name in seen.answers}, said.profile, seen.answers
    )
    if said.purposes is not None and not said.purposes <= {one.purpose for one in seen.consents}:
        problems.append(FieldError("/purpose", "is not a purpose of this request"))
    if problems:
        raise Invalid(problems)
    as_shown = frozenset[str]() if seen.contested and _has_boxes(seen) else None  # none is ticked
    return Choice(as_shown if said.purposes is None else said.purposes, corrected)


def _has_boxes(seen: Seen) -> bool:
    """Whether there is something to choose from, as the page has it."""
    waits = (one for one in seen.consents if one.text_hash in seen.texts)
    return [policy.effective_state(one, seen.now) for one in waits].count(State.PENDING) > 1


def _network(request: web.Request) -> str:
    return client_network(request, request.app[PARTS].config.server.trusted_proxies)


def _found(request: web.Request, seen: Seen | None) -> Seen:
    """What a link asks; the page speaks as the mail did, while the link lives (see `spoken`)."""
    if seen is None:
        raise NotFound
    if seen.consents and not seen.expired:
        pages.speak(request, seen.consents[0].locale)
    return seen


def _confirmation_page(
    request: web.Request, seen: Seen, *, nothing_ticked: bool = False
) -> web.Response:
    brand, locale = _brand(request), pages.locale_of(request)
    if seen.expired:
        kind = "anew" if seen.anew else "confirm"
        return pages.response(request, "expired", 410, brand=brand, kind=kind)
    name, facts = _page_of(request.app[PARTS].config, seen, locale)
    facts |= {"nothing_ticked": nothing_ticked} if name == "confirm" else {}
    status = 422 if nothing_ticked else 200
    return pages.response(request, name, status, brand=brand, **facts)


def _page_of(config: Config, seen: Seen, locale: str) -> tuple[str, dict[str, Any]]:
    """Which page shows what was asked, and what it is filled with."""
    shown = _shown(seen)
    if seen.anew and any(one["state"] is State.PENDING for one in shown):
        return "confirm_anew", {"consents": shown}
    return "confirm", {
        "consents": shown,
        "fields": _fields(config, seen, locale),
        "may_reject": any(policy.reject(consent.state) is not None for consent in seen.consents),
        "nothing_ticked": False,
        "contested": seen.contested,
        "by_link": bool(seen.consents) and seen.consents[0].form in ASKED_BY_LINK,
    }


def _specimen(request: web.Request, seen: Seen) -> Specimen | None:
    """The page on which this is confirmed, with nothing that was entered or decided before."""
    waits = [one for one in seen.consents if policy.effective_state(one, seen.now) is State.PENDING]
    if seen.expired or not waits:
        return None
    bare = replace(seen, consents=waits, answers={})
    locale = pages.locale_of(request)
    name, facts = _page_of(request.app[PARTS].config, bare, locale)
    page = pages.render(name, locale, brand=_brand(request), **facts)
    return Specimen(What.PAGE, page.encode())


def _fields(config: Config, seen: Seen, locale: str) -> list[dict[str, Any]]:
    """The answers as fields of a form, as the form asks that asked for them."""
    known = _questions(config, seen)
    return [
        control(known.get(name, _UNASKED), name, locale, value)
        for name, value in seen.answers.items()
    ]


def _questions(config: Config, seen: Seen) -> dict[str, FormField]:
    form = config.forms.get(seen.consents[0].form) if seen.consents else None
    return {} if form is None else form.fields


def _shown(seen: Seen) -> list[dict[str, Any]]:
    return [_consent(consent, seen) for consent in seen.consents]


def _consent(consent: Consent, seen: Seen) -> dict[str, Any]:
    state = policy.effective_state(consent, seen.now)
    counts = state in (State.PENDING, State.CONFIRMED)
    return {
        **wording.shown(seen.texts.get(consent.text_hash), consent.purpose),
        "purpose": consent.purpose,
        "state": state,
        "decided_at": consent.decided_at,
        "hindrance": seen.refusals.get(consent.id) if counts else None,
    }


def _brand(request: web.Request) -> Brand:
    return Brand.neutral(request.app[PARTS].config)
