"""What a consent covers: whom its wording named, and what it said."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import coverage
from consent.coverage import Lack, Mailing, Offer, Party, Same

BUNDLE: dict[str, Any] = {
    "purpose": "newsletter",
    "locale": "en",
    "title": "Newsletter",
    "text": "Yes, send me the newsletter once a month.",
    "controller": {
        "name": "Acme GmbH",
        "postal_address": "Musterstr. 1, 10115 Berlin",
        "contact": "privacy@acme.example",
    },
    "sender": {"name": "Acme", "from_address": "news@acme.example"},
    "notice": "sha256:0",
    "imprint_url": "https://www.acme.example/imprint",
    "withdraw": "By the link.",
}
AGREED = coverage.said(BUNDLE)
DAILY = coverage.said(BUNDLE | {"text": "Yes, send me offers of 340 partners every day."})
CONTROLLER, SENDER, WORDING = Lack.CONTROLLER, Lack.SENDER, Lack.WORDING
SAME, CHANGED, DECLARED = "as it was", "changed", "changed and declared"


@dataclass(frozen=True)
class Now:
    """What of the configuration is another one since the person agreed."""

    controller: str = SAME
    postal_address: str = SAME
    sender: str = SAME
    from_address: str = SAME
    wording: str = SAME

    def lacks(self) -> list[Lack]:
        mailing = Mailing(
            _party(BUNDLE["controller"], "postal_address", self.controller, self.postal_address),
            {"acme": _party(BUNDLE["sender"], "from_address", self.sender, self.from_address)},
            {"newsletter": Offer("acme", frozenset({AGREED if self.wording == SAME else DAILY}))},
        )
        same = {(AGREED, DAILY)} if self.wording == DECLARED else set[Same]()
        lacks = mailing.lacks(BUNDLE, "acme", same)
        assert mailing.covered_by(BUNDLE, same) == (frozenset() if lacks else {"acme"})
        return lacks


def _party(named: dict[str, str], address: str, name_is: str, address_is: str) -> Party:
    was = [(named["name"], name_is), (named[address], address_is)]
    return Party(
        named["name"] if name_is == SAME else "Somebody Else",
        named[address] if address_is == SAME else "elsewhere",
        frozenset(old for old, state in was if state == DECLARED),
    )


COMBINATIONS = [Now(*states) for states in itertools.product([SAME, CHANGED, DECLARED], repeat=5)]


def test_in_every_combination_a_consent_covers_what_is_the_same_or_declared_to_be() -> None:
    for now in COMBINATIONS:
        expected = [
            lack
            for lack, states in (
                (CONTROLLER, {now.controller, now.postal_address}),
                (SENDER, {now.sender, now.from_address}),
                (WORDING, {now.wording}),
            )
            if CHANGED in states
        ]

        assert now.lacks() == expected, now


def _mailing(*wordings: str, **senders: Party) -> Mailing:
    acme = _party(BUNDLE["sender"], "from_address", SAME, SAME)
    return Mailing(
        _party(BUNDLE["controller"], "postal_address", SAME, SAME),
        {"acme": acme} | senders,
        {"newsletter": Offer("acme", frozenset(wordings or {AGREED}))},
    )


def test_another_brand_of_the_same_controller_is_not_covered() -> None:
    mailing = _mailing(globex=Party("Globex", "news@globex.example"))

    assert mailing.covered_by(BUNDLE, ()) == {"acme"}


def test_a_sender_that_is_not_in_the_configuration_is_not_covered() -> None:
    assert _mailing().lacks(BUNDLE, "globex", ()) == [SENDER]
    assert _mailing().lacks(BUNDLE, None, ()) == [SENDER]


def test_what_is_beside_the_wording_may_change() -> None:
    controller = BUNDLE["controller"] | {"contact": "new-officer@acme.example"}
    other = {"notice": "sha256:1", "imprint_url": "https://x.example", "withdraw": "Otherwise."}

    assert not _mailing().lacks(BUNDLE | other | {"controller": controller}, "acme", ())


@pytest.mark.parametrize("key", ["purpose", "locale", "title", "text"])
def test_every_part_of_a_wording_counts(key: str) -> None:
    assert _mailing().lacks(BUNDLE | {key: "other"}, "acme", ()) == [WORDING]


def test_a_declaration_does_not_speak_for_what_came_after_it() -> None:
    third = coverage.said(BUNDLE | {"text": "Yes, everything."})
    declared = {(AGREED, DAILY)}

    assert _mailing(third).lacks(BUNDLE, "acme", declared) == [WORDING]
    assert not _mailing(third).lacks(BUNDLE, "acme", declared | {(DAILY, third)})


def test_a_declaration_speaks_in_one_direction() -> None:
    assert _mailing(AGREED).lacks(BUNDLE | {"text": "Less."}, "acme", ()) == [WORDING]
    less = coverage.said(BUNDLE | {"text": "Less."})
    assert _mailing(less).lacks(BUNDLE, "acme", {(less, AGREED)}) == [WORDING]


def test_declarations_in_a_circle_end() -> None:
    circle = {(AGREED, DAILY), (DAILY, AGREED)}

    assert _mailing("sha256:other").lacks(BUNDLE, "acme", circle) == [WORDING]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(BUNDLE)), ODD))
def test_a_bundle_that_we_did_not_write_covers_nothing_and_ends_nothing(
    bundle: dict[str, Any],
) -> None:
    assert _mailing().covered_by(bundle, ()) == frozenset()
