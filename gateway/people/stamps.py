"""The stamp of a form: who showed it, when, and with which texts, signed.

It proves that our own page, or our script, was given the wording to show, and
tells a person from a robot that posts within the second.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from itsdangerous import BadSignature, URLSafeSerializer

from consent.sign_ups import RenderedBy
from gateway.errors import Invalid
from gateway.http.app_keys import PARTS
from gateway.http.signing import serializer

HEADER = "Consent-Stamp"  # with the description of a form, for our script

_SALT = "consentgw/form-stamp/v1"
_OLDEST = 24 * 3600
_LEAST_FILL_TIME = 1.0


def make(request: web.Request, form: str, texts: Sequence[str], by: RenderedBy) -> str:
    """A stamp for whoever shows *texts* now."""
    said = {"form": form, "texts": sorted(texts), "at": _now(request), "by": by}
    return str(_serializer(request).dumps(said))


def check(request: web.Request, form: str, stamp: str | None, texts: Sequence[str]) -> RenderedBy:
    """Who showed the wording; raises `Invalid` for a stamp that does not fit what was posted."""
    if stamp is None:
        return RenderedBy.ASSERTED
    try:
        said = _serializer(request).loads(stamp)
    except BadSignature:
        raise Invalid.at("/stamp", "is not from this form's page") from None
    age = _now(request) - said["at"]
    if said["form"] != form or not set(texts) <= set(said["texts"]):
        raise Invalid.at("/stamp", "is not from this form's page")
    if not _LEAST_FILL_TIME <= age <= _OLDEST:
        raise Invalid.at("/stamp", "is too fresh or too old; send the form again")
    return RenderedBy(said["by"])


def _now(request: web.Request) -> float:
    return request.app[PARTS].clock.wall().timestamp()


def _serializer(request: web.Request) -> URLSafeSerializer:
    return serializer(request.app[PARTS].keyring, _SALT)
