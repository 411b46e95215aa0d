"""Papers become PDF in a process of their own, and nothing in them is read as markup."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.errors import Busy
from gateway.http import typesetter
from gateway.http.typesetter import NotSet, TooLarge, Typesetter
from gateway.look import resources
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Quote, Table, Words

HOSTILE = (
    '#panic("evaluated")',
    '#{ panic("evaluated") }',
    "[#panic()] $x + ] ) } \\u{41} ```",
    '"; panic("evaluated"); "',
    "#read(sys.executable) <label> @label // comment /* = Heading",
    "<script>alert(1)</script> &amp; {{ 7 * 7 }}",
)


def paper(*blocks: Block) -> Paper:
    return Paper(HOSTILE[0], "en", HOSTILE[1], HOSTILE[2], blocks)


async def test_no_word_of_a_paper_is_markup() -> None:
    blocks: list[Block] = [Heading(one) for one in HOSTILE]
    blocks += [Words(one) for one in HOSTILE]
    blocks += [Quote(one, "en") for one in HOSTILE]
    blocks += [Facts([(one, one) for one in HOSTILE]), Listing(HOSTILE), Table(HOSTILE, [HOSTILE])]

    made = await Typesetter().pdf(paper(*blocks))

    assert made.startswith(b"%PDF-1.7")
    assert b"pdfuaid:part" in made, "readable by who does not see"
    # The outline has the headings, letter by letter; a backslash there only escapes.
    outline = made.replace(b"\\", b"")
    for one in HOSTILE:
        assert one.replace("\\", "").encode() in outline, one


@pytest.mark.parametrize("tag", ["de-AT", "pt-BR", "zh-Hans", "gsw", "gsw-CH", "odd words"])
async def test_a_wording_in_whatever_language_costs_no_paper(tag: str) -> None:
    made = await Typesetter().pdf(Paper("Your data", tag, "Acme", "foot", [Quote("Ja", tag)]))

    assert made.startswith(b"%PDF-")


async def test_a_letter_that_no_typeface_has_costs_no_paper() -> None:
    made = await Typesetter().pdf(paper(Words("\u5f20\u4f1f \U0001f600 \U000e0001 \ufffd")))

    assert made.startswith(b"%PDF-")


async def test_who_would_wait_behind_too_many_is_told() -> None:
    one = Typesetter(most=1)
    first = asyncio.create_task(one.pdf(paper()))
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await one.pdf(paper())

    assert (await first).startswith(b"%PDF-")
    assert (await one.pdf(paper())).startswith(b"%PDF-")


async def test_a_paper_that_takes_too_long_is_given_up_and_its_process_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(typesetter, "_PATIENCE", 0.001)

    with pytest.raises(NotSet):
        await Typesetter().pdf(paper())


async def test_a_setter_that_fails_says_nothing_of_the_paper(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resources, "templates", lambda: resources.catalogues())

    with pytest.raises(NotSet) as caught:
        await Typesetter().pdf(paper(Words("ada@example.org")))

    said = capfd.readouterr()
    assert "ada" not in f"{caught.value}{said.out}{said.err}"


async def test_a_paper_that_needs_more_memory_than_it_may_have_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process bounds itself: whoever else runs on the machine does not pay for a paper."""
    small = "from gateway.look import typeset; typeset._MOST_MEMORY = 400 * 1024**2; typeset.main()"
    (tmp_path / "python").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c '{small}' \"$3\"\n", encoding="utf-8"
    )
    (tmp_path / "python").chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    much = paper(Listing(["somebody was told something, and at length"] * 30_000))

    with pytest.raises(TooLarge):
        await Typesetter().pdf(much)
