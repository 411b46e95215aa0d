from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway.watch import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    captured = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    root.handlers.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # a test before us that ran a command left it on
        logs.configure(captured)
        yield captured
        logging.captureWarnings(False)
    logging.raiseExceptions = True
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    logs.event("message.sent", message="msg_1", code=250)

    (line,) = lines(stream)
    assert line.pop("at")
    assert line == {"event": "message.sent", "level": "info", "message": "msg_1", "code": 250}


def test_what_is_not_on_the_list_is_not_written(stream: io.StringIO) -> None:
    logs.event("message.sent", to="ada@example.org", message="msg_1")
    structlog.get_logger().warning("message.sent", body="ada@example.org")

    assert "ada" not in stream.getvalue()


def test_an_error_is_its_type_and_place_and_never_its_text(stream: io.StringIO) -> None:
    try:
        json.loads("ada@example.org")
    except ValueError as error:
        logs.failed("request.failed", error)

    (line,) = lines(stream)
    assert line["error"] == "JSONDecodeError"
    assert line["place"]
    assert "ada" not in stream.getvalue()


def test_the_place_is_the_deepest_line_of_ours() -> None:
    from gateway.config.durations import parse_duration

    with pytest.raises(ValueError) as caught:
        parse_duration("ada")

    assert logs.place_of(caught.value).startswith("gateway/config/durations.py:")


def test_a_librarys_message_does_not_pass(stream: io.StringIO) -> None:
    try:
        raise KeyError("ada@example.org")
    except KeyError:
        logging.getLogger("aiohttp.server").exception("bad request from ada@example.org")

    (line,) = lines(stream)
    assert line["logger"] == "aiohttp.server"
    assert line["error"] == "KeyError"
    assert line["level"] == "error"
    assert "ada" not in stream.getvalue()


def test_what_nobody_catches_shows_no_text(stream: io.StringIO) -> None:
    error = ValueError("ada@example.org")

    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=json.loads, args=["ada@example.org"])
    thread.start()
    thread.join()
    warnings.warn("ada@example.org", stacklevel=1)

    uncaught, in_thread, warning = lines(stream)
    assert (uncaught["event"], uncaught["error"]) == ("uncaught", "ValueError")
    assert (in_thread["event"], in_thread["error"]) == ("uncaught", "JSONDecodeError")
    assert warning["logger"] == "py.warnings"
    assert "ada" not in stream.getvalue()


class _Complaining:
    def __del__(self) -> None:
        raise ValueError("ada@example.org")


def test_an_error_that_cannot_be_raised_shows_no_text(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    _Complaining().__del__  # noqa: B018 it is dropped at once

    (line,) = lines(stream)
    assert (line["event"], line["error"]) == ("uncaught", "ValueError")
    assert "ada" not in stream.getvalue() + capsys.readouterr().err


def test_a_value_that_json_lacks_does_not_show_itself(stream: io.StringIO) -> None:
    logs.event("duty", duty=ValueError("ada@example.org"))

    assert lines(stream)[0]["duty"] == "ValueError"


def test_a_disk_that_takes_no_line_ends_nothing(stream: io.StringIO) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 its end is not that of a block
    logs.configure(full)

    for _ in range(1000):  # more than any buffer takes
        logs.event("something")
        logging.getLogger("library").warning("something")

    with pytest.raises(OSError, match="No space left"):
        full.close()
