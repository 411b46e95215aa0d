"""The hosted form's stamp: when it was served and with which texts, signed.

It proves that our own page showed the wording, and tells a person from a robot
that posts within the second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from time import time

from aiohttp import web
from itsdangerous import BadSignature, URLSafeSerializer

from gateway.errors import Invalid
from gateway.flows.sign_up import RenderedBy
from gateway.keys import PARTS

_SALT = "consentgw/form-stamp/v1"
_OLDEST = 24 * 3600
_LEAST_FILL_TIME = 1.0


def make(request: web.Request, form: str, texts: Sequence[str]) -> str:
    """A stamp for a page that shows *texts* now."""
    said = {"form": form, "texts": sorted(texts), "at": time()}
    return str(_serializer(request).dumps(said))


def check(request: web.Request, form: str, stamp: str | None, texts: Sequence[str]) -> RenderedBy:
    """Who showed the wording; raises `Invalid` for a stamp that does not fit what was posted."""
    if stamp is None:
        return RenderedBy.ASSERTED
    try:
        said = _serializer(request).loads(stamp)
    except BadSignature:
        raise Invalid.at("/stamp", "is not from this form's page") from None
    age = time() - said["at"]
    if said["form"] != form or not set(texts) <= set(said["texts"]):
        raise Invalid.at("/stamp", "is not from this form's page")
    if not _LEAST_FILL_TIME <= age <= _OLDEST:
        raise Invalid.at("/stamp", "is too fresh or too old; send the form again")
    return RenderedBy.PAGE


def _serializer(request: web.Request) -> URLSafeSerializer:
    # itsdangerous defaults to HMAC-SHA-1 and a key derivation of its own.
    return URLSafeSerializer(
        [key.reveal() for key in request.app[PARTS].keyring.web],
        salt=_SALT,
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
