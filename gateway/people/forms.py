"""A form as whoever shows it must know it: its fields, its purposes, the exact wordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from consent.sign_ups import RenderedBy
from consent.texts import Text
from gateway.config.config import Config
from gateway.errors import Invalid, NotFound
from gateway.http import sign_ups
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS, WORDINGS
from gateway.http.endpoints import endpoint
from gateway.http.models import Answer
from gateway.look.field_words import control
from gateway.people import cors, embedding, stamps
from gateway.people.page_models import FormQuery
from storage.errors import StorageAway

PATH: Final = "/forms/{form:[a-z0-9][a-z0-9_-]*}"  # where each form is; with an ending, its parts


class FormText(Answer):
    hash: str
    bundle: dict[str, Any]


class FormPurpose(Answer):
    purpose: str
    title: str
    required: bool
    text: FormText


class FormOption(Answer):
    value: str
    label: str


class FormFieldView(Answer):
    """What to ask; `range` is for people, between `min` and `max`."""

    name: str
    kind: Literal["text", "choice", "multiple_choice", "number", "date", "checkbox", "hidden"]
    required: bool
    max_length: int
    label: str
    help: str | None
    options: list[FormOption]
    min: str | None
    max: str | None
    step: str | None
    range: str | None


class FormView(Answer):
    form: str
    locale: str
    locales: list[str]
    purposes: list[FormPurpose]
    fields: list[FormFieldView]
    words: Annotated[dict[str, str] | None, Field(exclude_if=lambda value: value is None)] = None


def named(request: web.Request) -> str:
    """The form that the path names; raises NotFound where there is none."""
    form = request.match_info["form"]
    if form not in request.app[PARTS].config.forms:
        raise NotFound("form of this name")
    return form


@endpoint(
    "GET",
    f"{PATH}.json",
    summary="What a form asks for, with the exact wordings",
    query=FormQuery,
    responses={200: FormView},
    tags=("landing pages",),
)
async def describe_form(request: web.Request) -> web.StreamResponse:
    config, form = request.app[PARTS].config, named(request)
    locale = sign_ups.locale_of(config, form, request.query.get("locale"))
    texts = await current_texts(request, form, locale)
    view = describe(config, form, locale, texts)
    if "words" in request.query:
        if request.query["words"] != "1":
            raise Invalid.at("/words", "must be 1, or left out")
        view = view.model_copy(update={"words": embedding.words(locale)})
    response = cors.allow(request, config.forms[form], answer(view))
    hashes = [purpose.text.hash for purpose in view.purposes]
    response.headers[stamps.HEADER] = stamps.make(request, form, hashes, RenderedBy.SCRIPT)
    response.headers["Access-Control-Expose-Headers"] = stamps.HEADER
    return response


async def preflight(request: web.Request) -> web.StreamResponse:
    """Answer a browser that asks whether a landing page may post here."""
    form = named(request)
    return cors.preflight(request, request.app[PARTS].config.forms[form])


async def current_texts(request: web.Request, form: str, locale: str) -> Mapping[str, Text]:
    """The text of each purpose that the form shows now; raises `StorageAway` where one has none.

    Every start publishes them: one that is missing is not what it was any more.
    """
    wordings, config = request.app[WORDINGS], request.app[PARTS].config
    found = {name: await wordings.current(name, locale) for name in config.forms[form].purposes}
    if any(text is None for text in found.values()):
        raise StorageAway("data")
    return {name: text for name, text in found.items() if text is not None}


def describe(config: Config, form: str, locale: str, texts: Mapping[str, Text]) -> FormView:
    """The form as `/forms/{form}.json` shows it; *texts* are the current ones by purpose."""
    shown = (control(field, name, locale) for name, field in config.forms[form].fields.items())
    asked = set(FormFieldView.model_fields)
    fields = [FormFieldView(**{key: one[key] for key in asked}) for one in shown]
    purposes = [
        FormPurpose(
            purpose=name,
            title=config.purposes[name].title[locale],
            required=False,
            text=FormText(hash=texts[name].hash, bundle=dict(texts[name].bundle)),
        )
        for name in config.forms[form].purposes
    ]
    locales = list(config.form_locales(form))
    return FormView(form=form, locale=locale, locales=locales, purposes=purposes, fields=fields)
