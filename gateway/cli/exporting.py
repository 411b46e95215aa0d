"""`gateway audit export`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.output import Output, require_ending
from gateway.cli.talk import configuration, fail, progress, read_file, run, say
from gateway.cli.typed import person_of_stdin

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.config.config import Config
    from gateway.flows.proving.export_forms import Export, Form
    from gateway.flows.proving.exports import Exports, Extent, Taking
    from gateway.flows.sending.permission import Question

_TIME = "As 2026-11-20T09:00:00Z."
_CASE = "--case: letters, digits and . _ / : + = - with a digit"
_ZONE = "--zone: one that this machine knows, such as Europe/Berlin"
_ANOTHER = (
    "{part} was begun by other options, or wordings or release have changed since: remove it, and"
    " say this again to begin anew"
)

_OfPerson = Annotated[
    bool,
    typer.Option(
        "--subject-stdin", help="About one person; their address or id is read from stdin."
    ),
]


@dataclass(frozen=True)
class _Order:
    """What was asked for, checked."""

    taking: Taking
    question: Question | None  # about whom; none: about everybody, and nobody is named
    reason: str | None
    held: Sequence[str]
    locale: str


def export(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="A file, or - for stdout.")],
    format: Annotated[
        Literal["jsonl", "bundle", "csv", "xlsx", "pdf"],
        typer.Option(
            help="Lines; a zip that checks itself; tables, as a zip of CSV files (-o FILE.zip) or"
            " as a workbook; a report in sentences."
        ),
    ] = "jsonl",
    scope: Annotated[
        Literal["period", "authority"],
        typer.Option(
            help="Nobody is named; or each person has a name of this export, for an authority."
        ),
    ] = "period",
    since: Annotated[str | None, typer.Option(metavar="TIME", help=_TIME)] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help=_TIME)] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="Whose local time stands beside UTC, such as Europe/Berlin."),
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="In which language a report is; default: en.")
    ] = None,
    case: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Your file number, for the log; it must name nobody."),
    ] = None,
    subject_stdin: _OfPerson = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, with --subject-stdin; kept sealed in their trail.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="One that the reader kept, so that a bundle can be compared with it."),
    ] = None,
) -> None:
    """Write the published log: entries and checkpoints, without personal data.

    But for an export about one person: there the entries that concern them are opened. The
    log tells of every export before it begins. A bundle is checked by whoever is given it, on
    their own machine; it says how. What was cut off goes on where it was: say the same again.
    """
    require_ending(output, format)
    written = _Written(format, scope, zone, locale)
    about = _About((since, until), case, reason, subject_stdin)
    order = _order(written, about, held_notes(checkpoint))
    size = run(_export(configuration(context), order, Output(output)))
    say(f"{size} bytes of {format}{_hint(order, output)}")


def _hint(order: _Order, output: Path) -> str:
    form, times = order.taking.form, (order.taking.since, order.taking.until)
    whole = order.question is None and order.taking.extent == "period" and times == (None, None)
    if form == "pdf":
        return "; it names the bundle that proves what it tells"
    if form == "bundle" or (form == "jsonl" and whole):
        return f"; check them with: gateway audit verify --bundle {output}"
    return "; for reading: what proves is a bundle of the same entries"


def held_notes(paths: Sequence[Path] | None) -> list[str]:
    """The checkpoints that somebody kept, as files have them."""
    from gateway.look import verifying

    way_out = (
        "give --checkpoint a file with what GET /v1/audit/checkpoint answered, or the mail that"
        " brought it"
    )
    found = []
    for path in paths or ():
        found.append(verifying.kept_in(read_file(path, way_out)))
    return found


@dataclass(frozen=True)
class _Written:
    form: str
    scope: str
    zone: str | None
    locale: str | None


@dataclass(frozen=True)
class _About:
    times: tuple[str | None, str | None]
    case: str | None
    reason: str | None
    of_person: bool


def _order(written: _Written, about: _About, held: Sequence[str]) -> _Order:
    from audit.kinds import Actor
    from gateway.flows.proving.export_forms import Form
    from gateway.flows.proving.exports import Extent, Taking
    from gateway.http.fields import CaseNumber, Label, ZoneName, zone_named

    form, extent = Form(written.form), Extent(written.scope)
    _check_together(form, extent, about, held)
    _check_reading(form, extent, written)
    since, until = (_moment(one) for one in about.times)
    case = checked(CaseNumber, about.case, "--case: letters, digits and . _ / : + = - with a digit")
    reason = checked(Label, about.reason, "--reason: one line of at most 200 characters")
    zone = checked(ZoneName, written.zone, _ZONE)
    local = zone_named(zone or "UTC")
    assert local is not None  # noqa: S101 checked
    taking = Taking(form, Actor.OPERATOR, None, case, since, until, extent, local)
    question = person_of_stdin() if about.of_person else None
    return _Order(taking, question, reason, held, written.locale or "en")


def _check_together(form: Form, extent: Extent, about: _About, held: Sequence[str]) -> None:
    """Refuse what makes no sense together, and say what does."""
    wrong = {
        "a --checkpoint is compared in a bundle or a report: say --format bundle": (
            held and form not in ("bundle", "pdf")
        ),
        "an export about a person is of all times, and has a --reason": (
            about.of_person and (any(about.times) or about.case)
        ),
        "an export about a person names them: leave --scope out": (
            about.of_person and extent == "authority"
        ),
        "--subject-stdin needs a --reason, and nothing else does": (
            about.of_person != (about.reason is not None)
        ),
        "an authority's needs the --case that it is for": (
            extent == "authority" and about.case is None
        ),
    }
    _refuse(wrong)


def _check_reading(form: Form, extent: Extent, written: _Written) -> None:
    from gateway.look.translations import languages

    known = languages()
    wrong = {
        "a report has no names of people: take bundle, jsonl, csv or xlsx for an authority": (
            form == "pdf" and extent == "authority"
        ),
        "--zone is for local times, which csv, xlsx and pdf have": (
            written.zone and not form.has_local_times
        ),
        "--locale is the language of a report: say --format pdf": (
            written.locale and form != "pdf"
        ),
        f"--locale: one of {', '.join(known)}": written.locale not in (None, *known),
    }
    _refuse(wrong)


def _refuse(wrong: Mapping[str, object]) -> None:
    for said, is_wrong in wrong.items():
        if is_wrong:
            raise typer.BadParameter(said)


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


async def _export(config: Config, order: _Order, output: Output) -> int:
    from audit.errors import NoteError
    from gateway.cli.stores import open_own_parts
    from gateway.flows.errors import NoSuchExport
    from gateway.flows.proving.exports import Exports, at_once

    begun = output.begun()
    async with open_own_parts(config) as parts:
        with progress("exporting", None) as move:
            seen = _Seen(move)
            exports = Exports(parts, at_once, seen)
            try:
                export = await _made(exports, order, begun)
            except NoteError as error:
                raise fail(f"a --checkpoint is none of this log: {error}") from None
            except NoSuchExport:
                raise fail(_ANOTHER.format(part=output.part_of(begun or ""))) from None
            if export is None:
                whom = "nobody is known by that" if order.question else "nothing was published yet"
                raise fail(f"{whom}; nothing was written")
            seen.total = await export.entries()
            pieces = export.read()
            if order.taking.form == "pdf":
                pieces = _at_once(await _paper(config, export, order))
            if order.question is None:
                await exports.tell(export, order.taking, output.length(export.name))
            return await output.write(export.name, pieces)


async def _paper(config: Config, export: Export, order: _Order) -> bytes:
    """The report as PDF."""
    from gateway.flows.errors import TooManyEvents
    from gateway.flows.proving import reports
    from gateway.http import audit_paper
    from gateway.http.typesetter import NotSet, TooLarge, Typesetter

    try:
        report = await reports.report(export, order.held)
    except TooManyEvents as error:
        way_out = "take bundle, csv or xlsx, or a shorter time (--since, --until)"
        raise fail(f"a report tells of {error.most:,} events at most: {way_out}") from None
    made = audit_paper.paper(report, config, order.locale, order.taking.case)
    typesetter = Typesetter()
    try:
        return await typesetter.pdf(made)
    except TooLarge:
        way_out = "take bundle, csv or xlsx, or a shorter time (--since, --until)"
        raise fail(f"what these events say is too much for a paper: {way_out}") from None
    except NotSet:
        way_out = "say it again once the machine has less to do, or take bundle, csv or xlsx"
        raise fail(f"the paper was not set: {way_out}") from None
    finally:
        await typesetter.stop()


async def _at_once(body: bytes) -> AsyncIterator[bytes]:
    yield body


class _Seen:
    """Shows how many entries were gone through."""

    def __init__(self, move: Callable[..., None]) -> None:
        self.total: int | None = None
        self._move, self._done = move, 0

    def __call__(self, count: int) -> None:
        self._done += count
        self._move(self._done, self.total)


async def _made(exports: Exports, order: _Order, name: str | None) -> Export | None:
    from gateway.flows.rights import handing_out

    taking, held = order.taking, order.held
    if order.question is not None and order.reason is not None:
        asked = handing_out.by_the_operator(order.reason)
        return await exports.of_person(order.question, asked, taking.form, held, taking.zone, name)
    return await exports.of_log(taking, held, name)
