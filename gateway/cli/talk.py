"""How commands speak: results on stdout, everything else on stderr."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

if TYPE_CHECKING:
    from gateway.config.config import Config

T = TypeVar("T")
_MOST_READ: Final = 16 * 1024 * 1024
# By what says where each store is.
_SETTINGS = {
    "data": "storage.url",
    "key store": "storage.keystore_url",
    "guard": "audit.guard_url",
}
# A row may hold what a terminal obeys. As JSON writes them, for JSON is printed too.
_OBEYED = {
    code: f"\\u{code:04x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}


def stand_on_three() -> None:
    """Put something in the place of each of stdin, stdout and stderr that is closed.

    Else the next file has its number, a database for one: what is printed would be written into
    it, and uvloop aborts the process where it closes such a number. An empty stdin is read, a
    stdout that takes nothing is told by `finished`, and stderr is heard by nobody.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            writes = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            os.set_inheritable(os.open(os.devnull, writes), True)  # the lowest number that is free
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def finished(code: object) -> object:
    """What to exit with after a command that ended with *code*: 1 where its result is lost."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is left would be tried once more at the end, and told in Python's words.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code:
            say(_lost(error))
            return 1
    return code


def _lost(error: OSError) -> str:
    why = os.strerror(error.errno) if error.errno else type(error).__name__
    return (
        f"stdout cannot be written: {why}; what was done stands, its result is lost: give"
        " stdout a place that takes it"
    )


def is_text(said: str) -> bool:
    """Bytes that are none come as halves of characters, which no database takes."""
    return not any("\ud800" <= one <= "\udfff" for one in said)


def say(text: str) -> None:
    """Talk to the person at the terminal; where nobody can hear, the exit code still tells."""
    with suppress(OSError):
        sys.stderr.write(text.translate(_OBEYED) + "\n")


def fail(text: str) -> typer.Exit:
    """Say why, and return what to raise."""
    say(text)
    return typer.Exit(1)


def result(text: str) -> None:
    try:
        sys.stdout.write(text.translate(_OBEYED) + "\n")
    except OSError as error:
        raise fail(_lost(error)) from None


def result_json(value: Any) -> None:
    result(json.dumps(value, indent=2, ensure_ascii=False))


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns as wide as they need; the last one as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        result("  ".join([*padded, row[-1]]).rstrip())


def configuration(context: typer.Context) -> Config:
    """The configuration that the command line names; raises ConfigError."""
    from gateway.config.config import load

    return load(context.obj)


def run(work: Coroutine[Any, Any, T], level: int = logging.WARNING) -> T:
    """Run a command's work, its log lines from *level* on stderr.

    Ctrl-C ends it by a `KeyboardInterrupt`, for which typer exits with what
    `gateway/__main__.py` does.
    """
    from gateway.watch import logs

    logs.configure(level=level)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


@contextmanager
def named(path: Path, doing: str, way_out: str) -> Iterator[None]:
    """Around what opens or writes a path that the caller gave: say which, and what to do."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        raise fail(f"{path} cannot be {doing}: {why}; {way_out}") from None


def read_file(path: Path, way_out: str) -> bytes:
    """All of a file that the caller named, 16 MiB at most: there are files without an end."""
    with named(path, "read", way_out), path.open("rb") as file:
        raw = file.read(_MOST_READ + 1)
    if len(raw) > _MOST_READ:
        raise fail(f"{path} has more than 16 MiB; {way_out}")
    return raw


def read_json(path: Path) -> Any:
    """What a file says that the caller named."""
    raw = read_file(path, "name a file of JSON that you may read")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise fail(f"{path} is no JSON: {error}") from None


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show how far long work is, to a person only; call what it yields with the count so far.

    And with that of all, where it shows only then.
    """
    if not sys.stderr.isatty():
        yield lambda done, total=None: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: a third less time in the loop. Nothing depends on it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def explain(error: Exception) -> str:
    """What to tell about *error*: our own errors speak for themselves, others by kind and place."""
    from sqlalchemy.exc import DBAPIError

    from audit.errors import AuditError
    from consent.errors import KeyringBehind
    from delivery.errors import DeliveryError
    from gateway.errors import ConfigError, GatewayError
    from gateway.watch.logs import place_of
    from storage.errors import StorageAway, StorageError
    from storage.refusals import way_out, why

    if isinstance(error, ExceptionGroup):
        return explain(error.exceptions[0])  # the first to fail ended the others
    if isinstance(error, ConfigError):
        return "\n".join(["The configuration is not usable:", *error.problems])
    if isinstance(error, KeyringBehind):
        return f"gateway: {error}; copy the newest keyring to this machine"
    if isinstance(error, StorageAway) and error.store in _SETTINGS:
        return f"gateway: {error}; {way_out(error.why)}, or mend {_SETTINGS[error.store]}"
    if isinstance(error, GatewayError | StorageError | AuditError | DeliveryError):
        return f"gateway: {error}"
    if isinstance(error, DBAPIError) and (said := why(error)):
        return f"gateway: a database refuses what we do: {said}"
    return f"gateway: {type(error).__name__} at {place_of(error)}"
