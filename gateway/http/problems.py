"""The one table from error to answer (RFC 9457), and the middleware that applies it.

No answer echoes input, and none says more about a person than the error's own
facts do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from consent.errors import KeyringBehind
from gateway import errors
from gateway.http.endpoints import wants_page
from gateway.http.values import MOST_OF_A_FORM, MOST_OF_ONE, MOST_VALUES
from gateway.watch import access, logs
from storage.errors import StorageAway

ErrorPage = Callable[[web.Request, int], web.StreamResponse]

_RETRY_AFTER = "5"


@dataclass(frozen=True)
class Problem:
    """One kind of answer that is not what was asked for; *todo* stands on its page alone."""

    status: int
    slug: str
    title: str
    detail: str
    todo: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


_MALFORMED = Problem(
    400,
    "malformed-json",
    "Malformed JSON",
    "The body is not JSON in UTF-8.",
    "Send one JSON object. The same body fails again.",
)
_CONTENT_TYPE = Problem(
    415,
    "content-type",
    "Wrong content type",
    "This endpoint does not read bodies of this type; for most, say Content-Type:"
    " application/json.",
    "Send a type that the endpoint takes, for most of them Content-Type: application/json, and no"
    " compressed body. /docs says which.",
)
_TOO_LARGE = Problem(
    413,
    "too-large",
    "Too large",
    "The body is larger than this server reads.",
    "Send less at once: forms and questions up to 64 KB, messages up to 16 MB.",
)
_TOO_MANY_VALUES = Problem(
    413,
    "too-many-values",
    "Too many values",
    "The body holds more values than this server reads at once.",
    "Send fewer messages at once, or less data with each: a batch holds up to"
    f" {MOST_VALUES:,} values, a message {MOST_OF_ONE:,}, anything else {MOST_OF_A_FORM:,}; names"
    " of members are values, and a list or an object counts for five. Nothing was done.",
)
_LOST = Problem(
    400,
    "body-lost",
    "Body lost",
    "The body did not arrive whole.",
    "Send the request again; nothing of it was done.",
)
_SLOW = Problem(
    408,
    "too-slow",
    "Too slow",
    "The body did not arrive in time; send it again.",
    "Send the request again over a better line; nothing of it was done.",
)
_INVALID = Problem(
    422,
    "invalid",
    "Invalid",
    "Some fields are not as they must be; see errors.",
    "Read errors: each names a field by its JSON pointer (RFC 6901), with what is wrong. Nothing"
    " was done, and the same body fails again.",
)
_KEY_MISSING = Problem(
    401,
    "not-authenticated",
    "Not authenticated",
    "Send a valid API key in the header Authorization, after the word Bearer and a space.",
    "The header is Authorization: Bearer, a space and the key. A key that was revoked or lost is"
    " made anew with gateway api-key create.",
    headers={"WWW-Authenticate": 'Bearer realm="gateway"'},
)
_SCOPE = Problem(
    403,
    "scope-missing",
    "Scope missing",
    "The API key lacks the scope for this.",
    "Use a key with the scope that the member scope names; gateway api-key create makes one.",
)
_OUTSIDE = Problem(
    403,
    "outside-key",
    "Outside the key",
    "The API key is bound to other senders or purposes.",
    "Use a key for this sender and purpose, or one that is bound to nothing.",
)
_REFUSED = Problem(
    403,
    "permission-refused",
    "Permission refused",
    "This person must not be mailed for this purpose now.",
    "Read class. ask_first: ask for consent by a form. later: it may become a yes by itself."
    " never: do not mail and do not ask. config: the gateway has no such purpose. The member"
    " reason says why. The message was not kept.",
)
_NOT_FOUND = Problem(
    404,
    "not-found",
    "Not found",
    "This server has nothing at this path.",
    "Read detail: it says what was not found. Check the address and the id. What another caller"
    " handed in is not found either.",
)
_FORGED = Problem(
    403,
    "forged",
    "Not from our page",
    "Open the page again and send its form from there.",
    "The form was not one of this session, which may have ended. Open the page anew.",
)
_NOT_PUBLISHED = Problem(
    409,
    "not-published",
    "Not published yet",
    "No published checkpoint proves this event yet; ask again. If that lasts for more than a"
    " minute, rows of the log are damaged: gateway audit verify names them.",
    "Wait as long as Retry-After says: a checkpoint is published every second or two. One that"
    " never comes is the operator's matter: gateway audit verify names what is damaged, and a"
    " backup of the data database from before that has the rows.",
    headers={"Retry-After": "1"},
)
_CONFLICT = Problem(
    409,
    "conflict",
    "Conflict",
    "Its state does not allow this any more.",
    "Look at it again: a message that is being sent, or has ended, cannot be cancelled, nor does a"
    " campaign that is over go on.",
)
_DECIDED = Problem(
    409,
    "request-decided",
    "Request decided",
    "This rights request was decided, or extended, before.",
    "Look at it: GET /v1/rights-requests and its id. What was told to the person stands; whatever"
    " they ask beyond it is a new request.",
)
_TOO_LATE = Problem(
    409,
    "too-late-to-extend",
    "Too late to extend",
    "The first month is over; a request can be extended within it only (Art. 12(3) GDPR).",
    "Answer or refuse it now: it is overdue.",
)
_BY_ERASURE = Problem(
    409,
    "answered-by-erasure",
    "Answered by an erasure",
    "Who asked to be forgotten is answered by an erasure, and by nothing else.",
    "Forget them: POST /v1/erasures with the subject_id of this request. It is then answered. A"
    " request that the law lets you refuse is refused, with the reason.",
)
_IN_FLIGHT = Problem(
    409,
    "request-in-flight",
    "Request in flight",
    "The first request with this idempotency key is still being answered.",
    "Send the same request again after Retry-After; it is then answered as the first was.",
    headers={"Retry-After": "1"},
)
_REUSED = Problem(
    422,
    "idempotency-key-reused",
    "Idempotency key reused",
    "This idempotency key was used with a body that says something else.",
    "Use a new Idempotency-Key for a new request. A repeated one must say the same,"
    " in any order and spelling.",
)
_BUSY = Problem(
    429,
    "busy",
    "Busy",
    "As much as this server reads at once is being read; ask again.",
    "Send the request again after Retry-After, or fewer at once. Nothing of it was done.",
    headers={"Retry-After": _RETRY_AFTER},
)
_TOO_MANY = Problem(
    429,
    "too-many-requests",
    "Too many requests",
    "Wait before the next try.",
    "Wait as long as Retry-After says. The limits are those of a network, of a form, and"
    " of an API key's questions.",
)
_AWAY = Problem(
    503,
    "storage-away",
    "Storage away",
    "Nothing can be stored or decided now; ask again.",
    "Send the request again after Retry-After. What was asked may have been done all the same:"
    " repeating a withdrawal is safe, and so is a message with an Idempotency-Key.",
    headers={"Retry-After": _RETRY_AFTER},
)
_BEHIND = Problem(
    503,
    "keyring-behind",
    "Keyring behind",
    "This node lacks a key that looking people up needs; another node does it, or this one later.",
    "Send the request again after Retry-After, to another node where there is one. Nothing was"
    " done. Operators: gateway doctor names the key; copy the newest keyring to this machine, and"
    " restart.",
    headers={"Retry-After": _RETRY_AFTER},
)
_FAILED = Problem(
    500,
    "internal-error",
    "Internal error",
    "Something went wrong on our side.",
    "Ask the operator: the log has a line with the kind and place of the fault. Repeat it only"
    " where repeating is safe.",
)
_NO_SUCH_PURPOSE = (
    "The configuration has no purpose of this name; nobody was asked whether they agreed."
)
_FRAMEWORK_DETAIL = {
    405: "This path does not take this method; the header Allow names those it does."
}
_FRAMEWORK_TODO = {
    400: "Check what wrote the request: it is not HTTP as this server reads it.",
    405: "Use a method that the header Allow names; /docs lists them.",
    417: "Send no Expect header, or Expect: 100-continue.",
}
_OTHERWISE = "Check the request against /docs."

_TABLE: dict[type[Exception], Problem] = {
    errors.MalformedJson: _MALFORMED,
    errors.WrongContentType: _CONTENT_TYPE,
    errors.BodyTooLarge: _TOO_LARGE,
    errors.TooManyValues: _TOO_MANY_VALUES,
    errors.BodyLost: _LOST,
    errors.TooSlow: _SLOW,
    errors.Invalid: _INVALID,
    errors.NotAuthenticated: _KEY_MISSING,
    errors.ScopeMissing: _SCOPE,
    errors.OutsideKey: _OUTSIDE,
    errors.PermissionRefused: _REFUSED,
    errors.NotFound: _NOT_FOUND,
    errors.NotPublished: _NOT_PUBLISHED,
    errors.Conflict: _CONFLICT,
    errors.RequestDecided: _DECIDED,
    errors.TooLateToExtend: _TOO_LATE,
    errors.AnsweredByErasure: _BY_ERASURE,
    errors.KeyReused: _REUSED,
    errors.InFlight: _IN_FLIGHT,
    errors.Forged: _FORGED,
    errors.Busy: _BUSY,
    errors.TooMany: _TOO_MANY,
    StorageAway: _AWAY,
    KeyringBehind: _BEHIND,
}


def describe(error: BaseException) -> Problem:
    """What to answer to *error*; anything that is not in the table is our own fault."""
    if isinstance(error, web.HTTPException):
        return _framework(error)
    problem = next((p for kind, p in _TABLE.items() if isinstance(error, kind)), _FAILED)
    detail = problem.detail
    if isinstance(error, errors.NotFound) and error.what is not None:
        detail = f"There is no {error.what}."
    elif isinstance(error, errors.PermissionRefused) and error.refusal_class == "config":
        detail = _NO_SUCH_PURPOSE
    headers = {**problem.headers, **_headers(error)}
    return replace(problem, detail=detail, members=_members(error), headers=headers)


def of_status(status: int) -> Problem:
    """aiohttp's own errors, without its texts: some of them quote the request."""
    known = {413: _TOO_LARGE, 404: _NOT_FOUND, 500: _FAILED}
    if status in known:
        return known[status]
    meaning = HTTPStatus(status)
    slug = re.sub(r"[^a-z]+", "-", meaning.phrase.lower())
    detail = _FRAMEWORK_DETAIL.get(status, f"{meaning.description or meaning.phrase}.")
    return Problem(status, slug, meaning.phrase, detail, _FRAMEWORK_TODO.get(status, _OTHERWISE))


