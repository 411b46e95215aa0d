"""Receipts as pages show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiohttp import web

from audit.receipt import Receipt
from consent.consents import Consent
from gateway.flows.proving import receipts
from gateway.http.app_keys import PARTS


async def of(request: web.Request, consents: Collection[Consent]) -> Mapping[str, Receipt]:
    """Those of decided consents, by their ids."""
    parts = request.app[PARTS]
    return await receipts.look(parts.data, parts.log, parts.publisher.verifier, consents)
