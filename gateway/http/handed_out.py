"""A dossier in the form that somebody asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Final

from gateway.config.config import Config
from gateway.flows.rights.dossier import Dossier
from gateway.http import dossier_paper, dossiers, pages
from gateway.http.pages import Brand
from gateway.http.typesetter import PDF, Typesetter
from gateway.look.papers import Paper


class Form(StrEnum):
    """As what a dossier is handed out."""

    JSON = "json"
    HTML = "html"
    PDF = "pdf"


TYPES: Final = {
    Form.JSON: "application/json; charset=utf-8",
    Form.HTML: "text/html; charset=utf-8",
    Form.PDF: PDF,
}


def writer(
    form: Form, config: Config, locale: str, typesetter: Typesetter
) -> Callable[[Dossier], Awaitable[bytes]]:
    """What writes a dossier as *form*, aside."""

    async def write(dossier: Dossier) -> bytes:
        if form is Form.JSON:
            return await typesetter.aside(partial(dossiers.to_json, dossier, config))
        paper = await typesetter.aside(partial(dossier_paper.paper, dossier, config, locale))
        if form is Form.PDF:
            return await typesetter.pdf(paper)
        return await typesetter.aside(partial(_page, paper, config))

    return write


def _page(paper: Paper, config: Config) -> bytes:
    """A page that needs nothing from elsewhere."""
    brand, shown = Brand.neutral(config), paper.document()
    return pages.render("paper", paper.locale, brand=brand, paper=shown).encode()
