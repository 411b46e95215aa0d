"""The stamp of a form: who showed it, when, with which texts and for which origin, signed.

It proves that our own page, or our script, was given the wording to show. One stamp
proves it of one sign-up: `gateway/flows/joining/attestations.py` spends it. How soon it
comes back says nothing: browsers fill in a form, and people press Enter, within the second.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from itsdangerous import BadSignature, URLSafeSerializer

from consent.sign_ups import RenderedBy
from gateway.errors import Invalid
from gateway.flows.joining.attestations import STAMP_LIFE, Attestation
from gateway.http.app_keys import PARTS
from gateway.http.signing import serializer

HEADER = "Consent-Stamp"  # with the description of a form, for our script

_SALT = "consentgw/form-stamp/v1"
_OUR_OWN: Final = ("same-origin", "none")  # Fetch Metadata of a post that no other site began


def make(request: web.Request, form: str, texts: Sequence[str], by: RenderedBy) -> str:
    """A stamp for whoever shows *texts* now."""
    said = {
        "form": form,
        "texts": sorted(texts),
        "at": _now(request),
        "by": by,
        "origin": _origin(request, form),
        "nonce": secrets.token_hex(16),
    }
    return str(_serializer(request).dumps(said))


def check(
    request: web.Request,
    form: str,
    stamp: str | None,
    texts: Sequence[str],
    *,
    by: RenderedBy,
    page_url: str | None,
) -> Attestation | None:
    """What *stamp* says of a post that came as *by* posts; None: the caller alone says so.

    Raises `Invalid` for a stamp that does not fit what was posted. One of another
    kind, or of another origin, proves nothing, and loses nobody's sign-up.
    """
    if stamp is None:
        return None
    try:
        said = _serializer(request).loads(stamp)
    except BadSignature:
        raise Invalid.at("/stamp", "is not from this form's page") from None
    age = _now(request) - said["at"]
    if said["form"] != form or not set(texts) <= set(said["texts"]):
        raise Invalid.at("/stamp", "is not from this form's page")
    if age > STAMP_LIFE.total_seconds():
        raise Invalid.at("/stamp", "is too old; fetch the form again, and send it once more")
    # Without a nonce: from a page that the release before showed.
    if said["by"] != by or "nonce" not in said:
        return None
    nonce = str(said["nonce"]).encode()
    if by is RenderedBy.PAGE:
        page = f"{request.app[PARTS].config.server.public_url}/forms/{form}"
        return Attestation(nonce, by, page) if _is_from_our_page(request) else None
    is_ours = _is_from_its_page(request, form, said, page_url)
    return Attestation(nonce, by) if is_ours else None


def _is_from_our_page(request: web.Request) -> bool:
    """Whether nothing says that another site's page posted this.

    A page without referrers, as ours are, posts with the origin `null`.
    """
    origin = request.headers.get("Origin", "null")
    site = request.headers.get("Sec-Fetch-Site", _OUR_OWN[0])
    return origin in ("null", _own_origin(request)) and site in _OUR_OWN


def _is_from_its_page(
    request: web.Request, form: str, said: dict[str, Any], page_url: str | None
) -> bool:
    """Whether a page of a listed origin got this stamp, posts it, and names itself."""
    origin = request.headers.get("Origin")
    if origin is None or origin != said["origin"]:
        return False
    is_there = page_url is None or f"{page_url}/".startswith(f"{origin}/")
    return is_there and origin in request.app[PARTS].config.forms[form].origins


def _origin(request: web.Request, form: str) -> str:
    """Whose page asks; one of our own origin says nothing when it gets something.

    Whatever else somebody says there proves nothing later, and may be no text at all.
    """
    origin = request.headers.get("Origin")
    if not origin:
        return _own_origin(request)
    return origin if origin in request.app[PARTS].config.forms[form].origins else "null"


def _own_origin(request: web.Request) -> str:
    ours = urlsplit(request.app[PARTS].config.server.public_url)
    return f"{ours.scheme}://{ours.netloc}"


def _now(request: web.Request) -> float:
    return request.app[PARTS].clock.wall().timestamp()


def _serializer(request: web.Request) -> URLSafeSerializer:
    return serializer(request.app[PARTS].keyring, _SALT)
