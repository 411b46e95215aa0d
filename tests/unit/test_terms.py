"""No word that programs use is printed on a page or a paper where there are words for it."""

from __future__ import annotations

import pytest

from consent.model import Reason
from consent.suppressions import Stop
from delivery.outbox import Parked
from gateway.flows.rights.stops import CHANNEL
from gateway.flows.sending import pacing, quotas
from gateway.look import terms
from gateway.look.translations import translations


def test_every_value_has_words() -> None:
    assert terms.REASONS.keys() >= {*Reason, *Parked, *pacing.REASONS, quotas.QUOTA}
    assert terms.BLOCKS.keys() == set(Stop)
    assert terms.CHANNELS.keys() >= {CHANNEL, "letter", "api"}


@pytest.mark.parametrize(
    "known",
    [terms.REASONS, terms.BLOCKS, terms.CHANNELS, terms.FORMS, terms.LOOKS],
)
def test_the_words_are_the_readers(known: dict[str, str]) -> None:
    for value, english in known.items():
        german = translations("de").gettext(english)
        assert german != english
        assert terms.in_words(known, value, "de") == german
        assert terms.in_words(known, value, "en") == english


def test_what_a_caller_chose_is_shown_as_they_wrote_it() -> None:
    assert terms.in_words(terms.CHANNELS, "pigeon", "de") == "pigeon"


@pytest.mark.parametrize("reason", Reason)
def test_whatever_stands_against_a_mail_is_said(reason: Reason) -> None:
    (said,) = terms.not_mailed(reason, "de")

    assert "geht" in said
    assert terms.not_mailed(None, "de") == []
