"""A sender's rules reach the sender's part, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.style_sheets import scoped


@pytest.mark.parametrize(
    ("sheet", "written"),
    [
        ("p{color:red}", ".mail-frame p{color:red}"),
        ("*{a:b}", ".mail-frame *{a:b}"),
        ("html body > p.body, :root{a:b}",
         ".mail-frame .mail-html .mail-body > p.body, .mail-frame .mail-html{a:b}"),
        ("#body, body-x, [lang=body]{a:b}",
         ".mail-frame #body, .mail-frame body-x, .mail-frame [lang=body]{a:b}"),
        ("<!-- p{a:b} -->", ".mail-frame p{a:b}"),
        ("p /* } */ q{a:/* ; */b}", ".mail-frame p   q{a: b}"),
        ("p{a:b;;c:d !important;}", ".mail-frame p{a:b;c:d !important}"),
        ("@media (max-width:480px){p{a:b}}q{c:d}",
         "@media (max-width:480px){\n.mail-frame p{a:b}\n}\n.mail-frame q{c:d}"),
        ("@media screen{p{a:b}", "@media screen{\n.mail-frame p{a:b}\n}"),
        ("p:not(.a, .b)::before{content:\"}\"}", '.mail-frame p:not(.a, .b)::before{content:"}"}'),
        ('div[style*="margin: 16px 0"]{a:b}', '.mail-frame div[style*="margin: 16px 0"]{a:b}'),
        ("p{background:url(https://x.example/a.png)}",
         ".mail-frame p{background:url(https://x.example/a.png)}"),
        ("p{width:calc(100% - (2px + 3px));margin:auto}",
         ".mail-frame p{width:calc(100% - (2px + 3px));margin:auto}"),
        ('p{content:"\\"}*{a:b}"}', ".mail-frame *{a:b}"),
        ("}p{a:b}", ".mail-frame p{a:b}"),
    ],
)  # fmt: skip
def test_a_rule_is_for_what_is_in_the_frame(sheet: str, written: str) -> None:
    assert scoped(sheet) == f"{written}\n"


@pytest.mark.parametrize(
    "sheet",
    [
        "",
        "p{color:red",
        "@import url(x);",
        "@font-face{font-family:Arial;src:url(x)}",
        "@keyframes a{from{a:b}}",
        "@layer a{p{a:b}}",
        "p{q{a:b}}",
        "p{:root:has(&) q{a:b}}",
        "p\\2c q{a:b}",
        "p{background:url(a'b)}",
        "p{a:(}",
        "p{a:b]}",
        "p{content:'</style>'}",
        "p:not(q{a:b}",
        "p[a={a:b}",
        "& + p{a:b}",
        "@media \\x{p{a:b}}",
        "/* p{a:b}",
        "p{a:@x}",
        "~ *{a:b}",
        "+*{a:b}",
        "p, \t~ div{a:b}",
        "> div{a:b}",
        "|| td{a:b}",
        "/**/ ~ *{a:b}",
        "p, , q{a:b}",
        "p,\xa0,q{a:b}",
        "p,/**/,q{a:b}",
        "p, {a:b}",
    ],
)
def test_what_has_two_readings_is_left_out(sheet: str) -> None:
    assert scoped(sheet) == ""


@given(st.text(st.sampled_from("{}()[]\"'\\/*@;:,<>+~|!-&.#aup \n"), max_size=80))
def test_no_rule_leaves_the_frame_and_no_sheet_ends_its_element(sheet: str) -> None:
    written = scoped(f"{sheet} url( p{{a:b}} @media x{{ {sheet} p{{a:b}}")

    assert not set("<\\") & set(written)
    assert written.count("{") == written.count("}") or '"' in written or "'" in written
    for line in written.splitlines():
        assert line.startswith((".mail-frame ", "@media", "}")) or not line
        assert not re.search(r"\.mail-frame\s*([,{>+~|]|$)", line)
