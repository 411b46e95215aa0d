"""Whether a database could not be used, and why: in words to act on, which quote nothing."""

from __future__ import annotations

import os
import socket
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# PostgreSQL classes (its manual, appendix A): connection lost, not let in, no such database,
# rolled back for another's sake, out of resources, lock not to be had, operator intervention,
# system error. The same transaction may succeed later.
_AWAY_CLASSES = ("08", "28", "3D", "40", "53", "55P03", "57", "58")
# SQLite's name for a statement that is wrong; what else its driver calls operational (busy, full,
# read-only, not to be opened) is about the file, and so is a damaged one.
_WRONG = "SQLITE_ERROR"
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

# By PostgreSQL's codes (its manual, appendix A), the longest that fits first.
_POSTGRESQL: Final = {
    "28P01": "it does not know this user with this password",
    "28": "it does not let this user in from here (pg_hba.conf)",
    "3D": "there is no database of that name",
    "53100": "its disk is full",
    "53300": "it has no connection left for us",
    "53": "it has no room left",
    "55P03": "somebody holds a lock for too long",
    "57P03": "it is starting or stopping",
    "57": "its operator ended what we did",
    "25006": "it takes no writes",
    "40": "it undid what we did for somebody else's sake",
    "42501": "this user may not do that there",
    "42P01": "tables are missing: run `gateway init`, or `gateway db upgrade`",
}
_SQLITE: Final = {
    "SQLITE_FULL": "its disk is full",
    "SQLITE_CANTOPEN": "its file cannot be opened: see who owns it, its folder too",
    "SQLITE_READONLY": "its file cannot be written: see who owns it, its folder too",
    "SQLITE_BUSY": "another process holds it for too long",
    "SQLITE_NOTADB": "its file is no database",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_IOERR": "its disk fails",
}
_ALL_IN_USE: Final = "all our connections to it are in use"
_NO_HOST: Final = "the name of its host is not known"
# What is done about a store that answered; of one that did not, it is to be started.
_WAYS: Final = {
    _POSTGRESQL["28P01"]: "mend its password",
    _POSTGRESQL["28"]: "let it do so",
    _POSTGRESQL["3D"]: "make it (CREATE DATABASE; docs/operations.md, Install)",
    _POSTGRESQL["53100"]: "make room there",
    _POSTGRESQL["53300"]: "let it have more (max_connections)",
    _POSTGRESQL["53"]: "make room there",
    _POSTGRESQL["55P03"]: "end that, and try again",
    _POSTGRESQL["57P03"]: "wait for it",
    _POSTGRESQL["57"]: "try again",
    _POSTGRESQL["25006"]: "let it take them",
    _POSTGRESQL["40"]: "try again",
    _POSTGRESQL["42501"]: "let it do so (GRANT)",
    _POSTGRESQL["42P01"]: "do so",
    _ALL_IN_USE: "try again",
    _NO_HOST: "let it be known to this machine",
    _SQLITE["SQLITE_FULL"]: "make room there",
    _SQLITE["SQLITE_CANTOPEN"]: "give it to the gateway's user",
    _SQLITE["SQLITE_READONLY"]: "give it to the gateway's user",
    _SQLITE["SQLITE_BUSY"]: "end that, and try again",
    _SQLITE["SQLITE_NOTADB"]: "put its backup back",
    _SQLITE["SQLITE_CORRUPT"]: "put its backup back",
    _SQLITE["SQLITE_IOERR"]: "mend it",
}


def way_out(reason: str) -> str:
    """What to do about a store that is away for that reason (`why`), if its setting is right."""
    return _WAYS.get(reason, "start it")


def is_away(error: DBAPIError) -> bool:
    """Say whether the database is unusable now, rather than the statement wrong."""
    if error.connection_invalidated:
        return True
    in_sqlite = str(getattr(error.orig, "sqlite_errorname", ""))
    if isinstance(error, OperationalError | InterfaceError):
        return in_sqlite != _WRONG
    if in_sqlite.startswith(_DAMAGED):
        return True
    return str(getattr(error.orig, "sqlstate", "") or "").startswith(_AWAY_CLASSES)


def why(error: BaseException) -> str:
    """Say why by the kind of an error alone; empty where the kind says nothing."""
    return next(filter(None, map(_of_one, _chain(error))), "")


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = getattr(error, "orig", None) or error.__cause__
    return chain


def _of_one(error: BaseException) -> str:
    state = str(getattr(error, "sqlstate", None) or "")
    if state:
        return _longest(_POSTGRESQL, state)
    if named := str(getattr(error, "sqlite_errorname", None) or ""):
        return _longest(_SQLITE, named)
    if isinstance(error, PoolTimeout):
        return _ALL_IN_USE
    if isinstance(error, socket.gaierror):
        return _NO_HOST
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return ""


def _longest(words: dict[str, str], code: str) -> str:
    fitting = [one for one in words if code.startswith(one)]
    return words[max(fitting, key=len)] if fitting else ""
