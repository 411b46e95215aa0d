"""An export of the log as a file that is handed over: its type, its name, and the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.config.config import Config
from gateway.errors import Invalid
from gateway.flows.errors import TooManyEvents
from gateway.flows.proving import reports
from gateway.flows.proving.export_forms import Export, Form
from gateway.flows.proving.exports import Extent
from gateway.http import audit_paper
from gateway.http.endpoints import Media
from gateway.http.typesetter import PDF, TooLarge, Typesetter

_TYPES: Final = {
    Form.BUNDLE: "application/zip",
    Form.JSONL: "application/jsonl",
    Form.CSV: "application/zip",
    Form.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Form.PDF: PDF,
}
_ENDINGS: Final = {Form.BUNDLE: "zip", Form.CSV: "csv.zip"}
MEDIA: Final = tuple(Media(kind) for kind in dict.fromkeys(_TYPES.values()))


def check(form: Form, extent: Extent, case: str | None) -> None:
    """Raise `Invalid` for what makes no sense together."""
    if extent is not Extent.AUTHORITY:
        return
    if form is Form.PDF:
        raise Invalid.at("/format", "has no names of people: take bundle, jsonl, csv or xlsx")
    if case is None:
        raise Invalid.at("/case", "is required: for which case of the authority's it is")


async def paper(
    typesetter: Typesetter,
    config: Config,
    export: Export,
    locale: str,
    *,
    case: str | None = None,
    held: Sequence[str] = (),
) -> bytes:
    """The report as PDF; raises `Invalid` for more than a paper tells of."""
    try:
        found = await reports.report(export, held)
    except TooManyEvents as error:
        way_out = "ask for bundle, csv or xlsx, or a shorter time"
        text = f"tells of {error.most:,} events at most: {way_out}"
        raise Invalid.at("/format", text) from None
    try:
        return await typesetter.pdf(audit_paper.paper(found, config, locale, case))
    except TooLarge:
        text = "what these events say is too much for a paper: ask for bundle, csv or xlsx"
        raise Invalid.at("/format", text) from None


def headers(form: Form) -> dict[str, str]:
    return {
        "Content-Type": _TYPES[form],
        "Content-Disposition": f'attachment; filename="audit.{_ENDINGS.get(form, form)}"',
        "Cache-Control": "no-store",
    }
