"""What a spreadsheet takes for a formula is inert, and everything else stays as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.export.guard import guarded

# As a spreadsheet reads cells: each may begin at the start, or where its reader cuts lines.
_FORMULA = re.compile(r"(?:\A|[,;\t\r\n])[ \u00a0\u3000\ufeff]*[=+\-@＝＋－＠]")
_HOSTILE = "=+-@＝＋－＠\t\r\n\0,;\"' x1\u3000"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('=HYPERLINK("http://evil.example","x")', '\'=HYPERLINK("http://evil.example","x")'),
        ("+1-2", "'+1-2"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠x", "'＠x"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("\0x", "'\0x"),
        ("  =1", "  '=1"),
        ("a;=1", "a;'=1"),
        ("a,+1", "a,'+1"),
        ("a; =1", "a; '=1"),
        ("a\t@b", "a\t'@b"),
        ("a\n-b", "a\n'-b"),
    ],
)
def test_what_would_begin_a_formula_does_not(cell: str, shown: str) -> None:
    assert guarded(cell) == shown


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("12e45678", "id:12e45678"),
        ("4915112345678901234", "id:4915112345678901234"),
        ("01067", "id:01067"),
        ("a" * 64, "sha256:" + "a" * 64),
        ("12" * 32, "sha256:" + "12" * 32),
    ],
)
def test_what_would_become_another_number_is_named(cell: str, shown: str) -> None:
    assert guarded(cell) == shown


@pytest.mark.parametrize(
    "cell",
    ["", "0", "781", "Ada", "a=b", "x-y", "ada@example.org", "2026-11-27T12:25:10.000Z", "1;2"],
)
def test_whatever_is_harmless_stays(cell: str) -> None:
    assert guarded(cell) == cell


@given(st.text(st.sampled_from(_HOSTILE)) | st.text())
def test_no_cell_begins_a_formula_wherever_it_is_cut(cell: str) -> None:
    shown = guarded(cell)

    assert not _FORMULA.search(shown)
    assert shown[:1] not in ("\t", "\r", "\n", "\0")
    # Apostrophes and names were added; nothing was taken away.
    rest = shown.removeprefix("sha256:").removeprefix("id:")
    assert rest.replace("'", "") == cell.replace("'", "") or shown == cell
