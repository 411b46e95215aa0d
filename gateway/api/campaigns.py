"""Campaigns: one content to everyone whom a purpose permits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field, WithJsonSchema

from audit.kinds import Actor
from consent.audience import Audience
from delivery.campaigns import State, Whose
from delivery.templates import Templates
from gateway.api.contents import Content, Warnings, said_by, warnings_of
from gateway.api.messages import EXAMPLE as MESSAGE
from gateway.api.messages import read_body
from gateway.api.permissions import require_turn
from gateway.api.targets import require_covered
from gateway.callers.api_keys import ApiKey, Scope
from gateway.callers.idempotency import Clash
from gateway.callers.idempotency import Name as Repeatable
from gateway.config.config import Config
from gateway.config.form_fields import FieldKind, FormField, merged
from gateway.errors import Conflict, Invalid, NotFound
from gateway.flows.campaigning import launch, reach, standing
from gateway.flows.campaigning.launch import Order, Stores
from gateway.flows.campaigning.standing import Standing
from gateway.flows.campaigning.steering import By, Refusal
from gateway.http import form_answers, repeats
from gateway.http.answers import answer
from gateway.http.app_keys import CAMPAIGNS, PARTS, READING, STEERING
from gateway.http.authentication import CALLER
from gateway.http.endpoints import endpoint
from gateway.http.fields import FormAnswer, Identifier, Label, Moment, Name
from gateway.http.models import Answer, Incoming, Omissible
from gateway.http.parsing import parse_json, read_query
from gateway.http.values import MOST_OF_ONE
from storage import patterns

_TAGS = ("senders",)
_ONE: Final = "/v1/campaigns/{id:cmp_[0-9a-v]{26}}"
_NO_CAMPAIGN: Final = "campaign of this id whose purpose this API key covers"
_AHEAD = timedelta(days=366)
_COUNTED_WITHIN: Final = 9.0  # seconds; the answer is given within ten
_MOST_VALUES = 100
EXAMPLE: Final[dict[str, Any]] = {
    "purpose": MESSAGE["purpose"],
    "content": MESSAGE["content"],
    "audience": {"locale": ["en"]},
    "reference": "june",
    "dry_run": True,
}

_Answer = Annotated[FormAnswer, Field(max_length=200)]
_Locale = Annotated[str, Field(pattern=patterns.LOCALE)]
# Spelled out: the name of the type is that of a consent's, too.
_Status = Annotated[State, WithJsonSchema({"type": "string", "enum": list(State)})]
_Values = Annotated[list[_Answer], Field(min_length=1, max_length=_MOST_VALUES)]


class AudienceRequest(Incoming):
    """Whom it is for; what is not said narrows nothing."""

    locale: Annotated[list[_Locale], Field(max_length=_MOST_VALUES)] = Field(default=[])
    profile: Annotated[dict[Name, _Answer | _Values], Field(max_length=20)] = Field(default={})
    confirmed_since: Moment | None = None
    confirmed_until: Moment | None = None


class CampaignRequest(Incoming):
    purpose: Name
    content: Content
    send_at: Moment | None = None
    audience: AudienceRequest = Field(default_factory=AudienceRequest)
    per_hour: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    reference: Label | None = None
    dry_run: bool = False


class CampaignAccepted(Answer):
    campaign_id: str
    warnings: Warnings


class DryRun(Answer):
    """What a claim would decide now, for each of them; what only delays a mail refuses nothing."""

    recipients: int
    refused: dict[str, int]
    warnings: Warnings


class DryRunCounting(DryRun):
    """As far as ten seconds went; `gateway campaign create` counts to the end."""

    status: Literal["counting"] = "counting"


class CampaignView(Answer):
    campaign_id: str
    status: _Status
    purpose: str
    reference: Omissible = None
    created_at: datetime
    send_at: datetime
    per_hour: int | None
    messages: int
    counts: dict[str, int]
    refused: dict[str, int]


class CampaignsQuery(Incoming):
    """The query string of the list."""

    after: Identifier | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class CampaignsView(Answer):
    campaigns: list[CampaignView]
    next: str | None


class Resent(Answer):
    messages: int


@endpoint(
    "POST",
    "/v1/campaigns",
    summary="Send one content to everyone whom a purpose permits, or say how many they are",
    request=CampaignRequest,
    responses={200: DryRun, 202: CampaignAccepted | DryRunCounting},
    example=EXAMPLE,
    scope=Scope.CAMPAIGNS_SEND,
    idempotent=True,
    tags=_TAGS,
)
async def post_campaign(request: web.Request) -> web.StreamResponse:
    body = await read_body(request)
    # Aside, as with messages: a template is tried for every language.
    asked = partial(_asked, request, body)
    ((order, dry, name),) = await request.app[READING].each(len(body), [asked])
    stores = request.app[CAMPAIGNS]
    if dry:
        parts = request.app[PARTS]
        require_turn(request, parts.config.limits, parts.clock.wall())
        return await _dry_run(stores, order)
    made = await launch.launch(stores, order, name)
    if isinstance(made, Clash):
        raise repeats.refusal(made)
    warnings = warnings_of(order.blemishes)
    return answer(CampaignAccepted(campaign_id=made, warnings=warnings), 202)


async def _dry_run(stores: Stores, order: Order) -> web.StreamResponse:
    ends = monotonic() + _COUNTED_WITHIN
    found = await reach.reach(stores, order, lambda: monotonic() < ends)
    said: dict[str, Any] = {
        "recipients": found.recipients,
        "refused": dict(sorted(found.refused.items())),
        "warnings": warnings_of(order.blemishes),
    }
    if not found.whole:
        return answer(DryRunCounting(**said), 202)
    return answer(DryRun(**said))


def _asked(request: web.Request, body: bytes) -> tuple[Order, bool, Repeatable | None]:
    said = parse_json(body, CampaignRequest, most=MOST_OF_ONE)
    parts = request.app[PARTS]
    require_covered(parts.config, request[CALLER], said.purpose)
    order = order_of(
        parts.config, parts.templates, said, parts.clock.wall(), origin=request[CALLER].id
    )
    return order, said.dry_run, repeats.name_of(request, body, status=202)


def order_of(
    config: Config,
    templates: Templates,
    said: CampaignRequest,
    now: datetime,
    *,
    origin: str | None,
) -> Order:
    """What was asked for, if it fits the configuration and can be composed; else Invalid."""
    purpose = config.purposes.get(said.purpose)
    if purpose is None:
        raise Invalid.at("/purpose", "is not in the configuration")
    if said.send_at is not None and said.send_at > now + _AHEAD:
        raise Invalid.at("/send_at", "must be within a year")
    content = said_by(config, templates, said.purpose, said.content)
    return Order(
        purpose=said.purpose,
        sender=purpose.sender,
        id_domain=config.sender_of(said.purpose).dkim_domain,
        content=content.content,
        audience=audience_of(config, said.purpose, said.audience),
        reference=said.reference,
        starts_at=said.send_at,
        per_hour=said.per_hour,
        origin=origin,
        kept=content.kept,
        blemishes=content.blemishes,
    )


def audience_of(config: Config, purpose: str, said: AudienceRequest) -> Audience:
    """Whom a request is for; Invalid for a language, or an answer, that nobody of it can have."""
    _require_languages(config, said.locale)
    forms = [form for form in config.forms.values() if purpose in form.purposes]
    since, until = said.confirmed_since, said.confirmed_until
    if since is not None and until is not None and until <= since:
        raise Invalid.at("/audience/confirmed_until", "must be after confirmed_since")
    profile = {
        name: _answers_of(
            merged(form.fields[name] for form in forms if name in form.fields),
            [wanted] if isinstance(wanted, str) else wanted,
            f"/audience/profile/{name}",
        )
        for name, wanted in said.profile.items()
    }
    return Audience(frozenset(said.locale), profile, since, until)


def _require_languages(config: Config, wanted: Sequence[str]) -> None:
    """Else a slip in one would be a campaign to nobody, and told as such."""
    known = config.locales
    for place, locale in enumerate(wanted):
        if locale not in known:
            said = f"must be a language of this gateway's wordings: {', '.join(known)}"
            raise Invalid.at(f"/audience/locale/{place}", said)


def _answers_of(field: FormField | None, wanted: Sequence[str], pointer: str) -> frozenset[str]:
    """The answers as profiles have them; Invalid for one that nobody can have given."""
    if field is None:
        raise Invalid.at(pointer, "is asked for by no form of the purpose")
    if field.kind is FieldKind.TEXT:  # a form may have taken longer ones before
        return frozenset(wanted)
    kept = set()
    for one in wanted:
        said = form_answers.read(field, one)
        if isinstance(said, form_answers.Wrong):
            raise Invalid.at(pointer, said.detail)
        if not said:
            raise Invalid.at(pointer, "must name an answer: who gave none cannot be named")
        kept.add(said)
    return frozenset(kept)


@endpoint(
    "GET",
    "/v1/campaigns",
    summary="Campaigns, oldest first",
    responses={200: CampaignsView},
    scope=Scope.CAMPAIGNS_SEND,
    query=CampaignsQuery,
    tags=_TAGS,
)
async def get_campaigns(request: web.Request) -> web.StreamResponse:
    query = read_query(request, CampaignsQuery)
    key = request[CALLER]
    whose = Whose(key.senders, key.purposes)
    found, more = await standing.listed(request.app[CAMPAIGNS], query.after, query.limit, whose)
    return answer(CampaignsView(campaigns=[view(one) for one in found], next=more))


@endpoint(
    "GET",
    _ONE,
    summary="How a campaign stands",
    responses={200: CampaignView},
    scope=Scope.CAMPAIGNS_SEND,
    tags=_TAGS,
)
async def get_campaign(request: web.Request) -> web.StreamResponse:
    return answer(view(await _one(request)))


@endpoint(
    "POST",
    _ONE + "/pause",
    summary="Let nothing of it start any more until it is resumed",
    responses={200: CampaignView},
    scope=Scope.CAMPAIGNS_SEND,
    tags=_TAGS,
)
async def post_pause(request: web.Request) -> web.StreamResponse:
    name, by = await _named(request)
    return await _steered(request, await request.app[STEERING].pause(name, by))


@endpoint(
    "POST",
    _ONE + "/resume",
    summary="Let it go on where it stood",
    responses={200: CampaignView},
    scope=Scope.CAMPAIGNS_SEND,
    tags=_TAGS,
)
async def post_resume(request: web.Request) -> web.StreamResponse:
    name, by = await _named(request)
    return await _steered(request, await request.app[STEERING].resume(name, by))


@endpoint(
    "POST",
    _ONE + "/cancel",
    summary="Let nothing of it start any more, for good",
    responses={200: CampaignView},
    scope=Scope.CAMPAIGNS_SEND,
    tags=_TAGS,
)
async def post_cancel(request: web.Request) -> web.StreamResponse:
    name, by = await _named(request)
    return await _steered(request, await request.app[STEERING].cancel(name, by))


@endpoint(
    "POST",
    _ONE + "/resend",
    summary="Send again what ended uncertain; some of it may arrive twice",
    responses={202: Resent},
    scope=Scope.CAMPAIGNS_SEND,
    tags=_TAGS,
)
async def post_resend(request: web.Request) -> web.StreamResponse:
    name, by = await _named(request)
    became = await request.app[STEERING].resend(name, by)
    if isinstance(became, Refusal):
        raise _refused(became)
    return answer(Resent(messages=became), 202)


ROWS = (
    post_campaign,
    get_campaigns,
    get_campaign,
    post_pause,
    post_resume,
    post_cancel,
    post_resend,
)


async def _one(request: web.Request) -> Standing:
    found = await standing.look(request.app[CAMPAIGNS], request.match_info["id"])
    if found is None or not _covers(request[CALLER], found):
        raise NotFound(_NO_CAMPAIGN)
    return found


async def _named(request: web.Request) -> tuple[str, By]:
    """The campaign, if the key covers its purpose, and who steers it."""
    found = await _one(request)
    return found.campaign.id, By(Actor.API, request[CALLER].id)


async def _steered(request: web.Request, became: object) -> web.StreamResponse:
    if isinstance(became, Refusal):
        raise _refused(became)
    return answer(view(await _one(request)))


def _refused(why: Refusal) -> Exception:
    return NotFound(_NO_CAMPAIGN) if why is Refusal.UNKNOWN else Conflict()


def _covers(caller: ApiKey, one: Standing) -> bool:
    return caller.covers(one.campaign.purpose, one.campaign.sender)


def view(one: Standing) -> CampaignView:
    campaign = one.campaign
    return CampaignView(
        campaign_id=campaign.id,
        status=campaign.state,
        purpose=campaign.purpose,
        reference=one.reference,
        created_at=campaign.created_at,
        send_at=campaign.starts_at,
        per_hour=campaign.per_hour,
        messages=campaign.made,
        counts=dict(sorted(one.counts.items())),
        refused=dict(sorted(one.refused.items())),
    )
