"""What the application holds. Wiring writes these, handlers read them."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from delivery.grouping import Grouped
from gateway.flows.enqueue import Handed, Taken
from gateway.flows.sign_up import Posted
from gateway.flows.withdraw import Withdrawals
from gateway.health import Health
from gateway.parts import Parts
from gateway.wordings import Wordings

PARTS = web.AppKey("parts", Parts)
FORM_DIGESTS = web.AppKey("form_digests", dict[str, str])
WORDINGS = web.AppKey("wordings", Wordings)
SIGN_UPS = web.AppKey("sign_ups", Grouped[Posted, timedelta | None])
MESSAGES = web.AppKey("messages", Grouped[Handed, Taken])
WITHDRAWALS = web.AppKey("withdrawals", Withdrawals)
HEALTH = web.AppKey("health", Health)
