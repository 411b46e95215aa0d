"""A mail is taken apart and made again to the byte, and what is shared says nothing of anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery import mime, remaking
from delivery.errors import SpecimenError
from delivery.outcome import Kind

TOKEN = "Zm9yLXRoZS1saW5rLW9mLW9uZS1tYWlsLWFuZC1ub28"
URL = f"https://gateway.example/confirm/{TOKEN}"
HEADER = mime.Header(
    kind=Kind.SERVICE,
    sender_name="Acme",
    sender_address="news@acme.example",
    to="ada@example.org",
    message_id="0abc@acme.example",
    date=datetime(2026, 11, 27, 8, 25, 10, tzinfo=UTC),
)
SIGNATURE = b"DKIM-Signature: v=1; a=rsa-sha256;\r\n t=1; b=QUJD\r\n REVG=\r\n"
SAYS = {
    "plain": f"Please confirm:\n{URL}\n",
    "long lines": f"{'x' * 70} {URL} and {'y' * 90}\n",
    "a few letters beyond ASCII": f"Bitte bestätigen Sie: {URL} {'und dann noch etwas ' * 5}\n",
    "most of them": f"Пожалуйста, подтвердите: {URL} Спасибо большое\n",
}


def values(**more: str) -> dict[str, str]:
    return {
        "signature": SIGNATURE.decode(),
        "to": HEADER.to,
        "date": "Fri, 27 Nov 2026 08:25:10 +0000",
        "message_id": HEADER.message_id,
        "confirm": TOKEN,
        **more,
    }


def composed(text: str, html: str | None = None, header: mime.Header = HEADER) -> bytes:
    return mime.compose(header, mime.Content("Please confirm", text, html)).wire([SIGNATURE])


@pytest.mark.parametrize("html", [None, "page"])
@pytest.mark.parametrize("text", SAYS.values(), ids=SAYS.keys())
def test_a_mail_is_made_again_to_the_byte(text: str, html: str | None) -> None:
    raw = composed(text, html and f"<p>{text}<a href='{URL}'>ja</a></p>")

    apart = remaking.taken_apart(raw, values())

    assert remaking.remade(apart.specimen, apart.values) == raw
    assert TOKEN.encode() not in apart.specimen
    assert HEADER.to.encode() not in apart.specimen
    assert apart.values["confirm"] == TOKEN, "it was not kept whole"


@pytest.mark.parametrize("text", SAYS.values(), ids=SAYS.keys())
def test_two_people_share_what_is_nobodys(text: str) -> None:
    other, token = (
        replace(HEADER, to="grace@example.net", message_id="9xyz@acme.example"),
        TOKEN[::-1],
    )
    page = "<p>{}</p>"
    first = remaking.taken_apart(composed(text, page.format(text)), values(boundary=bound(HEADER)))
    said = text.replace(TOKEN, token)
    second = remaking.taken_apart(
        composed(said, page.format(said), other),
        values(to=other.to, message_id=other.message_id, confirm=token, boundary=bound(other)),
    )

    assert first.specimen == second.specimen


def bound(header: mime.Header) -> str:
    mail = mime.compose(header, mime.Content("a", "a", "a"))
    return dict(mail.fields)[b"Content-Type"].decode().split('"')[1]


def test_what_cannot_be_taken_apart_is_kept_whole() -> None:
    raw = (
        b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==QQ==\r\n"
    )

    apart = remaking.taken_apart(raw, {"to": "ada@example.org"})

    assert apart.values == {"mail": raw.decode()}
    assert remaking.remade(apart.specimen, apart.values) == raw
    assert b"QQ" not in apart.specimen


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_whatever_is_said_comes_back(text: str) -> None:
    raw = composed(f"{text} {URL} {text}", f"<p>{text}</p><p>{URL}</p>")

    apart = remaking.taken_apart(raw, values())

    assert remaking.remade(apart.specimen, apart.values) == raw


def test_other_values_give_another_mail_and_missing_ones_none() -> None:
    apart = remaking.taken_apart(composed(SAYS["plain"]), values())

    other = remaking.remade(apart.specimen, {**apart.values, "to": "eve@example.org"})

    assert b"To: eve@example.org\r\n" in other
    with pytest.raises(SpecimenError):
        remaking.remade(apart.specimen, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.binary() | JSON.map(lambda one: json.dumps(one).encode()) | st.just(b"[" * 100_000))
def test_what_is_no_specimen_is_refused_and_not_quoted(raw: bytes) -> None:
    with pytest.raises(SpecimenError) as refused:
        remaking.remade(raw, {"to": "ada@example.org"})

    assert not str(refused.value)


@given(st.lists(st.tuples(st.sampled_from(["7bit", "base64", "8bit"]), st.lists(st.text()))))
def test_whatever_pieces_a_specimen_has_it_gives_bytes_or_is_refused(pieces: list[object]) -> None:
    raw = json.dumps({"format": remaking.FORMAT, "pieces": pieces}).encode()
    try:
        assert isinstance(remaking.remade(raw, {"to": "ada@example.org"}), bytes)
    except SpecimenError as refused:
        assert not str(refused)
