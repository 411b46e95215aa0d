"""Whoever was given a page in the wrong language is offered the other one."""

from __future__ import annotations

import re

import pytest

from gateway.http import pages
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


@pytest.mark.parametrize(("locale", "other"), [("en", "de"), ("de", "en")])
@pytest.mark.parametrize("state", sorted(samples("en")))
def test_a_page_can_be_read_in_the_other_language(state: str, locale: str, other: str) -> None:
    name, facts = samples(locale)[state]

    page = pages.render(name, locale, **facts)

    switch = re.search(rf'class="tongue"[^>]*(href|action)="[^"]*\blocale={other}"', page)
    settled = name == "address_done" and facts["became"] != "over"
    assert (switch is None) == (name in ANSWERS | NO_PAGES or settled)
