"""What is prepared for many mails: kept for words that came before, within bounds."""

from __future__ import annotations

from delivery.fitting import ANY
from delivery.plan import Mark, Plan
from delivery.prepared import Prepared, Sheet

MARK = Mark("secret")


def sheet(words: str = "") -> Sheet:
    return Sheet(Plan(f"{words}{MARK.at(0)}\nend", MARK), [ANY])


def test_words_that_came_once_are_not_kept() -> None:
    prepared = Prepared()

    assert prepared.get("words", sheet) is None
    made = prepared.get("words", sheet)

    assert made is not None
    assert prepared.get("words", sheet) is made
    assert prepared.get("other words", sheet) is None


def test_the_oldest_make_room() -> None:
    prepared = Prepared(most=3 * sheet().plan.size)
    made = {}
    for n in range(4):
        prepared.get(n, sheet)
        made[n] = prepared.get(n, sheet)

    assert [prepared.get(n, sheet) is made[n] for n in range(1, 4)] == [True] * 3
    assert prepared.get(0, sheet) is not made[0]


def test_one_that_is_larger_than_all_there_is_room_for_is_made_and_not_kept() -> None:
    prepared = Prepared(most=10)

    made = [prepared.get("words", sheet) for _ in range(3)]

    assert made[0] is None
    assert None not in made[1:]
    assert made[1] is not made[2]


def test_words_without_a_sheet_take_the_room_that_they_take() -> None:
    prepared, asked = Prepared(most=10_000), []
    keys = [("words" * 1000, n) for n in range(3)]
    for key in [*keys, *keys, keys[0]]:
        prepared.get(key, lambda: asked.append(1))

    assert len(asked) == 4  # the first one made room


def test_that_something_has_no_sheet_is_found_out_once() -> None:
    prepared, asked = Prepared(), []

    for _ in range(4):
        assert prepared.get("words", lambda: asked.append(1)) is None

    assert len(asked) == 1
