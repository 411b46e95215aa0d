"""`gateway breach`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import require_writable
from gateway.cli.spoken import LOCALE, spoken
from gateway.cli.talk import configuration, named, result, run, say
from storage import files

if TYPE_CHECKING:
    from datetime import tzinfo

    from gateway.config.config import Config
    from gateway.flows.breaches.assessing import Question
    from gateway.flows.breaches.readable import Taken
    from gateway.look.papers import Paper

_DAY = timedelta(days=1)
_WRITTEN = "give -o a file in a folder that is there and yours, with room"
_ENDINGS = (".pdf", ".json")

_Number = Annotated[
    str,
    typer.Option(
        "--case", metavar="NUMBER", help="Your file number, for the log; it must name nobody."
    ),
]
_Since = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="The first day in question, as 2026-11-20. Default: 30 days ago.",
    ),
]
_Until = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], metavar="DATE", help="The last day in question. Default: today."
    ),
]
_KnownAt = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M"],
        metavar="TIME",
        help="Since when you know, such as 2026-11-27T14:05.",
    ),
]
_Took = Annotated[
    list[str],
    typer.Option(
        metavar="WHAT[@DAY]",
        help="What was taken, as often as you like: data, keystore, keyring, guard, logs, exports"
        " (what was handed out: a laptop, a mailbox). With @2026-11-01 a copy of that day, without"
        " the thing itself.",
    ),
]


def breach(
    context: typer.Context,
    case: _Number,
    took: _Took,
    since: _Since = None,
    until: _Until = None,
    known_at: _KnownAt = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="All of it as a paper (.pdf) or for a program (.json)"),
    ] = None,
    locale: Annotated[str, typer.Option(help=LOCALE, callback=spoken)] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Work out what a breach reached: whose data, whether it reads, and what must be told by when.

    For whoever lost a laptop, a backup, a server (Art. 33 and 34 GDPR). Says of how many people
    data was in what was taken, by purpose and state, how much of it opens with exactly that (data,
    key store and keyring have to fit together), who took data out in that time, when the 72 hours
    are over, what is still missing, and has first drafts of both notices in it. Nobody is opened
    for it. Days and times are read by `rights.time_zone`. The log tells of it under your number.

        gateway breach --case INC-7 --took data@2026-11-01 --took keystore@2026-11-01

        gateway breach --case INC-8 --took exports --since 2026-11-20 -o laptop.pdf
    """
    if output is not None and output.suffix not in _ENDINGS:
        raise typer.BadParameter(f"-o: the name of the file ends in {', '.join(_ENDINGS)}")
    config = configuration(context)
    asked = _question(config, case, took, (since, until, known_at))
    require_writable(output)
    made, document, written = run(_assessed(config, asked, locale, output))
    if output is not None:
        with named(output, "written", _WRITTEN):
            files.write_private(output, written)
        say(f"wrote {output}")
    for line in [document.decode().rstrip("\n")] if as_json else _lines(made):
        result(line)


def _question(
    config: Config,
    case: str,
    took: Sequence[str],
    times: tuple[datetime | None, datetime | None, datetime | None],
) -> Question:
    from datetime import UTC

    from pydantic import TypeAdapter, ValidationError

    from gateway.config import calendars
    from gateway.flows.breaches.assessing import Question
    from gateway.http.fields import CaseNumber
    from storage.clock import DatabaseClock

    try:
        number = TypeAdapter[str](CaseNumber).validate_python(case)
    except ValidationError:
        raise typer.BadParameter(
            "--case: letters, digits and . _ / : + = -, with at least one digit, at most 64"
        ) from None
    zone, now = calendars.of(config.rights).zone, DatabaseClock().wall()
    first, last, known = (one and one.replace(tzinfo=zone).astimezone(UTC) for one in times)
    begins = first or now - 30 * _DAY
    ends = now if last is None else min(last + _DAY, now)
    if begins >= ends or (known or now) > now:
        raise typer.BadParameter("--since, --until, --known-at: in this order, and not yet to come")
    taken = [_taken(one, begins, ends, zone) for one in took]
    return Question(taken, begins, ends, known or now, number)


def _taken(said: str, since: datetime, until: datetime, zone: tzinfo) -> Taken:
    from gateway.flows.breaches.readable import Store, Taken

    word, _, day = said.partition("@")
    try:
        store = Store(word)
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=zone) if day else since
    except ValueError:
        known = ", ".join(Store)
        raise typer.BadParameter(f"--took: {known}, or one with @ and a day (2026-11-01)") from None
    return Taken(store, begins, begins + _DAY if day else until)


async def _assessed(
    config: Config, asked: Question, locale: str, output: Path | None
) -> tuple[Paper, bytes, bytes]:
    """The paper of what was found, for a program, and what is to be written."""
    from gateway.cli.stores import open_own_parts
    from gateway.config import calendars
    from gateway.flows.breaches.assessing import Breaches
    from gateway.http import breach_papers
    from gateway.http.breach_papers import Part, Told
    from gateway.http.typesetter import Typesetter

    apart = config.guard_url != config.storage.keystore_url
    typesetter, told = Typesetter(), Told()
    try:
        async with open_own_parts(config) as parts:
            stores = (parts.data, parts.key_database, parts.rows, parts.log, parts.clock)
            found = await Breaches(*stores, calendars.of(config.rights), apart).assess(asked)
            made = breach_papers.paper(Part.FINDINGS, found, told, config, locale)
            document = written = breach_papers.to_json(found, told, config)
            if output is not None and output.suffix == ".pdf":
                whole = breach_papers.whole(found, told, config, locale)
                written = await typesetter.pdf(whole)
            return made, document, written
    finally:
        await typesetter.stop()


def _lines(made: Paper) -> Iterator[str]:
    """The paper as text: its words are the operator's language already."""
    yield made.title
    for block in made.document()["blocks"]:
        match block["kind"]:
            case "heading":
                yield f"\n{block['text']}"
            case "words":
                yield block["text"]
            case "list":
                yield from (f"- {one}" for one in block["items"])
            case "facts":
                yield from (f"{name}: {value}" for name, value in block["facts"])
            case _:  # a table
                yield from ("  " + " · ".join(row) for row in block["rows"])
