"""The pages people see: templates, their languages, and the headers that keep them private.

Each template under `templates/pages/` names its variables in its first lines.
A page loads nothing, runs no script, and says nowhere where its reader came from.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape

from gateway.config import logos
from gateway.look import colours, looks, moments, resources
from gateway.look.translations import (
    choose_locale,
    is_spoken,
    languages,
    name_of_language,
    tongues,
    translations,
)

__all__ = [
    "Brand",
    "chosen_of",
    "error",
    "languages",
    "linked",
    "locale_of",
    "other_tongues",
    "page_headers",
    "prepare",
    "render",
    "rendered",
    "response",
    "speak",
]

if TYPE_CHECKING:
    from gateway.config.config import Config, Controller, Sender

_SPOKEN: Final = web.RequestKey("spoken", str)
_LINK: Final = re.compile(r"(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)])")


@dataclass(frozen=True, slots=True)
class Legal:
    """Where a sender says who it is, and what it does with data (§ 5 DDG, Art. 13 GDPR)."""

    name: str
    imprint_url: str
    privacy_url: str


@dataclass(frozen=True, slots=True)
class Brand:
    """Whose page it is: head, colour and foot of every page."""

    name: str
    controller: str | None = None
    postal_address: str | None = None
    legal: Sequence[Legal] = ()
    accent: str | None = None
    band: str | None = None
    logo: str | None = None  # a data: URL
    zone: tzinfo = UTC  # whose clock its times are by

    @classmethod
    def of(cls, controller: Controller, senders: Sequence[Sender]) -> Brand:
        """The face of the first of *senders*; its foot leads to the imprint of each."""
        sender = senders[0]
        return cls(
            name=sender.name,
            controller=controller.name,
            postal_address=controller.postal_address,
            legal=_legal(senders),
            accent=sender.accent,
            band=sender.band,
            logo=logos.data_url(sender.logo) if sender.logo else None,
            zone=_zone(senders),
        )

    @classmethod
    def neutral(cls, config: Config) -> Brand:
        """The sender's face where there is only one; else the controller's, which tells nothing.

        Its foot names them all: the imprint is due also where a page must not tell which it is.
        """
        controller, senders = config.controller, list(config.senders.values())
        if len(senders) == 1:
            return cls.of(controller, senders)
        postal, legal = controller.postal_address, _legal(senders)
        return cls(controller.name, None, postal, legal, zone=_zone(senders))


def _legal(senders: Sequence[Sender]) -> tuple[Legal, ...]:
    each = (Legal(one.name, one.imprint_url, one.privacy_url) for one in senders)
    return tuple(dict.fromkeys(each))


def _zone(senders: Sequence[Sender]) -> tzinfo:
    """The clock of all of them; UTC where they have none, or not the same."""
    zones = {one.time_zone for one in senders}
    name = zones.pop() if len(zones) == 1 else None
    return UTC if name is None else ZoneInfo(name)


def prepare() -> None:
    """Compile every page, for a process that is about to serve.

    Compiling one takes longer than anything else that an answer does, and the
    loop does it: whoever asks for each page once would hold up everybody.
    """
    for language in languages():
        environment = _environment(language)
        for name in environment.list_templates(extensions=["html"]):
            environment.get_template(name)


def render(name: str, locale: str, **facts: Any) -> str:
    """Fill the page *name*; a variable the template needs and did not get is an error."""
    brand: Brand | None = facts.setdefault("brand", None)
    facts.setdefault("chosen", "")
    facts |= {"locale": locale, "style": _style_of(brand)}
    return _environment(_language(locale)).get_template(f"{name}.html").render(facts)


def response(
    request: web.Request,
    name: str,
    status: int = 200,
    *,
    locale: str | None = None,
    form_targets: Sequence[str] = (),
    **facts: Any,
) -> web.Response:
    """Answer with a page, in the visitor's language unless *locale* says otherwise.

    A browser that follows a redirect after a form was sent applies the page's
    `form-action` to it as well: *form_targets* are the origins a form of this
    page may lead to, beside our own.
    """
    text = render(name, locale or locale_of(request), chosen=chosen_of(request), **facts)
    return rendered(text, facts.get("brand"), status, form_targets)


def rendered(
    text: str, brand: Brand | None, status: int = 200, form_targets: Sequence[str] = ()
) -> web.Response:
    """Answer with a page that `render` filled; as `response`."""
    headers = page_headers(_style_of(brand), form_targets)
    if brand is not None and brand.logo:
        headers["Content-Security-Policy"] += "; img-src data:"
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def error(
    request: web.Request,
    status: int,
    *,
    retry_after: int | None = None,
    brand: Brand | None = None,
    locale: str | None = None,
) -> web.Response:
    """The page for a request that failed; it says what to do, and nothing about the request."""
    facts: dict[str, Any] = {"brand": brand, "code": status, "retry_after": retry_after}
    page = response(request, "error", status, locale=locale, **facts)
    if retry_after is not None:
        page.headers["Retry-After"] = str(retry_after)
    return page


def linked(text: str) -> Markup:
    """Make the web links in plain *text* links; everything else stays text."""
    parts = _LINK.split(text)  # text, link, text, link, ..., text
    link = Markup('<a href="{0}" rel="noreferrer" target="_blank">{0}</a>')
    pieces = (link.format(part) if n % 2 else escape(part) for n, part in enumerate(parts))
    return Markup("").join(pieces)


def speak(request: web.Request, locale: object) -> None:
    """Answer this request in *locale*, that of whom it is for, unless they chose another.

    A row may hold anything for it: what is no text keeps nobody from the page.
    """
    if isinstance(locale, str):
        request[_SPOKEN] = locale


def locale_of(request: web.Request, wanted: str | None = None) -> str:
    """The language of this visitor.

    *wanted*, else `?locale=`, else what was said by `speak`, else the browser's, else English.
    """
    chosen = wanted or request.query.get("locale")
    if not chosen or not is_spoken(chosen):
        chosen = request.get(_SPOKEN)
    return choose_locale(request.headers.get("Accept-Language"), chosen, languages())


def chosen_of(request: web.Request) -> str:
    """What a link to another page carries: the language that the visitor chose, if they did."""
    return f"?locale={locale_of(request)}" if "locale" in request.query else ""


def other_tongues(spoken: Sequence[str], locale: str) -> list[tuple[str, str]]:
    """The languages of a page that has not all of them, but this one, each by its own name."""
    return [(one, name_of_language(one, one)) for one in spoken if one != locale]


def page_headers(style: str, form_targets: Sequence[str] = ()) -> dict[str, str]:
    """The headers of every page: nothing loaded, nothing framed, nothing stored, no referrer."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        " ".join(["form-action 'self'", *form_targets]),
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class _Compiled(BytecodeCache):
    """What a page was compiled to, for all languages: only the words differ between them."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_COMPILED: Final = _Compiled()


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.templates() / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_COMPILED,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # added by the extension
        translations(language), newstyle=True
    )
    environment.filters["linked"] = linked
    environment.filters["day"] = _day
    environment.filters["moment"] = _moment
    environment.filters["language"] = partial(name_of_language, locale=language)
    environment.globals["tongues"] = [one for one in tongues() if one[0] != language]
    return environment


def _style_of(brand: Brand | None) -> str:
    return _style(brand.accent, brand.band) if brand else _style(None, None)


@cache
def _style(accent: str | None, band: str | None) -> str:
    """The one style sheet, with the brand's colours shaded for both grounds."""
    source = (resources.templates() / "pages" / "style.css").read_text("utf-8")
    light, dark = looks.light(accent), looks.dark(accent)
    brand = (
        f":root{{--accent:{light.colour};--on-accent:{light.on_colour}}}"
        "@media(prefers-color-scheme:dark)"
        f"{{:root{{--accent:{dark.colour};--on-accent:{dark.on_colour}}}}}"
    )
    if band is not None:
        head = colours.ground(band)
        brand += f":root{{--band:{head.colour};--on-band:{head.on_colour}}}"
    return Markup(source + brand)  # noqa: S704 our own file and colours


@lru_cache(maxsize=64)
def _language(locale: str) -> str:
    return choose_locale(None, locale, languages())


@pass_context
def _day(page: Context, at: datetime) -> str:
    return moments.day(at, page["locale"], _zone_of(page["brand"]))


@pass_context
def _moment(page: Context, at: datetime) -> str:
    return moments.moment(at, page["locale"], _zone_of(page["brand"]))


def _zone_of(brand: Brand | None) -> tzinfo:
    return UTC if brand is None else brand.zone
