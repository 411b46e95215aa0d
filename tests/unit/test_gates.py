"""A key is used only under a gate that says the person is live, and only where it is there."""

from __future__ import annotations

import pytest

from audit.entry import Place
from consent.gates import Gate, usable
from consent.keys.vault import OF_PEOPLE, Compartment, Vault
from consent.model import SubjectState
from storage.secret import Secret

KEY = Secret(b"k" * 32)
BOTH = Vault({"sub_1": {"profile": KEY, "evidence": KEY}})
PROFILE_ALONE = Vault({"sub_1": {"profile": KEY}})


def gate(state: SubjectState = SubjectState.LIVE) -> Gate:
    return Gate("sub_1", state, "en", None, None, None, None, None, None, Place("sub_1", 0, None))


@pytest.mark.parametrize("state", [SubjectState.ERASING, SubjectState.ERASED])
def test_the_keys_of_who_is_being_erased_are_not_used(state: SubjectState) -> None:
    assert usable(gate(), BOTH, *OF_PEOPLE)
    assert not usable(gate(state), BOTH, *OF_PEOPLE)


def test_nobodys_keys_are_not_used() -> None:
    assert not usable(None, BOTH, Compartment.PROFILE)


def test_only_the_compartments_that_an_act_names_are_asked_for() -> None:
    assert usable(gate(), PROFILE_ALONE, Compartment.PROFILE)
    assert not usable(gate(), PROFILE_ALONE, Compartment.EVIDENCE)
    assert not usable(gate(), PROFILE_ALONE, Compartment.PROFILE, Compartment.EVIDENCE)
