"""Statements are compiled once a process, not once for each engine that tests open."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache


class _ByKind:
    """A cache of compiled statements whose keys name the kind of dialect, not the one at hand."""

    def __init__(self) -> None:
        self._kept: LRUCache[Any, Any] = LRUCache(3_000)

    def get(self, key: Any, default: Any = None) -> Any:
        return self._kept.get(_anybodys(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        self._kept[_anybodys(key)] = compiled


def _anybodys(key: Any) -> Any:
    dialect, *rest = key
    return type(dialect), *rest


_compiled = _ByKind()


def share() -> None:
    """For every engine of this process: a test opens its own, and would compile all anew."""
    event.listen(Engine, "engine_connect", _use)


def _use(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_compiled)
