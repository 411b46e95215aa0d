"""What the application holds. Wiring writes these, handlers read them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.flows.campaigning.launch import Stores
from gateway.flows.campaigning.steering import Steering
from gateway.flows.desk.fetching import DeskExports
from gateway.flows.desk.sitting import Desk
from gateway.flows.joining.sign_up import Posted
from gateway.flows.leaving.withdraw import Withdrawals
from gateway.flows.rights.requests import RightsRequests
from gateway.flows.sending.enqueue import Handed, Taken
from gateway.flows.sending.permission import Asked, Decision
from gateway.http.reading import Reading
from gateway.http.shown import Shown
from gateway.http.turns import Turns
from gateway.http.typesetter import Typesetter
from gateway.http.wordings import Wordings
from gateway.limits import Meter, Wait
from gateway.oidc.provider import Provider
from gateway.parts import Parts
from gateway.watch.health import Health
from gateway.watch.held_up import Lookout
from storage.grouping import Grouped

PARTS = web.AppKey("parts", Parts)
SHOWN = web.AppKey("shown", Shown)
FORM_DIGESTS = web.AppKey("form_digests", dict[str, str])
WORDINGS = web.AppKey("wordings", Wordings)
SIGN_UPS = web.AppKey("sign_ups", Grouped[Posted, Wait | None])
MESSAGES = web.AppKey("messages", Grouped[Handed, Taken])
PERMISSIONS = web.AppKey("permissions", Grouped[Asked, Decision])
RIGHTS_REQUESTS = web.AppKey("rights_requests", RightsRequests)
CAMPAIGNS = web.AppKey("campaigns", Stores)
STEERING = web.AppKey("steering", Steering)
DESK = web.AppKey("desk", Desk)
DESK_EXPORTS = web.AppKey("desk_exports", DeskExports)
PROVIDER = web.AppKey("provider", Provider)  # only where the configuration has one
CODES = web.AppKey("codes", Meter)
CODE_TURNS = web.AppKey("code_turns", Turns)
WITHDRAWALS = web.AppKey("withdrawals", Withdrawals)
QUESTIONS = web.AppKey("questions", Meter)
EVIDENCE_SEARCHES = web.AppKey("evidence_searches", Meter)
EVIDENCE_TURN = web.AppKey("evidence_turn", asyncio.Lock)
EXPORTS = web.AppKey("exports", Meter)
TURNS = web.AppKey("turns", Turns)
TYPESETTER = web.AppKey("typesetter", Typesetter)
READING = web.AppKey("reading", Reading)
HEALTH = web.AppKey("health", Health)
LOOKOUT = web.AppKey("lookout", Lookout)  # only where the operator alone asks
