"""A form's stamp proves who showed the wording, for one form and for a day."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.support.apps import App
from tests.support.posts import plain


async def test_a_stamp_of_another_form_or_day_proves_nothing(embedded: App) -> None:
    async with embedded.http.get("/forms/linked") as page:
        found = re.search(r'name="stamp" value="([^"]*)"', await page.text())
    assert found is not None
    stamp = found[1]
    embedded.step(timedelta(seconds=5))

    async def status(form: str, stamp: str) -> int:
        fields = await plain(embedded, ("stamp", stamp), ("profile.first_name", "Ada"))
        fields = [one for one in fields if one[0] != "text"]
        fields.append(("text", (await embedded.texts("newsletter"))[0]))
        async with embedded.http.post(
            f"/forms/{form}", data=fields, allow_redirects=False
        ) as answer:
            return answer.status

    assert await status("linked", stamp) == 303
    assert await status("signup", stamp) == 422
    body, _, signature = stamp.rpartition(".")
    # Not its last character: two of that one's bits mean nothing.
    altered = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert await status("linked", f"{body}.{altered}") == 422
    embedded.step(timedelta(days=2))
    assert await status("linked", stamp) == 422
