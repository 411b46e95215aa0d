"""`gateway defend`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import require_writable
from gateway.cli.spoken import LOCALE, spoken
from gateway.cli.talk import configuration, fail, named, result, result_json, run, say
from storage import files

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.flows.proving.consent_evidence import Opening

_NOT_OURS = 3  # how it exits, where a mail is not ours
_READ = "give a mail as a file, with all its header fields (.eml)"
_WRITTEN = "give -o a file in a folder that is there and yours, with room"
_ENDINGS = (".pdf", ".zip", ".json")


def defend(
    context: typer.Context,
    mail: Annotated[Path, typer.Argument(metavar="MAIL.eml", help="The mail, as a file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The answer: a paper (.pdf), a bundle (.zip) or JSON (.json)."
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why you look; kept sealed in the trail of the mail's person.")
    ] = "a mail was handed in",  # as `gateway.look.terms` has it
    case: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Your file number, for the log; it must name nobody."),
    ] = None,
    locale: Annotated[str, typer.Option(help=LOCALE, callback=spoken)] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Say whether a mail is ours, under which permit and consent it went out, and with what proof.

    Exits 0 where it is ours, 3 where it is not, and says why: forged, altered on its way and how,
    by a key that was never ours, or signed by our key and never permitted. It is judged by our own
    keys, of then and now, without network. Where something of a person is shown, the log tells who
    looked, and why, before it is. The bundle has the paper and the mail in it, and whoever
    distrusts you checks it alone.
    """
    if output is not None and output.suffix not in _ENDINGS:
        raise typer.BadParameter(f"-o: the name of the file ends in {', '.join(_ENDINGS)}")
    opening = _opening(reason, case)
    with named(mail, "read", _READ):
        raw = _read(mail)
    config = configuration(context)
    require_writable(output)
    answered, written = run(_answer(config, raw, opening, locale, output))
    if output is not None:
        with named(output, "written", _WRITTEN):
            files.write_private(output, written)
        say(f"wrote {output}")
    if as_json:
        result_json(answered)
    else:
        for line in _lines(answered):
            result(line)
    if not answered["ours"]:
        raise typer.Exit(_NOT_OURS)


def _opening(reason: str, case: str | None) -> Opening:
    from pydantic import TypeAdapter, ValidationError

    from audit.kinds import Actor
    from gateway.flows.proving.consent_evidence import Opening
    from gateway.http.fields import CaseNumber, Label

    try:
        number = None if case is None else TypeAdapter[str](CaseNumber).validate_python(case)
        why = TypeAdapter[str](Label).validate_python(reason)
    except ValidationError:
        raise typer.BadParameter(
            "write --reason as one line of at most 200 characters, --case as letters, digits and"
            " . _ / : + = - with at least one digit, at most 64"
        ) from None
    return Opening(Actor.OPERATOR, why, None, number)


def _read(path: Path) -> bytes:
    """One byte more than the largest, which is then refused as such."""
    from delivery.handed_in import MOST

    with path.open("rb") as file:
        return file.read(MOST + 1)


async def _answer(
    config: Config, raw: bytes, opening: Opening, locale: str, output: Path | None
) -> tuple[Any, bytes]:
    """The answer, and what is to be written."""
    import json

    from gateway.cli.stores import open_own_parts
    from gateway.errors import NotPublished
    from gateway.http.defence_forms import Answering
    from gateway.http.typesetter import Typesetter

    typesetter = Typesetter()
    try:
        async with open_own_parts(config) as parts:
            made = await Answering(parts, typesetter, opens_locked=True).of(raw, opening, locale)
            written = made.json()
            answered = json.loads(written)
            if output is not None and output.suffix == ".pdf":
                written = await made.pdf()
            elif output is not None and output.suffix == ".zip":
                written = b"".join([piece async for piece in await made.bundle()])
            return answered, written
    except NotPublished:
        raise fail(
            "no checkpoint covers this mail's permit yet: nothing was written. The gateway"
            " publishes one within seconds while it runs; ask again then"
        ) from None
    finally:
        await typesetter.stop()


def _utc(said: str | None) -> str:
    """A moment as all commands print it: the document has some of them with a Z."""
    return "at no moment that it says" if said is None else datetime.fromisoformat(said).isoformat()


def _lines(answered: Any) -> Iterator[str]:
    yield "ours" if answered["ours"] else f"not ours: {answered['reason']}"
    yield from answered["meaning"]
    if not answered["ours"]:
        return
    signed, permit, ground = (answered[name] for name in ("signed", "permit", "ground"))
    yield f"signed: {signed['domain']}, {signed['selector']}, {_utc(signed['signed_at'])}"
    if permit is not None:
        yield f"message: {answered['message_id']}, for {permit['purpose']}"
        yield f"permit: {_utc(permit['decided_at'])}, log {permit['log']}, entry {permit['index']}"
        yield f"outcome: {permit['outcome']}, {permit['code']}"
    if ground is not None:
        yield f"ground: {ground['kind']} {ground['id']}"
    consent = answered["consent"]
    for step in () if consent is None else consent["steps"]:
        yield f"  {_utc(step['at'])} {step['kind']}"
    yield f"recorded as: {answered['case']}" if answered["opened"] else "nothing was opened"
