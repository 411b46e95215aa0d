"""The figures of the house are counted as their names say."""

from __future__ import annotations

from pathlib import Path

from tests.support.house import Sized, measure

COPIED = """
def first(parts: Parts) -> int:
    one = parts.size
    # why
    two = one + 1  # trailing: no line of its own
    three = f(two, "a")
    for four in three:
        print(four)
    return 5
"""
OTHER = COPIED.replace("first", "second").replace("parts: Parts", "size: int").replace("+ 1", "+ 9")


def test_each_figure_counts_what_it_is_called(tmp_path: Path) -> None:
    for name, text in (
        ("gateway/__init__.py", ""),
        ("gateway/top.py", COPIED),
        ("gateway/flows/below.py", OTHER),
        ("gateway/schema/migrations/data/first.py", "def upgrade():\n" + "    pass\n" * 99),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    house = measure(tmp_path)

    assert house.at_the_top == ["gateway/top.py"]
    assert house.taking_parts == ["gateway/top.py: first"]
    assert house.longest_file == Sized(9, "gateway/flows/below.py")
    assert house.longest_function.lines == 8
    assert house.comments == 2 / 118
    assert house.copied == 2, "seven lines hold six at two places; a comment is none"
    assert house.named_one == 4


def test_lines_of_another_shape_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit/a.py").write_text(COPIED)
    (tmp_path / "audit/b.py").write_text(COPIED.replace("one + 1", "-one"))

    assert measure(tmp_path).copied == 0
