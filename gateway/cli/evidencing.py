"""`gateway audit evidence`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.exporting import checked
from gateway.cli.output import ELSEWHERE, opened, require_ending, require_writable
from gateway.cli.spoken import LOCALE, spoken
from gateway.cli.talk import configuration, fail, named, run, say

if TYPE_CHECKING:
    from gateway.config.config import Config
    from gateway.flows.proving.consent_evidence import Opening

_NOT_HERE = (
    "no evidence of this consent may be opened; `POST /v1/subjects/lookup` has the consents of an"
    " address, and of who was erased it is opened with --case"
)
_NOT_YET = "the next checkpoint covers it, within seconds of a running gateway; try again"


@dataclass(frozen=True)
class _Order:
    """What was asked for, checked."""

    consent: str
    opening: Opening
    form: str
    locale: str


def evidence(
    context: typer.Context,
    consent: Annotated[str, typer.Argument(metavar="CONSENT_ID", help="As con_….")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A file, or - for stdout.")],
    reason: Annotated[str, typer.Option(help="Why; kept sealed in their trail.")],
    format: Annotated[
        Literal["json", "pdf", "bundle", "jsonld"],
        typer.Option(help="A paper to read, values, or a zip that checks itself."),
    ] = "json",
    locale: Annotated[str, typer.Option(help=LOCALE, callback=spoken)] = "en",
    case: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Your file number: of who was erased it is opened for one. It must name nobody.",
        ),
    ] = None,
) -> None:
    """Write what proves one consent: its wording, its mail, what happened, what is not known.

    For whoever must show it to somebody else. The log tells of it before it is written, in the
    trail of whom it is about. What does not fit is named in it, and not shown as true.
    """
    require_ending(output, format)
    order, config = _order(consent, reason, format, locale, case), configuration(context)
    require_writable(output)
    size = run(_evidence(config, order, output))
    check = f"; check it with: gateway audit verify --bundle {output}" if format == "bundle" else ""
    say(f"{size} bytes of {format}{check}")


def _order(consent: str, reason: str, form: str, locale: str, case: str | None) -> _Order:
    from audit.kinds import Actor
    from gateway.flows.proving.consent_evidence import Opening
    from gateway.http.fields import CaseNumber, Label

    case = checked(CaseNumber, case, "--case: letters, digits and . _ / : + = - with a digit")
    reason = checked(Label, reason, "--reason: one line of at most 200 characters")
    return _Order(consent, Opening(Actor.OPERATOR, reason, case=case), form, locale)


async def _evidence(config: Config, order: _Order, output: Path) -> int:
    from gateway.cli.stores import open_own_parts
    from gateway.flows.proving.consent_bundle import ConsentBundles
    from gateway.flows.proving.consent_evidence import Evidences
    from gateway.flows.proving.exports import Exports, at_once
    from gateway.http.evidence_forms import Form, Writing
    from gateway.http.typesetter import Typesetter

    typesetter = Typesetter()
    async with open_own_parts(config) as parts:
        stores = (parts.data, parts.keystore)
        evidences = Evidences(*stores, parts.consents, parts.log, parts.clock, at_once)
        found = await evidences.of(order.consent, order.opening)
        if found is None:
            raise fail(_NOT_HERE)
        bundles = ConsentBundles(Exports(parts, at_once), *stores)
        try:
            writing = Writing(parts.config, typesetter, bundles)
            made = await writing.written(found, Form(order.form), order.locale)
            if made is None:
                raise fail(_NOT_YET)
            return await _write(output, made)
        finally:
            await typesetter.stop()


async def _write(output: Path, made: bytes | AsyncIterator[bytes]) -> int:
    size = 0
    with opened(output) as file:
        async for part in _pieces(made):
            with named(output, "written", ELSEWHERE):
                file.write(part)
            size += len(part)
        with named(output, "written", ELSEWHERE):
            file.flush()
    return size


async def _pieces(made: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(made, bytes):
        yield made
        return
    async for part in made:
        yield part
