"""Multipart forms: what browsers and mail programs write is read, anything else only refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.multipart import MOST_PARTS, NotMultipart, Part, parts

TYPE = "multipart/form-data; boundary=x"


def field(name: str, content: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"{more}'
    return b"--x\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(field("a", b"1") + b"--x--\r\n", [("a", b"1")], id="one"),
        pytest.param(field("a", b"1") + b"--x--", [("a", b"1")], id="without a last line end"),
        pytest.param(field("a", b"") + b"--x--", [("a", b"")], id="an empty one"),
        pytest.param(b"--x--", [], id="none"),
        pytest.param(
            field("a", b"1") + field("a", b"2") + b"--x--", [("a", b"1"), ("a", b"2")], id="twice"
        ),
        pytest.param(
            b"hello\r\n" + field("a", b"1") + b"--x--\r\nbye --x", [("a", b"1")], id="around it"
        ),
        pytest.param(
            field("a", b"--y\r\n--xy\r\n --x") + b"--x--",
            [("a", b"--y\r\n--xy\r\n --x")],
            id="almost a boundary inside",
        ),
        pytest.param(field("a", b"\r\n\r\n") + b"--x--", [("a", b"\r\n\r\n")], id="line ends"),
        pytest.param(
            (field("a", b"1") + b"--x--\r\n").replace(b"\r\n", b"\n"), [("a", b"1")], id="LF only"
        ),
        pytest.param(
            b"--x \t\r\ncontent-disposition:FORM-DATA;NAME=a\r\nX: y\r\n\r\n1\r\n--x-- \r\n",
            [("a", b"1")],
            id="other spellings",
        ),
        pytest.param(field("a; b=%22c%22", b"1") + b"--x--", [("a; b=%22c%22", b"1")], id="quoted"),
    ],
)
def test_parts_are_told_apart(body: bytes, found: list[tuple[str, bytes]]) -> None:
    assert parts(body, TYPE) == [Part(name.encode(), said, is_file=False) for name, said in found]


@pytest.mark.parametrize("more", ['; filename="a.txt"', "; filename=", "; filename*=UTF-8''a"])
def test_a_file_says_that_it_is_one(more: str) -> None:
    assert parts(field("a", b"1", more) + b"--x--", TYPE) == [Part(b"a", b"1", is_file=True)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"nonsense", id="no boundary in it"),
        pytest.param(field("a", b"1"), id="cut off"),
        pytest.param(field("a", b"1") + b"--x", id="cut off in the boundary"),
        pytest.param(b"--x\r\n\r\n1\r\n--x--", id="no head"),
        pytest.param(b"--x\r\nContent-Disposition: form-data; name=a\r\n--x--", id="no content"),
        pytest.param(b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--", id="no name"),
        pytest.param(b"--x\r\nContent-Disposition: file; name=a\r\n\r\n1\r\n--x--", id="no field"),
        pytest.param(
            b"--x\r\nContent-Transfer-Encoding: base64\r\n" + field("a", b"MQ==")[5:] + b"--x--",
            id="encoded",
        ),
        pytest.param(b"--x\r\nX: " + b"y" * 9000 + field("a", b"1")[3:] + b"--x--", id="long head"),
        pytest.param(field("a", b"1") * (MOST_PARTS + 1) + b"--x--", id="many"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(NotMultipart):
        parts(body, TYPE)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"m/f; boundary={'x' * 201}"],
)
def test_a_boundary_is_needed(content_type: str) -> None:
    with pytest.raises(NotMultipart):
        parts(field("a", b"1") + b"--x--", content_type)


def test_as_many_parts_as_a_form_may_have_are_read() -> None:
    assert len(parts(field("a", b"1") * MOST_PARTS + b"--x--", TYPE)) == MOST_PARTS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary()).filter(lambda p: b"--" not in p[1])))
def test_what_was_written_is_read(fields: list[tuple[str, bytes]]) -> None:
    fields = fields[:MOST_PARTS]
    body = b"".join(field(name, said) for name, said in fields) + b"--x--\r\n"

    assert [(one.name.decode(), one.content) for one in parts(body, TYPE)] == fields


@given(st.binary() | st.text('-x\r\n:; ="abContent-Disposition', max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(NotMultipart):
        parts(body, TYPE)
