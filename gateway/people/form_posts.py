"""Posts of a form: JSON from a script, or a plain HTML form, whose every outcome is a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from consent.errors import KeyringBehind
from consent.sign_ups import RenderedBy
from gateway.config.config import Config
from gateway.config.form_fields import FormField, several
from gateway.errors import FieldError, Flaw, Invalid, RequestError
from gateway.flows.joining.attestations import Attestation
from gateway.http import form_answers, pages, sign_ups
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, WORDINGS
from gateway.http.endpoints import HTML, endpoint
from gateway.http.networks import client_network
from gateway.http.parsing import FORM_TYPES, parse_value, read_fields, read_json
from gateway.http.problems import describe
from gateway.http.sign_ups import SignUpAccepted, SignUpRequest
from gateway.look.field_words import label_of, range_of
from gateway.look.translations import translations
from gateway.people import form_page, forms, stamps
from gateway.people.page_models import PlainSignUp, is_asked, signup_of
from storage.errors import StorageAway

_CODES: Final = {
    Flaw.MISSING: "field_missing",
    Flaw.TOO_LONG: "field_too_long",
    Flaw.NOT_OFFERED: "field_not_offered",
    Flaw.NO_NUMBER: "field_no_number",
    Flaw.NO_DATE: "field_no_date",
    Flaw.OUT_OF_RANGE: "field_out_of_range",
}


@endpoint(
    "POST",
    forms.PATH,
    summary="Sign up; the answer is the same for every address",
    request=SignUpRequest,
    responses={202: SignUpAccepted, 200: HTML, 303: None},
    form=PlainSignUp,
    people=True,
    example=sign_ups.EXAMPLE,
    tags=("landing pages",),
)
async def post_form(request: web.Request) -> web.StreamResponse:
    form = forms.named(request)
    if request.content_type in FORM_TYPES:
        return await _post_plain(request, form)
    posted = await read_json(request, SignUpRequest)
    stamp = stamps.check(
        request, form, posted.stamp, posted.texts, by=RenderedBy.SCRIPT, page_url=posted.page_url
    )
    await _accept(request, form, posted, stamp)
    return answer(SignUpAccepted(), 202)


async def _accept(
    request: web.Request, form: str, posted: SignUpRequest, stamp: Attestation | None
) -> None:
    trusted = request.app[PARTS].config.server.trusted_proxies
    checked = await sign_ups.checked(request, form, posted)
    if posted.homepage:
        return  # a robot filled the field that people do not see; nothing is kept
    await sign_ups.keep(request, checked, client_network(request, trusted), stamp)


async def _post_plain(request: web.Request, form: str) -> web.StreamResponse:
    """Take what a form posted; every outcome is a page or a redirect to one."""
    config = request.app[PARTS].config
    body: dict[str, Any] = {}
    stamp: str | None = None
    try:
        questions = config.forms[form].fields
        fields = await read_fields(request, partial(is_asked, profile=questions))
        body = signup_of(fields, questions, several(questions))
        stamp = body.pop("stamp", None)
        shown = stamps.check(
            request,
            form,
            stamp,
            body["texts"],
            by=RenderedBy.PAGE,
            page_url=body.get("page_url"),
        )
        body["texts"] = await _of_ticked(request, body["purposes"], body["texts"])
        await _accept(request, form, _whole(body, questions), shown)
    except (RequestError, StorageAway, KeyringBehind) as error:
        return await _refuse_plain(request, form, body, error, hosted=stamp is not None)
    thanks = config.forms[form].thank_you_url
    if thanks is not None:
        raise web.HTTPSeeOther(thanks)
    locale = pages.locale_of(request, body.get("locale"))
    return pages.response(request, "thanks", locale=locale, brand=form_page.brand(config, form))


def _whole(body: Mapping[str, Any], questions: Mapping[str, FormField]) -> SignUpRequest:
    """The sign-up; raises `Invalid` for everything at once: a person mends a form in one go."""
    try:
        return parse_value(body, SignUpRequest)
    except Invalid as error:
        said = {k: tuple(v) if isinstance(v, list) else v for k, v in body["profile"].items()}
        _, wrong = form_answers.read_all(questions, said)
        raise Invalid([*error.errors, *wrong]) from None


async def _of_ticked(request: web.Request, purposes: list[str], shown: list[str]) -> list[str]:
    """A plain form names the texts of every purpose that it shows, ticked or not."""
    known = await request.app[WORDINGS].valid(frozenset(shown))
    return [text for text in shown if text not in known or known[text].purpose in purposes]


async def _refuse_plain(
    request: web.Request,
    form: str,
    body: Mapping[str, Any],
    error: RequestError | StorageAway | KeyringBehind,
    *,
    hosted: bool,
) -> web.StreamResponse:
    """Our own page shows itself again with the errors; another's gets them by `error_url`."""
    config = request.app[PARTS].config
    problem = describe(error)
    if hosted and isinstance(error, Invalid):
        locale = sign_ups.locale_of(config, form, body.get("locale"))
        errors = _labelled(config, form, _coded(error), locale)
        return await form_page.show(request, form, locale, body, errors, problem.status)
    target = config.forms[form].error_url
    if target is not None:
        slugs = [_slug(one) for one in _coded(error)] if isinstance(error, Invalid) else []
        raise web.HTTPSeeOther(_with_error(target, slugs or [problem.slug]))
    brand, locale = form_page.brand(config, form), pages.locale_of(request, body.get("locale"))
    if not isinstance(error, Invalid):
        wait = int(problem.headers.get("Retry-After", 0)) or None
        return pages.error(request, problem.status, retry_after=wait, brand=brand, locale=locale)
    return pages.response(
        request,
        "problem",
        problem.status,
        locale=locale,
        brand=brand,
        errors=_labelled(config, form, _coded(error), locale),
        back_url=None,
    )


