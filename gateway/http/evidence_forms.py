"""The evidence of one consent in the form that somebody asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from gateway.config.config import Config
from gateway.flows.proving.consent_bundle import ConsentBundles
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.http import evidence_linked, evidence_paper, evidences
from gateway.http.typesetter import PDF, Typesetter
from gateway.look.translations import languages


class Form(StrEnum):
    """As what it is handed out."""

    JSON = "json"
    JSONLD = "jsonld"
    PDF = "pdf"
    BUNDLE = "bundle"

    @property
    def ending(self) -> str:
        """Of a file's name."""
        return "zip" if self is Form.BUNDLE else str(self)


TYPES: Final = {
    Form.JSON: "application/json; charset=utf-8",
    Form.JSONLD: "application/ld+json; charset=utf-8",
    Form.PDF: PDF,
    Form.BUNDLE: "application/zip",
}


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes it, aside."""

    config: Config
    typesetter: Typesetter
    bundles: ConsentBundles

    async def written(
        self, found: ConsentEvidence, form: Form, locale: str
    ) -> bytes | AsyncIterator[bytes] | None:
        """The file; None for a bundle of what no checkpoint covers yet."""
        match form:
            case Form.JSON:
                return await self._json(found)
            case Form.JSONLD:
                write = partial(evidence_linked.to_jsonld, found, self.config)
                return await self.typesetter.aside(write)
            case Form.PDF:
                return await self._pdf(found, locale)
            case Form.BUNDLE:
                return await self._bundle(found)

    async def _json(self, found: ConsentEvidence) -> bytes:
        return await self.typesetter.aside(partial(evidences.to_json, found, self.config))

    async def _pdf(self, found: ConsentEvidence, locale: str) -> bytes:
        write = partial(evidence_paper.paper, found, self.config, locale)
        return await self.typesetter.pdf(await self.typesetter.aside(write))

    async def _bundle(self, found: ConsentEvidence) -> AsyncIterator[bytes] | None:
        """With the paper in each language: whoever gets it should not need another program."""
        files = {"evidence.json": await self._json(found)}
        for locale in sorted(languages()):
            files[f"evidence.{locale}.pdf"] = await self._pdf(found, locale)
        return await self.bundles.of(found, files)
