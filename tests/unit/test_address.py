"""Addresses are read strictly, recognised again, and never shown."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consent import address
from consent.address import Address, AddressError, AddressProblem, folded, is_tagged, parse


def test_an_address_is_kept_as_typed_and_recognised_in_lower_case() -> None:
    address = parse("  Ada.Lovelace+News@Example.ORG ")

    assert address.typed == "Ada.Lovelace+News@Example.ORG"
    assert address.mailbox == "Ada.Lovelace+News@example.org"
    assert address.canonical == "ada.lovelace+news@example.org"
    assert address.domain == "example.org"


def test_a_domain_in_another_script_is_sent_to_in_ascii() -> None:
    address = parse("ada@BÜCHER.example")

    assert address.typed == "ada@BÜCHER.example"
    assert address.mailbox == "ada@xn--bcher-kva.example"
    assert address.canonical == "ada@xn--bcher-kva.example"
    assert address.domain == "xn--bcher-kva.example"


def test_two_spellings_of_one_domain_are_one_address() -> None:
    composed, decomposed = parse("ada@bücher.example"), parse("ada@bu\u0308cher.example")

    assert composed.canonical == decomposed.canonical
    assert parse("ada@xn--bcher-kva.example").canonical == composed.canonical


@pytest.mark.parametrize("domain", ["example.org", "shop.test", "a.b.invalid", "a.example"])
def test_reserved_domains_pass(domain: str) -> None:
    assert parse(f"ada@{domain}").domain == domain


def test_plus_tags_and_dots_are_different_people() -> None:
    spellings = ["ada@example.org", "ada+x@example.org", "a.da@example.org"]

    assert len({parse(one).canonical for one in spellings}) == 3
    assert {folded(parse(one)) for one in spellings} == {"ada@example.org"}


@pytest.mark.parametrize(
    ("spelling", "tagged"),
    [
        pytest.param("ada@example.org", False, id="plain"),
        pytest.param("a.da@example.org", False, id="dots"),
        pytest.param("ada+x@example.org", True, id="tag"),
        pytest.param("a.da+@example.org", True, id="empty tag"),
        pytest.param("+tag@example.org", False, id="nothing before the plus"),
    ],
)
def test_a_spelling_with_a_tag_is_known_by_its_plus(spelling: str, tagged: bool) -> None:
    assert is_tagged(parse(spelling)) is tagged


def test_folding_leaves_something_of_every_address() -> None:
    assert folded(parse("+tag@example.org")) == "+tag@example.org"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param("", AddressProblem.EMPTY, id="nothing"),
        pytest.param("   ", AddressProblem.EMPTY, id="spaces"),
        pytest.param(
            "ada@example.org\r\nBcc: eve@example.org",
            AddressProblem.CONTROL_CHARACTER,
            id="line break",
        ),
        pytest.param("ada@example\n.org", AddressProblem.CONTROL_CHARACTER, id="line feed"),
        pytest.param("ada\x00@example.org", AddressProblem.CONTROL_CHARACTER, id="NUL"),
        pytest.param("ada@exa\u200bmple.org", AddressProblem.CONTROL_CHARACTER, id="zero width"),
        pytest.param("ada@exa\u202emple.org", AddressProblem.CONTROL_CHARACTER, id="direction"),
        pytest.param(
            "ada\ud800@example.org", AddressProblem.CONTROL_CHARACTER, id="lone surrogate"
        ),
        pytest.param("jürgen@example.org", AddressProblem.NON_ASCII_LOCAL_PART, id="umlaut"),
        pytest.param("ada@" + "a." * 130 + "org", AddressProblem.TOO_LONG, id="too long"),
        pytest.param("a" * 65 + "@example.org", AddressProblem.MALFORMED, id="long local part"),
        pytest.param("ada", AddressProblem.MALFORMED, id="no at"),
        pytest.param("ada@localhost", AddressProblem.MALFORMED, id="bare host"),
        pytest.param("ada@invalid", AddressProblem.MALFORMED, id="bare reserved name"),
        pytest.param("ada@..invalid", AddressProblem.MALFORMED, id="reserved, empty label"),
        pytest.param("ada@[127.0.0.1]", AddressProblem.MALFORMED, id="address literal"),
        pytest.param('"a b"@example.org', AddressProblem.MALFORMED, id="quoted"),
        pytest.param("Ada <ada@example.org>", AddressProblem.MALFORMED, id="display name"),
        pytest.param("ada@example.org, eve@example.org", AddressProblem.MALFORMED, id="two"),
        pytest.param("ada@@example.org", AddressProblem.MALFORMED, id="two ats"),
        pytest.param(".ada@example.org", AddressProblem.MALFORMED, id="leading dot"),
        pytest.param("ada@example..org", AddressProblem.MALFORMED, id="empty label"),
        pytest.param("ada@-example.org", AddressProblem.MALFORMED, id="leading hyphen"),
        pytest.param("@example.org", AddressProblem.MALFORMED, id="no local part"),
    ],
)
def test_what_cannot_be_mailed_is_refused_and_says_why(raw: str, problem: AddressProblem) -> None:
    with pytest.raises(AddressError) as caught:
        parse(raw)

    assert caught.value.problem is problem


def test_an_address_that_grows_too_long_in_ascii_is_refused() -> None:
    domain = ".".join(["ü" * 50] * 4) + ".example"

    with pytest.raises(AddressError) as caught:
        parse("a" * 40 + "@" + domain)

    assert caught.value.problem in (AddressProblem.TOO_LONG, AddressProblem.MALFORMED)


@given(st.text(max_size=60) | st.from_regex(r"[a-z.+]{1,9}@\S{1,20}", fullmatch=True))
def test_any_input_raises_only_its_own_error(raw: str) -> None:
    try:
        address = parse(raw)
    except AddressError:
        return

    assert address.mailbox.isascii()
    assert parse(address.mailbox).canonical == address.canonical
    assert parse(address.canonical).canonical == address.canonical
    assert not any(character in address.mailbox for character in "\r\n\x00 <>,;")


def test_neither_an_error_nor_a_repr_shows_an_address() -> None:
    with pytest.raises(AddressError) as caught:
        parse("ada.private@example..org")

    shown = "".join(traceback.format_exception(caught.value)[-1:]) + repr(caught.value)
    assert "private" not in shown
    assert caught.value.__context__ is None
    assert "private" not in repr(parse("ada.private@example.org"))
    assert "private" not in str(parse("ada.private@example.org"))


def test_an_address_comes_back_whole_from_its_parts() -> None:
    address = parse("Ada@Example.org")

    assert Address(address.typed, address.mailbox, address.canonical, address.domain) == address


@given(st.from_regex(r"[a-z0-9._+-]{1,70}", fullmatch=True))
@example("a" * 64)
@example("a" * 65)
@example("postmaster")
@example("a..b")
@example("a+.b")
def test_what_is_taken_at_once_is_what_the_library_takes(local: str) -> None:
    if address._is_plain(local):
        assert address._read_local(local) == local


def test_some_are_taken_at_once_and_some_are_not() -> None:
    assert all(map(address._is_plain, ("ada", "ada.lovelace+news", "a-1_b", "a" * 64)))
    assert not any(map(address._is_plain, ("", "Ada", "a..b", ".a", "a.", "a'b", "é", "a" * 65)))


def test_nothing_that_is_hidden_is_plainly_seen() -> None:
    seen = [chr(n) for n in range(0x110000) if address._is_plainly_seen(chr(n))]

    assert "".join(seen) == "".join(map(chr, range(0x20, 0x7F)))
    assert not any(map(address._is_hidden, seen))
