"""Another address: asked for in a session, and the mails that follow."""

from __future__ import annotations

from dataclasses import dataclass, field

from consent.moving import TOLD_BEFORE
from tests.http.test_people_rights import Visit
from tests.support.apps import ADA, App, Mail

PATH = "/my-data/rectify"
NEW = "ada.new@example.net"


@dataclass
class Asked:
    """The tokens of the mails that went out."""

    keep: str = ""
    new: str = ""
    stop: str = ""
    mails: list[Mail] = field(default_factory=list)


async def ask(me: Visit, new: str = NEW) -> str:
    """Ask for another address; the page that is shown."""
    return await me.post(PATH, answer="address", email=new)


async def asked(me: Visit, new: str = NEW, old: str = ADA) -> Asked:
    """Ask for another address and read both mailboxes."""
    await ask(me, new)
    mails = await delivered(me.app)
    assert [one.to for one in mails] in ([old, new], [old])
    found = Asked(mails[0].token("address"), mails=mails)
    if len(mails) == 2:
        found.new, found.stop = mails[1].token("address"), mails[1].token("stop")
    return found


async def delivered(app: App) -> list[Mail]:
    """The mails about addresses: the one on file is told first."""
    mails = await app.deliver()
    app.step(TOLD_BEFORE)
    return [one for one in [*mails, *await app.deliver()] if b"/address/" in one.raw]


async def look(app: App, token: str) -> tuple[int, str]:
    """Open the page behind a link."""
    async with app.http.get(f"/address/{token}") as page:
        return page.status, await page.text()


async def press(app: App, token: str, language: str = "en") -> tuple[int, str]:
    """Press the button behind a link."""
    async with app.http.post(f"/address/{token}?locale={language}") as page:
        return page.status, await page.text()