def _with_error(target: str, slugs: Sequence[str]) -> str:
    """Where the landing page shows its own form again; nothing of what was typed goes along."""
    parts = urlsplit(target)
    said = urlencode({"error": ",".join(slugs)}, safe=",")
    return parts._replace(query="&".join(filter(None, [parts.query, said]))).geturl()


def _slug(coded: Mapping[str, str]) -> str:
    """The name of the input, a hyphen, what is wrong: for whoever shows it in their own words."""
    of, _, wrong = coded["code"].partition("_")
    return f"{coded['field'] or of}-{wrong.replace('_', '-')}"


def _coded(error: Invalid) -> list[dict[str, str]]:
    """Each wrong field once, by the code that the pages have words for."""
    coded: dict[str, dict[str, str]] = {}
    for wrong in error.errors:
        field, code = _code(wrong)
        coded.setdefault(field, {"field": field, "code": code})
    if "purpose" in coded:  # who ticks nothing names no text either: one mistake, not two
        coded.pop("", None)
    return list(coded.values())


def _code(error: FieldError) -> tuple[str, str]:
    """The field as a page names it, and what is wrong; a mistake of the form's own has no field."""
    missing = error.flaw is Flaw.MISSING
    match error.pointer.split("/")[1:]:
        case ["email"]:
            return "email", "email_missing" if missing else "email_invalid"
        case ["purposes"] if missing:
            return "purpose", "purpose_missing"
        case ["profile", name]:
            return f"profile.{name}", _CODES.get(error.flaw, "field_invalid")
        case ["texts", *_] if not missing:
            return "", "text_invalid"
        case ["stamp"]:
            return "", "stamp_invalid"
        case _:
            return "", "form_invalid"


def _labelled(
    config: Config, form: str, coded: list[dict[str, str]], locale: str
) -> list[dict[str, str]]:
    """The mistakes in the order of the page, each with the name of its field."""
    fields = config.forms[form].fields
    say = translations(locale).gettext
    labels = {"email": say("Email address")}
    labels |= {f"profile.{name}": label_of(one, name, locale) for name, one in fields.items()}
    labels |= {"purpose": say("Your consent"), "": ""}
    order = [*labels]
    ranges = {f"profile.{name}": range_of(one, locale) for name, one in fields.items()}
    told = sorted(
        (one for one in coded if one["field"] in labels), key=lambda one: order.index(one["field"])
    )
    return [
        {**one, "label": labels[one["field"]], "range": ranges.get(one["field"]) or ""}
        for one in told
    ]
