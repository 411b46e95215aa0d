"""What recipients would suffer from is told, in one place for every way to send."""

from __future__ import annotations

import time

import pytest

from delivery import markup
from delivery.blemishes import What, of_mail
from delivery.mime import Content

FRAMED = '<html lang="de"><body>{}</body></html>'


def told(subject: str = "News", html: str | None = None, text: str = "Hello") -> dict[What, str]:
    read = None if html is None else markup.read(html)
    said = Content(subject, text, None if read is None else read.page)
    return {one.what: f"{one.part} {one.detail}" for one in of_mail(said, said, read)}


def test_of_a_plain_mail_nothing_is_told() -> None:
    assert told() == {}
    assert told(html="<p>Hello {braces} 100%%</p>") == {}
    assert told(html=FRAMED.format('<img src="https://x.example/a.png" alt="">')) == {}


@pytest.mark.parametrize(
    "subject",
    ["Re: News", "RE : News", "Aw: News", "AW: News", "Fwd: News", "FW: x", "WG: x", " re: x",
     "Re[2]: x", "Antw: x", "SV: x", "[Fwd: x]", "Re：x"],
)  # fmt: skip
def test_a_subject_that_pretends_to_answer_is_told(subject: str) -> None:
    assert told(subject)[What.PRETENDS_TO_ANSWER].startswith("subject begins like an answer")


@pytest.mark.parametrize(
    "subject", ["Reading: three books", "Award: the winners", "React: a guide", "Rest", "A: b"]
)
def test_other_subjects_pretend_nothing(subject: str) -> None:
    assert told(subject) == {}


@pytest.mark.parametrize(
    "words", ["{{ first_name }}", "{{first_name}}", "{% if a %}", "%%FIRST NAME%%", "*|FNAME|*"]
)
def test_places_that_nothing_was_put_into_are_told(words: str) -> None:
    assert told(subject=words)[What.LEFT_OVER].startswith("subject holds one place")
    assert told(text=f"{words} {words}")[What.LEFT_OVER].startswith("text holds 2 places")
    assert told(html=f"<p>{words}")[What.LEFT_OVER].startswith("html holds one place")


def test_images_are_named_by_their_place() -> None:
    found = told(
        html="<p><img src=https://x.example/a><img width=1 height=1 src=https://t.example/o.gif>"
        '<b style="display:none"><img src=https://t.example/p></b><img alt=x src=https://x.example/b>'
    )

    assert found[What.IMAGES_TAKEN_OUT].startswith("html images 2, 3, which nobody would see")
    assert found[What.IMAGES_WITHOUT_ALT].startswith("html image 1 without alt")


def test_many_images_are_not_all_named() -> None:
    found = told(html="<img src=https://x.example/a>" * 30)

    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more" in found[What.IMAGES_WITHOUT_ALT]


def test_a_page_says_its_language_or_gets_its_recipients() -> None:
    assert What.NO_LANGUAGE in told(html="<html><body><p>Hello")
    assert told(html='<body lang="de"><p>Hello') == {}
    assert told(html="<p>Hello") == {}


def test_a_mail_that_would_be_cut_off_is_told() -> None:
    assert told(html="x" * 103 * 1024)[What.TOO_LONG].startswith("html is 103 KB")
    assert told(html="x" * 90 * 1024) == {}


@pytest.mark.parametrize("seed", ["{{", "{{a", "%%a", "*|a", "{%", "%%", "{{ ", "re[1"])
def test_a_text_takes_as_long_as_it_is(seed: str) -> None:
    def seconds(size: int) -> float:
        text = seed * (size // len(seed))
        said = Content(text, text, None)
        began = time.thread_time()
        of_mail(said, said, None)
        return time.thread_time() - began

    seconds(10_000)
    small, large = min(seconds(20_000) for _ in range(3)), min(seconds(400_000) for _ in range(2))
    assert large < small * 20 * 4 + 0.05