def find(slug: str) -> Problem | None:
    """The kind of answer whose `type` is /problems/*slug*; every one that is answered has one."""
    framework = [of_status(status) for status in HTTPStatus if status >= HTTPStatus.BAD_REQUEST]
    found = (problem for problem in [*_TABLE.values(), *framework] if problem.slug == slug)
    return next(found, None)


def answer(problem: Problem) -> web.Response:
    """The problem document."""
    document = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    response = web.json_response(
        document, status=problem.status, content_type="application/problem+json"
    )
    response.headers.update({"Cache-Control": "no-store", **problem.headers})
    return response


def middleware(error_page: ErrorPage) -> Middleware:
    """Turn every error into its answer: a page on the routes that people open, else a problem.

    *error_page* gets the request and the status. Faults of our own are logged by
    kind and place, without their values.
    """

    @web.middleware
    async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            problem = describe(error)
        except (errors.RequestError, StorageAway, KeyringBehind) as error:
            problem = describe(error)
        except Exception as error:  # noqa: BLE001 the answer to a bug is a 500 that says nothing
            logs.failed("request.failed", error, route=access.route_of(request))
            problem = _FAILED
        if not wants_page(request):
            return answer(problem)
        page = error_page(request, problem.status)
        page.headers.update(problem.headers)
        return page

    return problem_middleware


def _members(error: BaseException) -> dict[str, Any]:
    match error:
        case errors.Invalid():
            listed = [{"pointer": e.pointer, "detail": e.detail} for e in error.errors]
            return {"errors": listed}
        case errors.ScopeMissing():
            return {"scope": error.scope}
        case errors.PermissionRefused():
            return {"reason": error.reason, "class": error.refusal_class}
        case _:
            return {}


def _headers(error: BaseException) -> dict[str, str]:
    if isinstance(error, errors.TooMany):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after.total_seconds())))}
    return {}


def _framework(error: web.HTTPException) -> Problem:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return replace(of_status(error.status), headers=headers)
