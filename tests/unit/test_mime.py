"""Composed mails: the same bytes every time, read back by another implementation."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery import mime
from delivery.errors import ComposeError
from delivery.mime import Content, compose
from delivery.outcome import Kind
from tests.support.mails import HELLO, MARKETING, SERVICE, header

GOLDEN = Path(__file__).parent.parent / "vectors" / "mail"


def read(wire: bytes) -> EmailMessage:
    message = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def value(wire: bytes, name: str) -> str:
    """One field as it stands in the bytes, unfolded; it must be there once."""
    head = wire.partition(b"\r\n\r\n")[0].decode("ascii")
    found = re.findall(rf"(?m)^{name}: (.*(?:\n[ \t].*)*)$", head.replace("\r\n", "\n"))
    assert len(found) == 1
    return str(found[0]).replace("\n", "")


@pytest.mark.parametrize(
    ("name", "head", "content"),
    [
        ("marketing", MARKETING, Content("Grüße aus Köln", "Grüße!\n", "<p>Grüße!</p>\n")),
        ("service", SERVICE, Content("Please confirm", "Confirm here:\nhttps://x.example/c/1\n")),
        (
            "foreign",
            header(sender_name='Björn "B." Ångström', to="ada@bücher.example"),
            Content("Привет, Ада", "Привет, Ада!\n" * 3),
        ),
    ],
)
def test_a_mail_has_the_bytes_that_the_format_says(
    name: str, head: mime.Header, content: Content
) -> None:
    assert compose(head, content).wire() == (GOLDEN / f"{name}.eml").read_bytes()


def test_the_fields_come_once_each_and_in_order() -> None:
    mail = compose(MARKETING, HELLO)

    assert [name.decode() for name, _ in mail.fields] == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Precedence",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ]
    for name, raw in mail.fields:
        assert raw.startswith(name + b": ")
        assert raw.endswith(b"\r\n")


def test_service_mail_has_no_way_to_leave_and_says_that_a_machine_wrote_it() -> None:
    wire = compose(SERVICE, HELLO).wire()

    assert b"List-" not in wire
    assert b"Precedence" not in wire
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in wire


@pytest.mark.parametrize("length", [60, 200, 600, 950])
def test_the_unsubscribe_url_stands_literally(length: int) -> None:
    url = "https://mail.acme.example/u/".ljust(length, "k")

    wire = compose(header(list_unsubscribe=url), HELLO).wire()

    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in wire
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in wire


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/ b",
        "https://a.example/>,<https://b.example/",
        "https://a.example/\r\nBcc: eve@example.org",
        "https://a.example/ü",
        "javascript:alert(1)",
        "mailto:a@b.example",
        "https://a.example/".ljust(980, "k"),
        "",
    ],
)
def test_a_url_that_cannot_stand_literally_is_refused(url: str) -> None:
    with pytest.raises(ComposeError) as caught:
        compose(header(list_unsubscribe=url), HELLO)

    assert caught.value.field == "list_unsubscribe"


def test_marketing_without_a_way_to_leave_is_not_composed() -> None:
    with pytest.raises(ComposeError):
        compose(header(list_unsubscribe=None), HELLO)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("to", "ada@example.org\r\nBcc: eve@example.org"),
        ("to", "ada@example.org, eve@example.org"),
        ("to", "ädä@example.org"),
        ("to", "ada"),
        ("to", "ada@"),
        ("to", "a" * 65 + "@example.org"),
        ("to", "ada@exa mple.org"),
        ("sender_address", "news@acme.example>"),
        ("message_id", "a b@acme.example"),
        ("message_id", "x@y>\r\n"),
        ("list_id", "news letter"),
        ("list_id", "x" * 256),
    ],
)
def test_what_has_no_literal_form_is_refused_and_not_quoted(field: str, wrong: str) -> None:
    with pytest.raises(ComposeError) as caught:
        compose(header(**{field: wrong}), HELLO)

    assert caught.value.field == field
    assert wrong not in str(caught.value)


def test_an_international_domain_goes_as_a_labels() -> None:
    assert mime.ascii_address("ada@straße.example") == "ada@xn--strae-oqa.example"
    assert mime.ascii_address("ada@BÜCHER.example") == "ada@xn--bcher-kva.example"
    assert mime.ascii_address("o'hara+tag@example.org") == "o'hara+tag@example.org"
    assert mime.ascii_address("Ada@EXAMPLE.org") == "Ada@example.org"


@pytest.mark.parametrize(
    "address",
    [
        "ada@127.0.0.1",
        "ada@a.0x1f",
        "ada@-a.example",
        "ada@a..example",
        "ada@a.example.",
        "ada@a_b.example",
        "ada@" + "a." * 124 + "example",
        "a da@a.example",
        "@a.example",
        "a.example",
    ],
)
def test_what_has_no_place_in_a_command_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        mime.ascii_address(address)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Acme", "Acme <news@acme.example>"),
        ("Acme News", "Acme News <news@acme.example>"),
        ("Acme, Inc.", '"Acme, Inc." <news@acme.example>'),
        ("Acme-Shop 24", "Acme-Shop 24 <news@acme.example>"),
        ("Anna's Bakery", '"Anna\'s Bakery" <news@acme.example>'),
        ("Acme & Sons", '"Acme & Sons" <news@acme.example>'),
        ("Dr. Acme (Ltd): a@b", '"Dr. Acme (Ltd): a@b" <news@acme.example>'),
        ("-Acme-", '"-Acme-" <news@acme.example>'),
        ('The "A" Team', "=?utf-8?b?VGhlICJBIiBUZWFt?= <news@acme.example>"),
        ("A\\B", "=?utf-8?b?QVxC?= <news@acme.example>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <news@acme.example>"),
        ("Grüße", "=?utf-8?b?R3LDvMOfZQ==?= <news@acme.example>"),
        ("", "news@acme.example"),
        ("\r\n", "news@acme.example"),
    ],
)
def test_a_display_name_is_safe(name: str, form: str) -> None:
    assert value(compose(header(sender_name=name), HELLO).wire(), "From") == form


@given(st.text(st.sampled_from("aZ09 '\"\\,;:()<>[]@.!#$%&*+-/=?^_`{|}~ßé✓\t"), max_size=90))
def test_other_programs_read_the_same_name_and_find_nothing_to_quote(name: str) -> None:
    """A relay that puts quotes where they lacked, or takes some away, breaks the signature."""
    wire = compose(header(sender_name=name), HELLO).wire()
    seen = " ".join(name.split())

    sender = read(wire)["From"].addresses[0]
    phrase = value(wire, "From").rpartition("<")[0].strip()

    # `email.policy` keeps the blank between two encoded-words of a phrase, against RFC 2047, 6.2.
    shown = str(make_header(decode_header(phrase))) if "=?" in phrase else sender.display_name
    assert (shown, sender.addr_spec) == (seen, "news@acme.example")
    assert (
        re.fullmatch(r"[A-Za-z0-9]*(?:[ -][A-Za-z0-9]+)*", phrase)
        or re.fullmatch(r'"[^"\\]+"', phrase)
        or all(re.fullmatch(r"=\?utf-8\?b\?[A-Za-z0-9+/=]+\?=", word) for word in phrase.split())
    )


@pytest.mark.parametrize(
    "subject",
    [
        "Hello",
        "one two three " * 20,
        "x" * 300,
        "Grüße " * 30,
        "🎉" * 60,
        "a🎉b漢" * 25,
        "=?utf-8?q?not_encoded?=",
        "",
    ],
)
def test_a_subject_is_read_back_as_it_was(subject: str) -> None:
    wire = compose(header(), Content(subject, "x")).wire()

    assert read(wire)["Subject"].replace("\r\n", "") == subject.strip()
    for line in wire.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        assert len(line) <= 78 or b"List-Unsubscribe: " in line
    for word in re.findall(rb"=\?[^ \r\n]+\?=", wire):
        assert len(word) <= 75


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\r\n", "\0", "\x0b", "\x85", "\u2028", "\u2029"]
)
def test_nothing_in_a_subject_starts_a_field(character: str) -> None:
    content = Content(f"Hello{character}Bcc: eve@example.org", "x")

    wire = compose(header(sender_name=f"A{character}Bcc: eve@example.org"), content).wire()

    message = read(wire)
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Bcc: eve@example.org"
    assert len(message.keys()) == len(compose(header(), HELLO).fields) + 1  # and the encoding


TEXT = st.text(
    st.one_of(st.sampled_from("\r\n\t .=-~\x00\x1b\x85\u2028🎉ßДж"), st.characters()), max_size=300
)


@settings(max_examples=300, deadline=None)
@given(text=TEXT, html=TEXT)
def test_bodies_are_read_back_as_they_were(text: str, html: str) -> None:
    mail = compose(MARKETING, Content("x", text, html))

    parts = list(read(mail.wire()).iter_parts())

    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    for part, original in zip(parts, (text, html), strict=True):
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert comparable(payload.decode()) == comparable(original)


def comparable(text: str) -> str:
    """Text as it may arrive: no controls, line ends and lone surrogates normal, no empty end."""
    text = text.encode("utf-8", "replace").decode()
    text = re.sub("\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", text)
    return re.sub("[\x00-\x08\x0e-\x1f\x7f-\x9f]", "", text).rstrip("\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("short and plain", "7bit"),
        ("x" * 77, "quoted-printable"),
        ("Straße und Grüße, sonst nichts Besonderes in dieser Zeile", "quoted-printable"),
        ("Привет", "base64"),
        ("From here on a mailbox file would change it", "base64"),
        ("a\nFrom b", "base64"),
    ],
)
def test_the_encoding_is_the_most_readable_that_survives(text: str, encoding: str) -> None:
    mail = compose(SERVICE, Content("x", text))

    assert dict(mail.fields)[b"Content-Transfer-Encoding"] == (
        f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    )
    assert all(len(line) <= 76 for line in mail.body.split(b"\r\n"))


def test_a_second_try_has_the_same_bytes() -> None:
    assert compose(MARKETING, HELLO) == compose(MARKETING, HELLO)
    assert compose(MARKETING, HELLO) != compose(header(message_id="b@acme.example"), HELLO)


def test_a_date_is_written_in_utc() -> None:
    wire = compose(header(date=datetime(2026, 2, 1, 0, 0, tzinfo=UTC)), HELLO).wire()

    assert value(wire, "Date") == "Sun, 01 Feb 2026 00:00:00 +0000"


def test_kinds_are_named_in_full() -> None:
    assert list(Kind) == ["marketing", "service"]
