"""What the application holds. Wiring writes these, handlers read them."""

from __future__ import annotations

from aiohttp import web

from gateway.health import Health
from gateway.parts import Parts
from gateway.wordings import Wordings

PARTS = web.AppKey("parts", Parts)
WORDINGS = web.AppKey("wordings", Wordings)
HEALTH = web.AppKey("health", Health)
