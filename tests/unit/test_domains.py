from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from storage.domains import DomainError, to_ascii

LETTERS = "abz019-_.ßçü\u0308ςσאبÄǄ①⒈。．\u00ad\u200d☕XN"
LONG = ".".join(["a" * 61] * 4)


@pytest.mark.parametrize(
    ("written", "ascii_form"),
    [
        pytest.param("example.org", "example.org", id="plain"),
        pytest.param("Www.EXAMPLE.org", "www.example.org", id="upper case"),
        pytest.param("straße.example", "xn--strae-oqa.example", id="sharp s is not ss"),
        pytest.param("faß.example", "xn--fa-hia.example", id="another sharp s"),
        pytest.param("STRASSE.example", "strasse.example", id="what IDNA 2003 made of it"),
        pytest.param("βόλος.example", "xn--nxasmm1c.example", id="final sigma"),
        pytest.param("βόλοσ.example", "xn--nxasmq6b.example", id="sigma"),
        pytest.param("BÜCHER.example", "xn--bcher-kva.example", id="umlaut"),
        pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", id="two code points"),
        pytest.param("bücher。example", "xn--bcher-kva.example", id="another dot"),
        pytest.param("Xn--Bcher-Kva.example", "xn--bcher-kva.example", id="A-label"),
        pytest.param("localhost", "localhost", id="one label"),
        pytest.param("a" * 63 + ".example", "a" * 63 + ".example", id="63 letters"),
        pytest.param(f"{LONG}.examp", f"{LONG}.examp", id="253 letters"),
        pytest.param("1.example", "1.example", id="digits, but not at the end"),
    ],
)
def test_a_domain_has_one_spelling(written: str, ascii_form: str) -> None:
    assert to_ascii(written) == ascii_form
    assert to_ascii(ascii_form) == ascii_form


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="nothing"),
        pytest.param("☕.example", id="emoji"),
        pytest.param("i❤.example", id="emoji among letters"),
        pytest.param("under_score.example", id="underscore"),
        pytest.param("a..example", id="empty label"),
        pytest.param(".example", id="leading dot"),
        pytest.param("example.org.", id="trailing dot"),
        pytest.param("bücher.example.", id="trailing dot after another script"),
        pytest.param("-a.example", id="leading hyphen"),
        pytest.param("a-.example", id="trailing hyphen"),
        pytest.param("ab--c.example", id="hyphens of nobody's"),
        pytest.param("xn--zz.example", id="A-label of nothing"),
        pytest.param("a" * 64 + ".example", id="64 letters"),
        pytest.param("ü" * 60 + ".example", id="64 letters in ASCII"),
        pytest.param(f"{LONG}.exampl", id="254 letters"),
        pytest.param("127.0.0.1", id="IPv4"),
        pytest.param("0x7f.1", id="IPv4, as browsers read it"),
        pytest.param("[::1]", id="IPv6"),
        pytest.param("1.אב.example", id="shown like another"),
        pytest.param("a b.example", id="space"),
        pytest.param("a\n.example", id="line break"),
        pytest.param("example.org/", id="path"),
        pytest.param("ex\ud800.example", id="lone surrogate"),
    ],
)
def test_what_is_no_domain_is_refused_and_not_quoted(written: str) -> None:
    with pytest.raises(DomainError) as caught:
        to_ascii(written)

    assert str(caught.value) == "not a domain name"
    assert caught.value.__context__ is None


def test_a_trailing_dot_is_kept_where_it_means_something() -> None:
    assert to_ascii("Mail.example.", rooted=True) == "mail.example."
    assert to_ascii("mail.example", rooted=True) == "mail.example"
    for written in (".", "mail..", "mail.example.."):
        with pytest.raises(DomainError):
            to_ascii(written, rooted=True)


@given(st.text(LETTERS, max_size=30) | st.text(max_size=20))
def test_it_is_the_grammar_by_which_addresses_are_known_elsewhere(name: str) -> None:
    try:
        ours = to_ascii(f"{name}.example")
    except DomainError:
        ours = None
    try:
        settings = {"check_deliverability": False, "test_environment": True}
        theirs = validate_email(f"ada@{name}.example", **settings).ascii_domain.lower()
    except EmailNotValidError:
        theirs = None

    assert theirs is None or ours == theirs
