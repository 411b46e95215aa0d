"""What happens to people, for callers that keep them in systems of their own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from consent.feed import KEPT, News
from gateway.callers.api_keys import ApiKey, Scope
from gateway.config.config import Config
from gateway.errors import Invalid
from gateway.flows.rights.following import Following, Told, Wanted
from gateway.http import cursors
from gateway.http.answers import answer
from gateway.http.app_keys import PARTS
from gateway.http.authentication import CALLER
from gateway.http.cursors import Cursor
from gateway.http.endpoints import endpoint
from gateway.http.fields import PageCursor
from gateway.http.models import Answer, Incoming, Omissible
from gateway.http.parsing import read_query
from storage.honesty import RowKeys

_SLACK: Final = timedelta(hours=1)  # of what is kept: it goes while somebody reads


class ChangesQuery(Incoming):
    """The query string: behind which change, and how many at most."""

    after: PageCursor | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ChangeView(Answer):
    """One change of one person; `email` for keys with `changes:addresses`, while there is one.

    `purpose` is null where it concerns all of them, or none; `external_ids` are those that came
    with sign-ups, by the name of the system.
    """

    change_id: str
    at: datetime
    kind: News
    subject_id: str
    purpose: str | None
    external_ids: dict[str, str]
    email: Omissible = None


class ChangesView(Answer):
    """In order; `next` is what `after` is to be, also where there is nothing new.

    A key that is bound to purposes may get none in an answer, and more in the next one.
    """

    changes: list[ChangeView]
    next: str


@endpoint(
    "GET",
    "/v1/changes",
    summary="Who confirmed, left, was restricted, corrected or erased, in order",
    query=ChangesQuery,
    responses={200: ChangesView},
    scope=Scope.CHANGES_READ,
    tags=("senders",),
)
async def get_changes(request: web.Request) -> web.StreamResponse:
    parts, query, key = request.app[PARTS], read_query(request, ChangesQuery), request[CALLER]
    following = Following(parts.data, parts.keystore, parts.clock, parts.consents, parts.log)
    after = None if query.after is None else _cursor(parts.rows, query.after, parts.clock.wall())
    position = None if after is None else after.after
    wanted = Wanted(position, query.limit, covered(parts.config, key))
    releases = Scope.CHANGES_ADDRESSES in key.scopes
    page = await (following.release(wanted, key.id) if releases else following.read(wanted))
    return answer(
        ChangesView(
            changes=[_view(one) for one in page.told],
            next=cursors.of_changes(parts.rows, Cursor(page.after, page.at)),
        )
    )


def covered(config: Config, key: ApiKey) -> frozenset[str] | None:
    """The purposes that a key is bound to; None: it is bound to nothing.

    A purpose that left the configuration has no sender any more: a key of a sender sees it not.
    """
    if not key.purposes and not key.senders:
        return None
    ours = {name for name, one in config.purposes.items() if key.covers(name, one.sender)}
    return frozenset(ours if key.senders else ours | key.purposes)


def _cursor(keys: RowKeys, said: str, now: datetime) -> Cursor:
    cursor = cursors.in_changes(keys, said)
    if cursor is None:
        raise Invalid.at("/after", "is not what `next` was, or too old: begin without it")
    if cursor.at <= now - KEPT + _SLACK:
        raise Invalid.at("/after", "is older than 30 days, and changes are gone: begin without it")
    return cursor


def _view(told: Told) -> ChangeView:
    change = told.change
    return ChangeView(
        change_id=change.id,
        at=change.at,
        kind=change.kind,
        subject_id=change.subject,
        purpose=change.purpose,
        external_ids=dict(told.external_ids),
        email=told.email,
    )
