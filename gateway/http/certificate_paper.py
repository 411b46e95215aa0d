"""The certificate of an erasure as a paper: the facts of its JSON, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

from aiohttp import web

from consent.erasures import Stage
from consent.keys.vault import Compartment
from gateway.config.config import Controller
from gateway.http import pages
from gateway.http.app_keys import PARTS, TYPESETTER
from gateway.http.certificates import CertificateView, ErasureView, ToldView
from gateway.http.fields import PaperLocale
from gateway.http.models import Incoming
from gateway.http.parsing import read_query
from gateway.http.typesetter import PDF
from gateway.look import moments, terms
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Words
from gateway.look.translations import say, translations

_DESTROYED: Final[Mapping[str, str]] = {
    Compartment.PROFILE: say(
        "The keys of the address, of what was entered in forms, and of what the mails said"
    ),
    Compartment.EVIDENCE: say("The keys of what proved consents, and the mails sent under them"),
}


_CHECKSUMS: Final[Mapping[str, str]] = {
    "objection": say(
        "Where mails to the address were objected to or stopped: a keyed checksum of it, for twelve"
        " months at most, so that nobody has it asked again."
    ),
    "always": say(
        "A keyed checksum of the address, for twelve months, so that nobody has it asked again."
    ),
}


class CertificateQuery(Incoming):
    """In which form a certificate is to be had, and in which language a paper is."""

    format: Literal["json", "pdf"] | None = None
    locale: PaperLocale | None = None


def wants_pdf(request: web.Request) -> bool:
    """Whether the paper is asked for, by the query or else by the header; raises `Invalid`."""
    said = read_query(request, CertificateQuery).format
    accepted = (
        one.partition(";")[0].strip() for one in request.headers.get("Accept", "").split(",")
    )
    return said == "pdf" if said else PDF in accepted


async def answer_pdf(request: web.Request, shown: ErasureView) -> web.Response:
    """The paper as a file."""
    made = paper(shown, request.app[PARTS].config.controller, pages.locale_of(request))
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{shown.erasure_id}.pdf"',
        "Referrer-Policy": "no-referrer",
    }
    body = await request.app[TYPESETTER].pdf(made)
    return web.Response(body=body, content_type=PDF, headers=headers)


def paper(shown: ErasureView, controller: Controller, locale: str) -> Paper:
    """For whoever was given the number of the erasure; it names nobody."""
    return _Writer(shown, controller, locale).paper()


class _Writer:
    def __init__(self, shown: ErasureView, controller: Controller, locale: str) -> None:
        self._shown = shown
        self._controller = controller
        self._locale = locale
        self._words = translations(locale)

    def paper(self) -> Paper:
        say, controller, made = self._words.gettext, self._controller, self._shown.certificate
        by = f"{controller.name}, {controller.postal_address}"
        blocks: list[Block] = [Words(f"{by}\n{controller.contact}"), Facts(list(self._facts()))]
        blocks += list(self._begun()) if made is None else list(self._done(made))
        foot = f"{controller.name} · {self._shown.erasure_id}"
        title = say("Certificate of erasure") if made else say("An erasure that was asked for")
        return Paper(title, self._locale, controller.name, foot, blocks)

    def _facts(self) -> Iterator[tuple[str, str]]:
        say, shown = self._words.gettext, self._shown
        yield say("Number"), shown.erasure_id
        yield say("Received"), self._moment(shown.received_at)
        yield say("Asked for"), self._moment(shown.asked_at)
        yield say("How it reached us"), terms.channel(shown.channel, self._locale)
        yield say("Done by"), self._day(shown.due_at)
        if shown.certificate:
            yield say("Done"), self._moment(shown.certificate.done_at)

    def _begun(self) -> Iterator[Block]:
        say = self._words.gettext
        if self._shown.state == Stage.HELD:
            yield Words(
                say(
                    "It waits, for the data is needed for legal claims (Art. 17(3)(e) GDPR), and"
                    " comes by itself after that."
                )
            )
        else:
            yield Words(say("Keys and data are being destroyed; that goes on by itself."))

    def _done(self, made: CertificateView) -> Iterator[Block]:
        yield from self._destroyed(made)
        yield from self._copies(made)
        yield from self._locked(made)
        yield from self._checksum(made)
        yield from self._recipients(made)

    def _destroyed(self, made: CertificateView) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What was destroyed"))
        yield Listing([say(_DESTROYED[one]) for one in made.keys_destroyed])
        yield Facts([*self._counts(made), (say("Told in the audit log as"), made.event_id)])

    def _counts(self, made: CertificateView) -> Iterator[tuple[str, str]]:
        """None in a person's own paper."""
        say, payloads, items = self._words.gettext, made.payloads_deleted, made.items_deleted
        if payloads is not None and items is not None:
            yield say("Records deleted from the log"), str(payloads + items)

    def _copies(self, made: CertificateView) -> Iterator[Block]:
        say, contact = self._words.gettext, self._controller.contact
        yield Heading(say("What can still be read from copies, until when"))
        line = say(
            "Backups of the keys from before: whoever has one together with the keyring can read"
            " copies of the data. By what the controller says of its backups, the last of them is"
            " gone on %(day)s. Questions about that: %(contact)s"
        )
        yield Words(line % {"day": self._day(made.copies_until), "contact": contact})

    def _locked(self, made: CertificateView) -> Iterator[Block]:
        say, locked = self._words.gettext, made.locked_evidence
        yield Heading(say("What stays locked as evidence, until when"))
        if locked is None:
            yield Words(say("Nothing: no proof of a consent is kept."))
            return
        line = say(
            "What proves consents, the address in it, and the mails sent under them, locked until"
            " %(day)s: it serves only to answer claims (Art. 17(3)(e) GDPR). It is opened for a"
            " case alone, which is recorded, and after that day it goes the same way."
        )
        yield Words(line % {"day": self._day(locked.until)})

    def _checksum(self, made: CertificateView) -> Iterator[Block]:
        say = self._words.gettext
        if made.address_checksum is not None:
            yield Heading(say("What stays of the address"))
            yield Words(say(_CHECKSUMS[made.address_checksum]))

    def _recipients(self, made: CertificateView) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What left the house before"))
        if made.recipients:
            yield Words(say("Who else handled the data for us:"))
            colon = say(":")
            yield Listing(
                [f"{one.name}, {one.country}{colon} {one.role}" for one in made.recipients]
            )
        if made.told:
            yield Words(say("Told that the data is erased:"))
            yield Listing([self._told(one) for one in made.told])
        yield Words(say("Mails that were received stay in the mailbox."))

    def _told(self, one: ToldView) -> str:
        say = self._words.gettext
        if one.acknowledged_at is not None:
            at = self._moment(one.acknowledged_at)
            return say("%(name)s: acknowledged on %(moment)s") % {"name": one.name, "moment": at}
        if one.given_up:
            return say("%(name)s: not acknowledged, and asked no more") % {"name": one.name}
        return say("%(name)s: not acknowledged yet") % {"name": one.name}

    def _moment(self, at: datetime) -> str:
        return moments.moment(at, self._locale)

    def _day(self, at: datetime) -> str:
        return moments.day(at, self._locale)
