"""No page of the desk and no paper prints a word of programs where a reader of German reads it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from consent import address
from gateway.flows.proving import reports
from gateway.flows.proving.export_forms import Form
from gateway.flows.proving.exports import Exports, Taking, at_once
from gateway.flows.rights import handing_out
from gateway.flows.rights.dossier import Dossiers
from gateway.flows.sending.permission import Question
from gateway.http import audit_paper, dossier_paper, evidence_paper, live_papers
from gateway.http.live_papers import Live
from gateway.look import event_words, terms
from gateway.look.code_words import (
    CORRECTED,
    GROUNDS,
    KEYS,
    NEWS,
    OUTCOMES,
    PROGRESS,
    RIGHTS,
    ROLES,
    SHOWN_BY,
    STATES,
)
from gateway.look.papers import Paper
from gateway.watch import running
from gateway.watch.running import Stores
from tests.http.test_dpo import Sitting, enter_all, sit
from tests.http.test_dpo_breach import posted
from tests.http.test_evidence_paper import found as evidence_of
from tests.support.apps import ADA, App, open_app
from tests.support.calls import queue
from tests.support.databases import Databases

CODES = frozenset(
    {
        *map(str, (*STATES, *OUTCOMES, *GROUNDS, *RIGHTS, *PROGRESS, *CORRECTED, *NEWS, *ROLES)),
        *map(str, (*SHOWN_BY, *KEYS, *terms.REASONS, *terms.CHANNELS, *terms.FORMS)),
        *map(str, (*event_words.KINDS, "newsletter", "null", "page_url", "rendered_by", "en")),
    }
)
_TOKEN = re.compile(r"[A-Za-z][\w.-]*\w")


class _Text(HTMLParser):
    """What a browser shows of a page, but no attribute and nothing that was said in English."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script") or ("lang", "en") in attrs:
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden[-1:] == [tag]:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def shown(page: str) -> str:
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.words)


def texts(value: Any) -> Iterator[str]:
    """Every text of a paper, without what each block is, and what it quotes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("kind") == "quote":
        return
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("kind", "locale", "language", "lang", "type"):
                yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


def said(paper: Paper) -> str:
    return " ".join(texts(json.loads(json.dumps(paper.document(), default=str))))


def codes_in(text: str) -> set[str]:
    """The words of programs that stand there, but inside a URL, an address or a command."""
    plain = re.sub(r"\S*(?:://|@|/)\S*|gateway [a-z-]+(?: [a-z-]+)?", " ", text)
    return set(_TOKEN.findall(plain)) & CODES


@pytest.fixture
async def app(dialect: str, tmp_path: Path, new_database_url: Databases) -> AsyncIterator[App]:
    async with open_app(tmp_path, new_database_url, dialect) as opened:
        await enter_all(opened)
        yield opened


async def live(app: App) -> Sitting:
    """Somebody who signed up, left by the page, objected by phone, and asked for access."""
    await app.subscribe()
    await queue(app, subject="Neues", text="Guten Tag.")
    (mail,) = [one for one in await app.deliver() if b"/unsubscribe/" in one.raw]
    answer = await app.http.post(f"/unsubscribe/{mail.token('unsubscribe')}")
    assert answer.status == 200
    sitting = await sit(app)
    facts = {"subject": await app.subject() or "", "why": "Fall 17", "sure": "yes"}
    for act, channel in (("restrict", "email"), ("object", "phone")):
        answer = await sitting.post("/dpo/act", **facts, act=act, channel=channel)
        assert answer.status == 200
    await sitting.post("/dpo/cases", email=ADA, kind="access", channel="email")
    await app.tick()
    return sitting


async def test_no_page_of_the_desk_prints_a_code(app: App) -> None:
    sitting = await live(app)
    subject = await app.subject() or ""
    facts = {"subject": subject, "why": "Fall 17"}
    pages = {
        "person": await (await sitting.post("/dpo/person?locale=de", **facts)).text(),
        "act": await (
            await sitting.post("/dpo/act?locale=de", **facts, act="withdraw", purpose="newsletter")
        ).text(),
        "breach": await (await posted(sitting, "data", "exports", locale="de")).text(),
    }
    for path in ("", "cases", "cases/decided", "log", "sent", "wordings", "papers", "exports"):
        pages[path] = await (await sitting.get(f"/dpo/{path}?locale=de")).text()
    for which in Live:
        answer = await sitting.get(f"/dpo/papers/{which}?locale=de")
        pages[which] = await answer.text()

    assert {(name, one) for name, page in pages.items() for one in codes_in(shown(page))} == set()
    assert "per Telefon" in shown(pages["person"])
    assert "der Schlüsselspeicher, der Schlüsselbund" in shown(pages["breach"])


async def test_no_paper_prints_a_code(app: App) -> None:
    await live(app)
    parts, subject = app.parts, await app.subject() or ""
    dossier = await Dossiers(parts).collect(subject, at_once, for_paper=True)
    assert dossier is not None
    asked = handing_out.by_the_operator(terms.MAIL_HANDED_IN)
    export = await Exports(parts, at_once).of_person(Question("", address.parse(ADA)), asked)
    whole = await Exports(parts, at_once).of_log(Taking(Form.PDF, asked.actor))
    assert export is not None
    assert whole is not None
    stores = Stores(parts.key_database, parts.guard, parts.rows, parts.clock, parts.log.first)
    now = await running.look(parts.config, stores)
    papers = {
        "dossier": dossier_paper.paper(dossier, parts.config, "de"),
        "consent": evidence_paper.paper(await evidence_of(app), parts.config, "de"),
        "log of one": audit_paper.paper(await reports.report(export), parts.config, "de"),
        "log": audit_paper.paper(await reports.report(whole), parts.config, "de"),
        **{one: live_papers.paper(one, parts.config, now, "de") for one in Live},
    }

    assert {(name, one) for name, made in papers.items() for one in codes_in(said(made))} == set()
