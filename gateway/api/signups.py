"""Sign-ups from back ends that render a form of ours themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from consent.sign_ups import Caller
from gateway.api.targets import require_covered
from gateway.callers.api_keys import Scope
from gateway.errors import Invalid
from gateway.http import sign_ups
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import ExternalId, Label, Name
from gateway.http.networks import visitor_network
from gateway.http.parsing import read_json
from gateway.http.sign_ups import SignUpAccepted, SignUpRequest

EXAMPLE: Final[dict[str, Any]] = {
    "form": sign_ups.EXAMPLE_FORM,
    **sign_ups.EXAMPLE,
    "visitor_network": "192.0.2.0/24",
    "external_ids": {"crm": "4711"},
}
_CLIENT = "api"


class BackendSignUp(SignUpRequest):
    """A sign-up that a back end passes on; the limits count *visitor_network*.

    *external_ids* is what its systems call the person: they wait for the confirmation, and
    then stand with each change (`/v1/changes`).
    """

    form: Name
    visitor_network: Label | None = None
    external_ids: Annotated[dict[Name, ExternalId], Field(max_length=10)] = Field(default={})


@endpoint(
    "POST",
    "/v1/signups",
    summary="Pass on a sign-up; limits count the visitor's network, not the caller's",
    request=BackendSignUp,
    responses={202: SignUpAccepted},
    example=EXAMPLE,
    scope=Scope.SIGNUPS_CREATE,
    tags=("landing pages",),
)
async def post_signup(request: web.Request) -> web.StreamResponse:
    config = request.app[PARTS].config
    posted = await read_json(request, BackendSignUp)
    if posted.form not in config.forms:
        raise Invalid.at("/form", "is not a form of this gateway")
    network = _network(posted)
    key = request[CALLER]
    checked = await sign_ups.checked(request, posted.form, posted, client=_CLIENT)
    checked = replace(checked, caller=Caller(key.id, key.name), external_ids=posted.external_ids)
    for asked in checked.asked:
        require_covered(config, key, asked.purpose)
    if not posted.homepage:
        await sign_ups.keep(request, checked, network)
    return answer(SignUpAccepted(), 202)


def _network(posted: BackendSignUp) -> str | None:
    """What the limits count; nothing where the back end does not say whom it speaks for."""
    if posted.visitor_network is None:
        return None
    network = visitor_network(posted.visitor_network)
    if network is None:
        raise Invalid.at("/visitor_network", "must be an IP address or network")
    return network
