"""A posted sign-up, whoever passes it on: whether it fits its form, and keeping one that does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field

from consent import specimens
from consent.sign_ups import Asked, SignUp
from consent.texts import Text
from gateway.config.config import Config
from gateway.errors import FieldError, Invalid, TooMany
from gateway.flows.joining.attestations import Attestation
from gateway.flows.joining.sign_up import Posted
from gateway.http import form_answers
from gateway.http.app_keys import FORM_DIGESTS, PARTS, SHOWN, SIGN_UPS, WORDINGS
from gateway.http.fields import Locale, MailAddress, Name, PageUrl, SaidAnswer, Stamp, TextHash
from gateway.http.models import Answer, Incoming
from gateway.look.translations import choose_locale
from gateway.watch.metrics import METRICS

EXAMPLE_FORM: Final = "newsletter"  # of the embedded configuration, whose demo answers these
EXAMPLE: Final[dict[str, Any]] = {
    "email": "ada@example.org",
    "purposes": ["newsletter"],
    "texts": ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    "locale": "en",
    "page_url": "https://www.acme.example/",
    "profile": {"first_name": "Ada"},
}


class SignUpRequest(Incoming):
    """One post of a form; `homepage` is the honeypot."""

    email: MailAddress
    purposes: Annotated[list[Name], Field(min_length=1, max_length=50)]
    texts: Annotated[list[TextHash], Field(min_length=1, max_length=50)]
    locale: Locale | None = None
    page_url: PageUrl | None = None
    profile: dict[str, SaidAnswer] = Field(default={}, max_length=50)
    homepage: str = ""
    stamp: Stamp | None = None


class SignUpAccepted(Answer):
    status: Literal["accepted"] = "accepted"


def locale_of(config: Config, form: str, wanted: str | None, accepted: str | None = None) -> str:
    """The form's language: the one wanted, else the visitor's, else the form's first."""
    return choose_locale(accepted, wanted, config.form_locales(form))


def digest_of(config: Config, form: str) -> str:
    """The build of a form that evidence names."""
    return specimens.name_of(definition_of(config, form))


def definition_of(config: Config, form: str) -> bytes:
    """A form's definition and every wording it can show."""
    shown = {"sender", "title", "text"}
    purposes = {
        name: config.purposes[name].model_dump(include=shown) for name in _purposes(config, form)
    }
    whole = [config.forms[form].model_dump(mode="json"), purposes]
    return json.dumps(whole, sort_keys=True).encode()


async def checked(
    request: web.Request,
    form: str,
    posted: SignUpRequest,
    *,
    client: str | None = None,
) -> SignUp:
    """A sign-up whose shape fits the form as it is now; else `Invalid` that names every field.

    Says nothing about the address: that is looked at later, when nobody waits. Who
    showed the wording is asserted until a stamp is spent for it.
    """
    config = request.app[PARTS].config
    texts = await request.app[WORDINGS].valid(frozenset(posted.texts))
    profile, wrong = form_answers.read_all(config.forms[form].fields, posted.profile)
    problems = [
        *_purpose_problems(config, form, posted),
        *_text_problems(posted, texts),
        *wrong,
    ]
    if problems:
        raise Invalid(problems)
    wording = {texts[text_hash].purpose: text_hash for text_hash in posted.texts}
    return SignUp(
        form=form,
        email=posted.email,
        locale=locale_of(config, form, posted.locale),
        asked=tuple(Asked(purpose, wording[purpose]) for purpose in posted.purposes),
        page_url=_page(posted.page_url),
        form_digest=request.app[FORM_DIGESTS][form],
        client=client,
        profile=profile,
    )


def _purposes(config: Config, form: str) -> tuple[str, ...]:
    return config.forms[form].purposes


def _purpose_problems(config: Config, form: str, posted: SignUpRequest) -> list[FieldError]:
    problems = []
    for position, purpose in enumerate(posted.purposes):
        if purpose not in _purposes(config, form):
            problems.append(FieldError(f"/purposes/{position}", "is not a purpose of this form"))
        elif purpose in posted.purposes[:position]:
            problems.append(FieldError(f"/purposes/{position}", "is named twice"))
    return problems


def _text_problems(posted: SignUpRequest, texts: Mapping[str, Text]) -> list[FieldError]:
    """Exactly one valid text for each purpose, in any order."""
    problems = []
    left = list(posted.purposes)
    for position, text_hash in enumerate(posted.texts):
        known = texts.get(text_hash)
        if known is None:
            detail = "is not the hash of a text that may be agreed to"
        elif known.purpose not in left:
            detail = "belongs to no purpose of this request, or to one that has its text"
        else:
            left.remove(known.purpose)
            continue
        problems.append(FieldError(f"/texts/{position}", detail))
    if left and not problems:
        problems.append(FieldError("/texts", "lacks the text of a purpose"))
    return problems


def _page(url: str | None) -> str | None:
    """Where the form stood, without query and fragment: those may hold secrets."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:  # such as brackets that hold no IPv6 address
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def keep(
    request: web.Request,
    checked: SignUp,
    network: str | None,
    attestation: Attestation | None = None,
) -> None:
    """Keep a sign-up together with those that come at the same time."""
    if attestation is not None:
        shown = request.app[SHOWN].by(attestation.rendered_by, checked)
        attestation = replace(attestation, shown=shown)
    wait = await request.app[SIGN_UPS](Posted(checked, network, attestation=attestation))
    if wait is not None:
        raise TooMany(wait.how_long)
    request.app[METRICS].signups.labels(checked.form).inc()
