"""Sign-ups from landing pages: the form's description, its page, and posts to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from consent.texts import Text
from gateway.config.config import Config
from gateway.errors import FieldError, Flaw, Invalid, NotFound, RequestError
from gateway.flows.joining.sign_up import RenderedBy
from gateway.http import examples, forms, pages
from gateway.http.answers import answer
from gateway.http.app_keys import FORM_DIGESTS, PARTS, WORDINGS
from gateway.http.models import FormView, SignUpAccepted, SignUpRequest
from gateway.http.networks import client_network
from gateway.http.openapi import HTML, endpoint
from gateway.http.pages import Brand
from gateway.http.parsing import FORM_TYPES, parse_value, read_fields, read_json
from gateway.http.problems import describe
from gateway.look.translations import translations
from gateway.people import cors, stamps
from gateway.people.page_models import PageQuery, PlainSignUp, signup_of
from storage.errors import StorageAway

_CODES = {Flaw.MISSING: "field_missing", Flaw.TOO_LONG: "field_too_long"}


@endpoint(
    "GET",
    "/forms/{form:[a-z0-9][a-z0-9_-]*}.json",
    summary="What a form asks for, with the exact wordings",
    query=PageQuery,
    responses={200: FormView},
    tags=["landing pages"],
)
async def describe_form(request: web.Request) -> web.StreamResponse:
    parts, form = request.app[PARTS], request.match_info["form"]
    forms.require(parts.config, form)
    wanted = request.query.get("locale")
    locale = forms.locale_of(parts.config, form, wanted)
    view = forms.describe(parts.config, form, locale, await _current(request, form, locale))
    response = cors.allow(request, parts.config.forms[form], answer(view))
    hashes = [one.text.hash for one in view.purposes]
    response.headers[stamps.HEADER] = stamps.make(request, form, hashes, RenderedBy.SCRIPT)
    response.headers["Access-Control-Expose-Headers"] = stamps.HEADER
    return response


async def _current(request: web.Request, form: str, locale: str) -> Mapping[str, Text]:
    """The text of each purpose that the form shows now."""
    wordings, config = request.app[WORDINGS], request.app[PARTS].config
    found = {one: await wordings.current(one, locale) for one in config.forms[form].purposes}
    if any(text is None for text in found.values()):
        raise NotFound
    return {name: text for name, text in found.items() if text is not None}


@endpoint(
    "POST",
    "/forms/{form:[a-z0-9][a-z0-9_-]*}",
    summary="Sign up; the answer is the same for every address",
    request=SignUpRequest,
    responses={202: SignUpAccepted, 200: HTML, 303: None},
    form=PlainSignUp,
    people=True,
    example=examples.SIGN_UP,
    tags=["landing pages"],
)
async def post_form(request: web.Request) -> web.StreamResponse:
    parts, form = request.app[PARTS], request.match_info["form"]
    forms.require(parts.config, form)
    if request.content_type in FORM_TYPES:
        return await _post_plain(request, form)
    posted = await read_json(request, SignUpRequest)
    await _accept(request, form, posted, stamps.check(request, form, posted.stamp, posted.texts))
    return answer(SignUpAccepted(), 202)


async def form_preflight(request: web.Request) -> web.StreamResponse:
    """Answer a browser that asks whether a landing page may post here."""
    parts, form = request.app[PARTS], request.match_info["form"]
    forms.require(parts.config, form)
    return cors.preflight(request, parts.config.forms[form])


async def _accept(
    request: web.Request, form: str, posted: SignUpRequest, rendered_by: RenderedBy
) -> None:
    parts = request.app[PARTS]
    texts = await request.app[WORDINGS].valid(frozenset(posted.texts))
    digest = request.app[FORM_DIGESTS][form]
    checked = forms.check(parts.config, form, posted, texts, digest=digest, rendered_by=rendered_by)
    if posted.homepage:
        return  # a robot filled the field that people do not see; nothing is kept
    await forms.keep(request, checked, client_network(request, parts.config.server.trusted_proxies))


async def _post_plain(request: web.Request, form: str) -> web.StreamResponse:
    """A plain HTML form: every outcome is a page or a redirect to one."""
    config = request.app[PARTS].config
    body: dict[str, Any] = {}
    stamp: str | None = None
    try:
        fields = await read_fields(request)
        stamp = fields.get("stamp")
        body = signup_of(fields)
        body.pop("stamp", None)
        rendered_by = stamps.check(request, form, stamp, body["texts"])
        body["texts"] = await _of_ticked(request, body["purposes"], body["texts"])
        await _accept(request, form, parse_value(body, SignUpRequest), rendered_by)
    except (RequestError, StorageAway) as error:
        return await _refuse_plain(request, form, body, error, hosted=stamp is not None)
    thanks = config.forms[form].thank_you_url
    if thanks is not None:
        raise web.HTTPSeeOther(thanks)
    locale = pages.locale_of(request, body.get("locale"))
    return pages.response(request, "thanks", locale=locale, brand=_brand(request, form))


async def _of_ticked(request: web.Request, purposes: list[str], shown: list[str]) -> list[str]:
    """A plain form names the texts of every purpose that it shows, ticked or not."""
    known = await request.app[WORDINGS].valid(frozenset(shown))
    return [one for one in shown if one not in known or known[one].purpose in purposes]


async def _refuse_plain(
    request: web.Request,
    form: str,
    body: Mapping[str, Any],
    error: RequestError | StorageAway,
    *,
    hosted: bool,
) -> web.StreamResponse:
    """Our own page shows itself again with the errors; another's gets them by `error_url`."""
    config = request.app[PARTS].config
    problem = describe(error)
    if hosted and isinstance(error, Invalid):
        locale = forms.locale_of(config, form, body.get("locale"))
        return await show_form(request, form, locale, body, _coded(error), problem.status)
    target = config.forms[form].error_url
    if target is not None:
        raise web.HTTPSeeOther(_with_error(target, problem.slug))
    brand, locale = _brand(request, form), pages.locale_of(request, body.get("locale"))
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


