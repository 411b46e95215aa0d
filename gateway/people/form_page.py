"""The hosted form: works without JavaScript, loads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from consent.answers import joined
from consent.sign_ups import RenderedBy
from consent.texts import Text
from gateway.config.config import Config
from gateway.config.form_fields import FieldKind
from gateway.http import pages, sign_ups
from gateway.http.app_keys import PARTS
from gateway.http.endpoints import page
from gateway.http.pages import Brand
from gateway.look.field_words import control
from gateway.people import forms, stamps, wording


@page("GET", forms.PATH, "The hosted form", tags=("landing pages",))
async def open_form(request: web.Request) -> web.StreamResponse:
    config, form = request.app[PARTS].config, forms.named(request)
    accepted = request.headers.get("Accept-Language")
    locale = sign_ups.locale_of(config, form, request.query.get("locale"), accepted)
    page = await show(request, form, locale, _from_link(request, form), [], 200)
    # Whoever goes back to it finds it as it was: a page with another stamp would sign up once more.
    page.headers["Cache-Control"] = "private, no-cache"
    return page


def _from_link(request: web.Request, form: str) -> dict[str, Any]:
    """What a link to the page says of its hidden fields, as far as they offer it."""
    said = {
        name: request.query.get(f"profile.{name}", "")
        for name, field in request.app[PARTS].config.forms[form].fields.items()
        if field.kind is FieldKind.HIDDEN
    }
    offered = request.app[PARTS].config.forms[form].fields
    return {"profile": {k: v for k, v in said.items() if v in offered[k].options}}


async def show(
    request: web.Request,
    form: str,
    locale: str,
    body: Mapping[str, Any],
    errors: list[dict[str, str]],
    status: int,
) -> web.StreamResponse:
    """The form as a page, with what was typed before and what was wrong with it."""
    config = request.app[PARTS].config
    current = await forms.current_texts(request, form, locale)
    hashes = [current[purpose].hash for purpose in config.forms[form].purposes]
    stamp = stamps.make(request, form, hashes, RenderedBy.PAGE)
    facts = _facts(config, form, locale, current, body, errors, stamp)
    targets = _targets(config.forms[form].thank_you_url, config.forms[form].error_url)
    return pages.response(request, "form", status, locale=locale, form_targets=targets, **facts)


def blank(config: Config, form: str, locale: str, current: Mapping[str, Text]) -> bytes:
    """The page before anybody typed anything, without a stamp: what everybody was shown."""
    return pages.render(
        "form", locale, **_facts(config, form, locale, current, {}, [], "")
    ).encode()


def _facts(
    config: Config,
    form: str,
    locale: str,
    current: Mapping[str, Text],
    body: Mapping[str, Any],
    errors: list[dict[str, str]],
    stamp: str,
) -> dict[str, Any]:
    """What the page is filled with."""
    view = forms.describe(config, form, locale, current)
    bundle = next(iter(current.values())).bundle  # in these parts all of one language are alike
    return {
        "brand": brand(config, form),
        "form": form,
        "action": f"/forms/{form}",
        "purposes": [_ticked(purpose, body, locale) for purpose in view.purposes],
        "fields": _fields(config, form, locale, body),
        "email": str(body.get("email", "")),
        "errors": errors,
        "stamp": stamp,
        "page_url": f"{config.server.public_url}/forms/{form}",
        "notice_url": f"/notices/{bundle['notice']}",
        "others": pages.other_tongues(config.form_locales(form), locale),
        "shown": {
            "withdraw": bundle["withdraw"],
            "controller": bundle["controller"]["name"],
            "contact": bundle["controller"]["contact"],
        },
    }


def _ticked(purpose: forms.FormPurpose, body: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """A purpose with its wording and its box, as it was left."""
    return {
        "purpose": purpose.purpose,
        "title": purpose.title,
        "text": purpose.text.bundle["text"],
        **wording.behind(purpose.text.bundle),
        "locale": locale,
        "hash": purpose.text.hash,
        "required": purpose.required,
        "checked": purpose.purpose in body.get("purposes", ()),
    }


def _fields(
    config: Config, form: str, locale: str, body: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Each field with what was typed or chosen before, whether or not it can be taken."""
    said = body.get("profile", {})
    written = {name: joined(one) if isinstance(one, list) else one for name, one in said.items()}
    return [
        control(field, name, locale, written.get(name, ""))
        for name, field in config.forms[form].fields.items()
    ]


def _targets(*urls: str | None) -> list[str]:
    return [f"{p.scheme}://{p.netloc}" for url in urls if url for p in [urlsplit(url)]]


def brand(config: Config, form: str) -> Brand:
    """The face of the sender whose form it is, with whoever else mails who signs up there."""
    senders = [config.sender_of(purpose) for purpose in config.forms[form].purposes]
    return Brand.of(config.controller, senders)
