"""The hosted page of a form: what it shows, what it proves, and what it keeps of a mistake."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.support.apps import ADA, App
from tests.support.posts import opened


async def test_the_hosted_form_proves_who_showed_the_wording(app: App) -> None:
    async with app.http.get("/forms/signup?locale=de") as page:
        shown = await page.text()
    fields = re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', shown)
    posted = [(n, v) for n, v in fields if n in ("text", "stamp", "locale", "page_url")]
    posted += [("email", ADA), ("purpose", "newsletter")]

    # Within the second: browsers fill in a form, and people press Enter.
    async with app.http.post("/forms/signup", data=posted) as answer:
        assert answer.status == 200

    (one,) = await opened(app)
    assert (one.rendered_by, one.locale) == ("page", "de")


async def test_whoever_forgets_the_tick_is_told_so_and_nothing_else(app: App) -> None:
    async with app.http.get("/forms/signup") as page:
        shown = await page.text()
    fields = re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', shown)
    posted = [(n, v) for n, v in fields if n in ("text", "stamp", "locale", "page_url")]
    app.step(timedelta(seconds=5))

    async with app.http.post("/forms/signup", data=[*posted, ("email", ADA)]) as answer:
        again = await answer.text()

    assert answer.status == 422
    assert "Please tick what you would like to receive." in again
    assert "The wording has changed" not in again


async def test_the_page_is_as_it_was_for_who_goes_back_and_new_for_everybody_else(app: App) -> None:
    """What somebody typed into it is kept nowhere."""
    async with app.http.get("/forms/signup") as page:
        assert page.headers["Cache-Control"] == "private, no-cache"
        assert not {"ETag", "Last-Modified"} & set(page.headers)
    async with app.http.post("/forms/signup", data={"email": "ada", "stamp": ""}) as page:
        assert (page.status, page.headers["Cache-Control"]) == (422, "no-store")
