"""JSON lines on stderr, through an allow-list: what is not named here is not written.

Never a text that somebody else composed: no exception values, no reply texts,
no URLs. An exception is its type and the place in our code.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

_PACKAGES = ("gateway", "consent", "delivery", "audit", "storage")
_DRIVERS = ("storage/one_hop.py", "storage/straight.py")
_HERE = Path(__file__).parents[2]

# Numbers, our own names and ids; a new key is added here on purpose or not at all.
ALLOWED = frozenset(
    {
        "event", "level", "at", "logger", "error", "place", "route", "method", "status", "seconds",
        "bytes", "message", "messages", "worker", "duty", "code", "waiting", "problem", "store",
        "key_id", "listen", "wait", "why", "table", "rows", "request", "due_at",
        "webhook", "change", "entries", "findings", "witness",
        "campaign", "enhanced", "process",
    }
)  # fmt: skip


def _plain(value: object) -> str:
    """A value of a kind that JSON lacks: only what cannot hide a text."""
    return value.isoformat() if isinstance(value, datetime) else type(value).__name__


def _only_allowed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in line.items() if key in ALLOWED}


_PROCESSORS: tuple[Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    _only_allowed,
    structlog.processors.JSONRenderer(default=_plain),
)


class _LibraryFormatter(logging.Formatter):
    """A library's record, reduced to what cannot quote anybody."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        facts = {"error": type(error).__name__, "place": place_of(error)} if error else {}
        moment = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line = {"event": "library", "logger": record.name, **facts}
        return json.dumps({**line, "level": record.levelname.lower(), "at": moment})


class _Unfailing:
    """A stream for lines that must not end what they tell of: a full disk takes none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # full, or closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send our events, and the events of libraries, to *stream* (stderr) as JSON lines.

    Of a library's record only its logger, level and error survive: its message
    may hold anything.
    """
    lines = cast(TextIO, _Unfailing(stream or sys.stderr))
    handler = logging.StreamHandler(lines)
    handler.setFormatter(_LibraryFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd: a line per command
    logging.getLogger("alembic").setLevel(logging.WARNING)  # says at each start how it looks
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a line that cannot be written would be quoted on stderr
    _silence_tracebacks()
    structlog.configure(
        processors=list(_PROCESSORS),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )


def _silence_tracebacks() -> None:
    """What Python itself prints about an error quotes its text: say type and place instead."""

    def uncaught(_kind: object, error: BaseException, _trace: object) -> None:
        failed("uncaught", error)

    def in_thread(facts: threading.ExceptHookArgs) -> None:
        if facts.exc_value is not None:
            failed("uncaught", facts.exc_value)

    def unraisable(facts: sys.UnraisableHookArgs) -> None:
        if facts.exc_value is not None:
            failed("uncaught", facts.exc_value)

    sys.excepthook, threading.excepthook, sys.unraisablehook = uncaught, in_thread, unraisable


def event(name: str, **facts: Any) -> None:
    """Write one line; facts that are not on the allow-list are dropped."""
    structlog.get_logger().info(name, **facts)


def failed(name: str, error: BaseException, **facts: Any) -> None:
    """Write one line about *error*: its type and where it came from, never its text."""
    structlog.get_logger().error(name, error=type(error).__name__, place=place_of(error), **facts)


def place_of(error: BaseException) -> str:
    """The deepest line of ours that *error* passed, else the deepest of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if _is_ours(_module(f.filename))]
    if not frames:
        return ""
    frame = (ours or frames)[-1]
    return f"{_module(frame.filename)}:{frame.lineno}"


def _is_ours(module: str) -> bool:
    """Of who asked; what only passes on a driver's errors stands below each of them."""
    return module.split("/")[0] in _PACKAGES and module not in _DRIVERS


def _module(filename: str) -> str:
    path = Path(filename)
    return path.relative_to(_HERE).as_posix() if path.is_relative_to(_HERE) else path.name
