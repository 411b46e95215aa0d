"""Exports at the desk, for tests: asked for, made by the duty, fetched."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import ClientResponse

from gateway.process import duties


async def make(app: Any) -> None:
    """Let one of the duties make whatever waits."""
    (duty,) = [one for one in duties.of(app.parts) if one.name == "exports 1"]
    while await duty.run():
        pass


def ids(page: str) -> list[str]:
    """The exports on the page, newest first."""
    return list(dict.fromkeys(re.findall(r'name="export" value="([^"]+)"', page)))


async def newest(sitting: Any) -> str:
    return ids(await (await sitting.get("/dpo/exports")).text())[0]


async def taken(sitting: Any, path: str, **fields: str) -> ClientResponse:
    """What comes of asking for one."""
    begun = await sitting.post(path, **fields)
    if begun.status != 303:
        return begun  # type: ignore[no-any-return]
    await make(sitting.app)
    fetched: ClientResponse = await sitting.post(
        "/dpo/exports", do="fetch", export=await newest(sitting)
    )
    return fetched
