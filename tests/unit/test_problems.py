from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from aiohttp import web

from gateway import errors
from gateway.http import problems
from storage.errors import StorageAway


def concrete(kind: type[Exception]) -> list[type[Exception]]:
    return [kind] + [found for sub in kind.__subclasses__() for found in concrete(sub)]


@pytest.mark.parametrize("kind", concrete(errors.RequestError)[1:])
def test_every_request_error_has_its_own_answer(kind: type[errors.RequestError]) -> None:
    problem = problems._TABLE[kind]

    assert 400 <= problem.status < 500
    assert [p.slug for p in problems._TABLE.values()].count(problem.slug) == 1


def test_a_bug_is_an_internal_error_that_says_nothing() -> None:
    problem = problems.describe(ValueError("ada@example.org"))

    assert (problem.status, problem.slug) == (500, "internal-error")
    assert "ada" not in repr(problem)


def test_storage_that_is_away_asks_to_come_back() -> None:
    problem = problems.describe(StorageAway("data"))

    assert problem.status == 503
    assert int(problem.headers["Retry-After"]) > 0


def test_wrong_fields_are_named() -> None:
    problem = problems.describe(errors.Invalid.at("/purposes/0", "is not offered here"))

    assert problem.status == 422
    assert problem.members["errors"] == [
        {"pointer": "/purposes/0", "detail": "is not offered here"}
    ]


def test_a_refusal_says_reason_and_class() -> None:
    problem = problems.describe(errors.PermissionRefused("withdrawn", "never"))

    assert (problem.status, problem.slug) == (403, "permission-refused")
    assert problem.members == {"reason": "withdrawn", "class": "never"}


def test_a_purpose_that_is_not_there_is_not_told_as_if_a_person_had_refused() -> None:
    problem = problems.describe(errors.PermissionRefused("purpose_unknown", "config"))

    assert problem.members == {"reason": "purpose_unknown", "class": "config"}
    assert "person" not in problem.detail
    assert "no purpose of this name" in problem.detail


def test_waiting_is_told_in_whole_seconds_and_never_none() -> None:
    waits = [timedelta(milliseconds=1), timedelta(seconds=1.2)]

    told = [problems.describe(errors.TooMany(wait)).headers["Retry-After"] for wait in waits]

    assert told == ["1", "2"]


def test_a_missing_key_says_how_to_send_one() -> None:
    problem = problems.describe(errors.NotAuthenticated())

    assert "WWW-Authenticate" in problem.headers
    assert "Bearer" in problem.detail


def test_the_frameworks_texts_are_not_repeated() -> None:
    problem = problems.describe(web.HTTPBadRequest(text="ada@example.org", reason="ada"))

    assert (problem.status, problem.slug) == (400, "bad-request")
    assert "ada" not in repr(problem)


def test_a_wrong_method_says_which_are_right() -> None:
    problem = problems.describe(web.HTTPMethodNotAllowed("PUT", ["GET", "POST"]))

    assert problem.status == 405
    assert problem.headers == {"Allow": "GET,POST"}
    assert "Allow" in problem.detail


def test_every_kind_of_answer_has_a_page() -> None:
    ours = [*problems._TABLE.values(), problems._FAILED]
    framework = [problems.of_status(one) for one in HTTPStatus if one >= HTTPStatus.BAD_REQUEST]

    assert [problems.find(one.slug) for one in ours] == ours
    for one in framework:
        found = problems.find(one.slug)
        assert found is not None
        assert (found.status, found.title.lower()) == (one.status, one.title.lower())
    names = [one.slug for one in (*ours, *framework)]
    assert [one for one in names if not re.fullmatch(r"[a-z-]{1,64}", one)] == []


def test_a_page_says_more_than_the_answer() -> None:
    ours = [*problems._TABLE.values(), problems._FAILED]

    assert [one.slug for one in ours if len(one.todo) < 30 or one.todo == one.detail] == []
    assert len({one.todo for one in ours}) == len(ours)
    assert problems.find("nothing") is None
