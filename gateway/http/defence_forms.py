"""A mail that somebody came with, answered in the form that was asked for: JSON, paper, bundle."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from delivery.authorship import NotOurs
from gateway.config.config import Config
from gateway.errors import NotPublished
from gateway.flows.proving.consent_evidence import Evidences, Opening
from gateway.flows.proving.defence_bundle import DefenceBundles
from gateway.flows.proving.defend import Defences, Defended, Owned
from gateway.flows.proving.exports import Exports
from gateway.http import defence_paper, defences
from gateway.http.defence_paper import Handed
from gateway.http.typesetter import Typesetter
from gateway.keyfiles import dkim_public
from gateway.parts import Parts

_INDENT: Final = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """What was found of one mail, to be written."""

    found: Defended | NotOurs
    raw: bytes = field(repr=False)
    at: datetime
    opening: Opening
    config: Config = field(repr=False)
    locale: str
    typesetter: Typesetter
    bundles: DefenceBundles

    def json(self) -> bytes:
        """As the API answers."""
        shown = defences.view(self.found, self.config)
        return shown.model_dump_json(indent=_INDENT).encode() + b"\n"

    async def pdf(self) -> bytes:
        """The paper."""
        handed = Handed(hashlib.sha256(self.raw).hexdigest(), self.at)
        write = partial(defence_paper.paper, self.found, handed, self.config, self.locale)
        return await self.typesetter.pdf(await self.typesetter.aside(write))

    async def bundle(self) -> AsyncIterator[bytes]:
        """The zip, with paper and answer in it; raises NotPublished."""
        files = {
            "mail.eml": self.raw,
            "defence.json": self.json(),
            "defence.pdf": await self.pdf(),
        }
        made = await self.bundles.of(self.found, self.opening, files)
        if made is None:
            raise NotPublished
        return made


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers for mails, with what one process has."""

    parts: Parts
    typesetter: Typesetter
    opens_locked: bool

    async def of(self, raw: bytes, opening: Opening, locale: str) -> Answered:
        """Judge a mail, open what is kept of it, and tell the log."""
        parts, aside = self.parts, self.typesetter.aside
        evidences = Evidences(
            parts.data, parts.keystore, parts.consents, parts.log, parts.clock, aside
        )
        owned = partial(_owned, parts.config)
        found = await Defences(evidences, owned, aside, self.opens_locked).of(raw, opening)
        case = found.case if isinstance(found, Defended) else opening.case
        bundles = DefenceBundles(Exports(parts, aside), evidences)
        told = replace(opening, case=case)
        now = parts.clock.wall()
        return Answered(found, raw, now, told, parts.config, locale, self.typesetter, bundles)


def _owned(config: Config) -> Owned:
    return Owned(dkim_public.ever(config), dkim_public.domains(config))
