"""On SQLite there is one process: a second would wait for its writes, and deliver beside it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.errors import AnotherServes
from storage import files
from storage.database import sqlite_files

_SUFFIX: Final = ".process"


@contextmanager
def only_one(url: str) -> Iterator[None]:
    """Hold the data for the life of the block, where they are a file of SQLite.

    Raises AnotherServes where a `serve`, `worker` or `demo` has it. The system lets go of it
    when the process ends, however that is; the empty file beside the data stays.
    """
    data = next(iter(sqlite_files(url)), None)
    if data is None:
        yield
        return
    files.make_folder(data.parent)
    descriptor = os.open(f"{data}{_SUFFIX}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # whoever else can open it could hold it, and keep us out
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherServes(data) from None
        yield
    finally:
        os.close(descriptor)
