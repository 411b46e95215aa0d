"""Whose page it is decides its language: that of their mails, where the link or session tells who.

Said only once a link was found to do what it is for: a dead one, or one that nobody has, gets
the browser's language, or its page would tell a stranger that somebody is known.
"""

from __future__ import annotations

import structlog
from aiohttp import web

from gateway.flows.rights.language import language_of
from gateway.http import pages
from gateway.http.app_keys import PARTS
from storage.errors import StorageAway

log = structlog.get_logger()


async def speak_to(request: web.Request, subject: str) -> None:
    """Have the pages of this answer speak the language in which *subject* is mailed.

    Where that cannot be read now, the browser's: no page, and no leaving, depends on it.
    """
    try:
        language = await language_of(request.app[PARTS].data, subject)
    except StorageAway:
        log.warning("language_not_read")
        return
    if language is not None:
        pages.speak(request, language)
