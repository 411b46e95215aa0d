"""Sign-ups from back ends that render a form of ours themselves."""

from __future__ import annotations

from aiohttp import web

from gateway.callers.api_keys import CALLER, Scope
from gateway.errors import Invalid
from gateway.http import examples, forms
from gateway.http.answers import answer
from gateway.http.app_keys import FORM_DIGESTS, PARTS, WORDINGS
from gateway.http.models import BackendSignUp, SignUpAccepted
from gateway.http.networks import visitor_network
from gateway.http.openapi import endpoint
from gateway.http.parsing import read_json

_CLIENT = "api"


@endpoint(
    "POST",
    "/v1/signups",
    summary="Pass on a sign-up; limits count the visitor's network, not the caller's",
    request=BackendSignUp,
    responses={202: SignUpAccepted},
    example=examples.BACKEND_SIGN_UP,
    scope=Scope.SIGNUPS_CREATE,
    tags=("landing pages",),
)
async def post_signup(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    posted = await read_json(request, BackendSignUp)
    if posted.form not in parts.config.forms:
        raise Invalid.at("/form", "is not a form of this gateway")
    network = None
    if posted.visitor_network is not None:
        network = visitor_network(posted.visitor_network)
        if network is None:
            raise Invalid.at("/visitor_network", "must be an IP address or network")
    texts = await request.app[WORDINGS].valid(frozenset(posted.texts))
    digest = request.app[FORM_DIGESTS][posted.form]
    checked = forms.check(parts.config, posted.form, posted, texts, digest=digest, client=_CLIENT)
    for asked in checked.asked:
        request[CALLER].require_purpose(asked.purpose, parts.config.purposes[asked.purpose].sender)
    if not posted.homepage:
        await forms.keep(request, checked, network)
    return answer(SignUpAccepted(), 202)