def _with_error(target: str, slug: str) -> str:
    parts = urlsplit(target)
    query = "&".join(filter(None, [parts.query, urlencode({"error": slug})]))
    return parts._replace(query=query).geturl()


def _coded(error: Invalid) -> list[dict[str, str]]:
    """Each wrong field once, by the code that the pages have words for."""
    coded: dict[str, dict[str, str]] = {}
    for one in error.errors:
        field, code = _code(one)
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
    fields = config.forms[form].fields
    say = translations(locale).gettext
    labels = {"": "", "email": say("Email address"), "purpose": say("Your consent")}
    labels |= {f"profile.{name}": forms.label_of(one, name, locale) for name, one in fields.items()}
    return [{"label": labels.get(one["field"], ""), "code": one["code"]} for one in coded]


async def form_page(request: web.Request) -> web.StreamResponse:
    """The hosted form: works without JavaScript, loads nothing."""
    config, form = request.app[PARTS].config, request.match_info["form"]
    forms.require(config, form)
    accepted = request.headers.get("Accept-Language")
    locale = forms.locale_of(config, form, request.query.get("locale"), accepted)
    return await show_form(request, form, locale, {}, [], 200)


async def show_form(
    request: web.Request,
    form: str,
    locale: str,
    body: Mapping[str, Any],
    errors: list[dict[str, str]],
    status: int,
) -> web.StreamResponse:
    """The form as a page, with what was typed before and what was wrong with it."""
    config = request.app[PARTS].config
    current = await _current(request, form, locale)
    view = forms.describe(config, form, locale, current)
    ticked = set(body.get("purposes", []))
    answers = body.get("profile", {})
    bundle = next(iter(current.values())).bundle  # in these parts all of one language are alike
    return pages.response(
        request,
        "form",
        status,
        locale=locale,
        form_targets=_targets(config.forms[form].thank_you_url, config.forms[form].error_url),
        brand=_brand(request, form),
        form=form,
        action=f"/forms/{form}",
        purposes=[
            {
                "purpose": one.purpose,
                "title": one.title,
                "text": one.text.bundle["text"],
                "locale": locale,
                "hash": one.text.hash,
                "required": one.required,
                "checked": one.purpose in ticked,
            }
            for one in view.purposes
        ],
        fields=[
            {**one.model_dump(), "value": str(answers.get(one.name, ""))} for one in view.fields
        ],
        email=str(body.get("email", "")),
        errors=errors,
        stamp=stamps.make(request, form, [one.text.hash for one in view.purposes], RenderedBy.PAGE),
        page_url=f"{config.server.public_url}/forms/{form}",
        notice_url=f"/notices/{bundle['notice']}",
        shown={
            "withdraw": bundle["withdraw"],
            "controller": bundle["controller"]["name"],
            "contact": bundle["controller"]["contact"],
        },
    )


def _targets(*urls: str | None) -> list[str]:
    return [f"{p.scheme}://{p.netloc}" for url in urls if url for p in [urlsplit(url)]]


def _brand(request: web.Request, form: str) -> Brand:
    config = request.app[PARTS].config
    return Brand.of(config.controller, config.sender_of(config.forms[form].purposes[0]))
