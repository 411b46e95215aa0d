"""What shows our forms, kept as this process starts: who asks what was shown gets the very page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from aiohttp import web

from consent import texts
from consent.sign_ups import RenderedBy
from consent.specimens import Specimen, What
from consent.texts import Text
from gateway.config.config import Config
from gateway.http import sign_ups
from gateway.http.app_keys import SHOWN
from gateway.http.shown import Showing
from gateway.people import embedding, form_page
from storage.clock import Clock
from storage.database import Database


def keep_at_start(app: web.Application, config: Config, data: Database, clock: Clock) -> None:
    """Have the application keep them before it serves."""
    app.on_startup.append(partial(_keep, config, data, clock))


async def _keep(config: Config, data: Database, clock: Clock, app: web.Application) -> None:
    async with data.read() as connection:
        valid = await texts.valid(connection)
    current = {(one.purpose, one.locale): one for one in valid.values() if one.current}
    defined = [sign_ups.definition_of(config, form) for form in config.forms]
    others = [Specimen(What.DEFINITION, raw) for raw in defined]
    await app[SHOWN].keep(data, clock, list(_showing(config, current)), others)


def _showing(config: Config, current: Mapping[tuple[str, str], Text]) -> Iterator[Showing]:
    for form in config.forms:
        script = Specimen(What.SCRIPT, embedding.script(config, form).encode())
        yield Showing(form, RenderedBy.SCRIPT, script)
        for locale in config.form_locales(form):
            named = {name: current.get((name, locale)) for name in config.forms[form].purposes}
            shown = {name: text for name, text in named.items() if text is not None}
            if len(shown) == len(named):
                page = Specimen(What.FORM, form_page.blank(config, form, locale, shown))
                hashes = frozenset(text.hash for text in shown.values())
                yield Showing(form, RenderedBy.PAGE, page, locale, hashes)
