"""Whoever was given a page in the wrong language is offered the other ones."""

from __future__ import annotations

import re

import pytest

from gateway.http import pages
from gateway.look.translations import languages
from tests.support.page_samples import samples

# What these answer cannot be asked for again, and the page before had the switch.
ANSWERS = {
    *(
        "desk_asked",
        "desk_breach_found",
        "desk_unvouched",
        "mail_again",
        "my_data_asked",
        "my_data_erased",
    ),
    *("thanks", "problem"),
}
NO_PAGES = {"paper", "notice"}  # a file; and what was published is in one language


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("state", sorted(samples("en")))
def test_a_page_can_be_read_in_each_other_language(state: str, locale: str) -> None:
    name, facts = samples(locale)[state]

    page = pages.render(name, locale, **facts)

    leads = set(re.findall(r'class="tongue"[^>]*(?:href|action)="[^"]*\blocale=([a-z]+)"', page))
    settled = name == "address_done" and facts["became"] != "over"
    settled |= name == "stop_again_done" and facts["stopped"] is not None
    has_none = name in ANSWERS | NO_PAGES or settled
    assert leads == (set() if has_none else {*languages()} - {locale})
