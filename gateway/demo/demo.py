"""`gateway demo`: gateway, landing page and inbox in one process, on the embedded default."""

from __future__ import annotations

import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from audit.entry import Event, draft
from audit.kinds import Actor, Kind
from audit.log import Log
from gateway.callers import api_keys
from gateway.callers.api_keys import ApiKey, Scope
from gateway.config import config
from gateway.config.config import Config
from gateway.demo.landing import Landing, next_steps, open_landing, place_of_landing
from gateway.http.places import require_free
from gateway.process import initialise, processes
from gateway.process.lifespan import open_parts, put_in_order
from gateway.process.only_one import only_one
from gateway.process.processes import Process
from gateway.watch.metrics import Metrics
from storage import files
from storage.clock import Clock, DatabaseClock
from storage.database import Database
from storage.honesty import RowKeys

_KEY_NAME, _FILE = "demo", "config.toml"
# What the embedded default listens at, and how far behind one number that is to move all of them.
_TITLE: Final = 'title = { en = "Newsletter", de = "Newsletter"'
_LABEL: Final = 'label = { en = "First name", de = "Vorname"'
_WORDING: Final = "[forms.newsletter] "
_FRENCH: Final = {
    f"{_TITLE} }}": f'{_TITLE}, fr = "Lettre d’information" }}',
    f"{_LABEL} }}": f'{_LABEL}, fr = "Prénom" }}',
    f"\n{_WORDING}": (
        'fr = "Oui, envoyez-moi la lettre d’information d’Acme avec des nouveautés et des offres'
        " par e-mail, environ deux fois par mois. Je peux retirer mon consentement à tout moment,"
        f' par le lien figurant dans chaque e-mail."\n\n{_WORDING}'
    ),
}
_PORTS: Final = {8080: 0, 8090: 1, 8025: 2, 2525: 3, 9180: 4}


async def demonstrate(file: Path) -> None:
    """Make what is missing beside its configuration, run everything, say what to do next."""
    loaded = config.load(file)
    _say("Setting up ...")
    await initialise.initialise(loaded, DatabaseClock())
    async with AsyncExitStack() as stack:
        stack.enter_context(only_one(loaded.storage.url))
        # All of them first: what cannot listen has published nothing.
        landing_at = place_of_landing(loaded)
        beside = [(landing_at, None)]
        places = await stack.enter_async_context(processes.places_of(loaded, beside))
        inbox = await stack.enter_async_context(processes.receiving(loaded))
        landing = Landing.of(loaded, inbox.url if inbox else "")
        url = await stack.enter_async_context(open_landing(landing, *landing_at))
        parts = await stack.enter_async_context(open_parts(loaded))
        await put_in_order(parts)
        process = Process(parts, Metrics(), processes.stop_on_signals())
        await stack.enter_async_context(processes.running(process, places, with_worker=True))
        key = await _fresh_key(parts.data, parts.clock, parts.rows, parts.log)
        _say(next_steps(landing, url, key, file))
        await process.stopping.wait()
        _say("Stopping ...")


def prepare(directory: Path, port: int | None = None) -> Path:
    """Make the folder and its configuration, where they are missing; returns the file.

    It is the embedded default, in French too: later commands name it, and whoever wants may change
    it. With a *port* it listens there and at the next four.
    """
    path = directory / _FILE
    if not path.exists():
        files.make_folder(directory)
        files.write_private(path, _text(port).encode())
    return path


def planned(directory: Path, port: int | None = None) -> Config:
    """The configuration that is there, or that `prepare` would make; nothing is made.

    Raises ValueError where one is there that listens elsewhere than at *port*.
    """
    path = directory / _FILE
    if not path.exists():
        return config.parse(_text(port), base=directory.absolute(), name=str(path))
    loaded = config.load(path)
    if port is not None and loaded.server.listen.port != port:
        raise ValueError(f"{path} listens elsewhere; change it there, or give another --directory")
    return loaded


async def require_places(loaded: Config) -> None:
    """Raise as `require_free` where something that the demo listens at is taken.

    Before anything is made: what a demo left that never ran, somebody would have to delete.
    """
    await require_free(processes.addresses(loaded, [(place_of_landing(loaded), None)]))


def _text(port: int | None) -> str:
    return _moved(_in_french_too(config.embedded_default()), port)


def _in_french_too(raw: str) -> str:
    """The demo shows a form in every language; in which ones to mail, its operator knows."""
    for before, words in _FRENCH.items():
        assert raw.count(before) == 1, before  # noqa: S101 of our own default
        raw = raw.replace(before, words)
    return raw


def _moved(raw: str, port: int | None) -> str:
    if port is None:
        return raw
    for old, offset in _PORTS.items():
        raw = re.sub(rf"(127\.0\.0\.1|localhost):{old}\b", rf"\g<1>:{port + offset}", raw)
    return raw


async def _fresh_key(data: Database, clock: Clock, keys: RowKeys, log: Log) -> str:
    """A key for the printed examples; that of the last run ends, for nobody kept it."""
    async with data.begin() as connection:
        now = await clock.now(connection)
        told = []
        for old in await api_keys.listed(connection, keys):
            if isinstance(old, ApiKey) and old.name == _KEY_NAME and old.revoked_at is None:
                await api_keys.revoke(connection, keys, old.id, now)
                told.append((Kind.API_KEY_REVOKED, old.id))
        key, token = await api_keys.create(connection, keys, name=_KEY_NAME, scopes=Scope, now=now)
        told.append((Kind.API_KEY_CREATED, key.id))
        events = [Event(kind, Actor.SYSTEM, now, refs={"api_key": one}) for kind, one in told]
        await log.stage(connection, [draft(one, None, log.node) for one in events])
    return token


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
