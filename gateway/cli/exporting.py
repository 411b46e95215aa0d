"""`gateway audit export`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import typer

from gateway.cli.talk import configuration, fail, named, progress, run, say

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.config.config import Config
    from gateway.flows.proving.exports import Exports, Taking
    from gateway.flows.sending.permission import Question

ELSEWHERE = "give -o a file in a folder that is there and yours, with room, or - for stdout"
_TIME = "As 2026-11-20T09:00:00Z. Bundles only."


@dataclass(frozen=True)
class _Order:
    """What was asked for, checked."""

    taking: Taking
    question: Question | None  # about whom; none: about everybody, and nobody is named
    reason: str | None
    held: Sequence[str]


def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="A file, or - for stdout.")],
    format: Annotated[
        Literal["jsonl", "bundle"], typer.Option(help="Lines, or a zip that checks itself.")
    ] = "jsonl",
    since: Annotated[str | None, typer.Option(metavar="TIME", help=_TIME)] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help=_TIME)] = None,
    case: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Your file number, for the log; it must name nobody."),
    ] = None,
    subject_stdin: Annotated[
        bool,
        typer.Option(help="A bundle about one person; their address or id is read from stdin."),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, with --subject-stdin; kept sealed in their trail.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that the reader kept, so that they can compare it."),
    ] = None,
) -> None:
    """Write the published log, as lines or as a bundle: entries and checkpoints.

    Without personal data, but for a bundle about one person: there the entries that
    concern them are opened. The log tells of every export before it begins. Whoever is
    given a bundle checks it on their own machine; it says how.
    """
    order = _order(format, (since, until), case, reason, held_notes(checkpoint), subject_stdin)
    size = run(_export(configuration(context), order, output))
    say(f"{size} bytes of {format}; check them with: gateway audit verify --bundle {output}")


def held_notes(paths: Sequence[Path] | None) -> list[str]:
    """The checkpoints that somebody kept, as files have them."""
    way_out = "give --checkpoint a file with what GET /v1/audit/checkpoint answered"
    found = []
    for path in paths or ():
        with named(path, "read", way_out):
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found


def _order(
    form: str,
    times: tuple[str | None, str | None],
    case: str | None,
    reason: str | None,
    held: Sequence[str],
    of_person: bool,
) -> _Order:
    from audit.kinds import Actor
    from gateway.flows.proving.exports import Taking
    from gateway.http.fields import CaseNumber, Label

    since, until = (_moment(one) for one in times)
    if form != "bundle" and (since or until or of_person or held):
        raise typer.BadParameter("lines are the whole log: say --format bundle")
    if of_person and (since or until or case):
        raise typer.BadParameter("a bundle about a person is of all times, and has a --reason")
    if of_person != (reason is not None):
        raise typer.BadParameter("--subject-stdin needs a --reason, and nothing else does")
    case = checked(CaseNumber, case, "--case: letters, digits and . _ / : + = - with a digit")
    reason = checked(Label, reason, "--reason: one line of at most 200 characters")
    taking = Taking(form, Actor.OPERATOR, None, case, since, until)
    question = _question(sys.stdin.readline().strip()) if of_person else None
    return _Order(taking, question, reason, held)


def _moment(typed: str | None) -> datetime | None:
    from gateway.http.fields import Moment

    said = "--since, --until: a time since 1970 with its offset, such as 2026-11-20T09:00:00Z"
    found: datetime | None = checked(Moment, typed, said)
    return found


def checked(kind: Any, typed: str | None, how: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    if typed is None:
        return None
    try:
        return TypeAdapter[Any](kind).validate_python(typed)
    except ValidationError:
        raise typer.BadParameter(f"write {how}") from None


def _question(typed: str) -> Question:
    from consent import address
    from consent.errors import AddressError
    from gateway.flows.sending.permission import Question

    if typed.startswith("sub_"):
        return Question("", subject=typed)
    try:
        return Question("", address.parse(typed))
    except AddressError as error:
        raise fail(f"that is no address: {error}") from None


async def _export(config: Config, order: _Order, output: Path) -> int:
    from audit.errors import NoteError
    from gateway.flows.proving.exports import Exports, at_once
    from gateway.process.lifespan import open_parts

    size = 0
    async with open_parts(config) as parts:
        try:
            made = await _made(Exports(parts, at_once), order)
        except NoteError as error:
            raise fail(f"a --checkpoint is none of this log: {error}") from None
        if made is None:
            whom = "nobody is known by that" if order.question else "nothing was published yet"
            raise fail(f"{whom}; nothing was written")
        with opened(output) as file, progress("exporting", None) as move:
            async for part in made:
                with named(output, "written", ELSEWHERE):
                    file.write(part)
                size += len(part)
                move(size)
            with named(output, "written", ELSEWHERE):
                file.flush()
    return size


async def _made(exports: Exports, order: _Order) -> AsyncIterator[bytes] | None:
    from gateway.flows.rights import handing_out

    if order.question is not None and order.reason is not None:
        asked = handing_out.by_the_operator(order.reason)
        return await exports.of_person(order.question, asked, order.held)
    if order.taking.form == "bundle":
        return await exports.of_log(order.taking, order.held)
    return await exports.as_lines(order.taking)


@contextmanager
def opened(output: Path) -> Iterator[BinaryIO]:
    from storage import files

    if str(output) == "-":
        yield sys.stdout.buffer
        return
    with named(output, "written", ELSEWHERE):
        file = open(output, "wb", opener=files.opener)  # noqa: SIM115 closed below
        files.keep_private(output)  # it may have been there
    with closing(file):
        yield file
