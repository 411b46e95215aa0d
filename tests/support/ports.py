"""Ports for processes that are told where to listen.

The kernel's own choice is not kept for anybody: until the process listens,
whoever connects anywhere may be given it.  So these lie below what kernels
choose from for connections, each of a suite's processes has its own among them,
and no two suites on a machine walk alike.
"""

from __future__ import annotations

import os
import secrets
import socket

_BELOW_WHAT_KERNELS_CHOOSE = range(15_000, 32_000)
_TOGETHER = 4  # of each process's own follow each other
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_OURS = [one for one in _BELOW_WHAT_KERNELS_CHOOSE if one // _TOGETHER % _WORKERS == _WE]
_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on, and that nobody else here was given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many that follow each other."""
    ours = set(_OURS)
    while True:
        first = secrets.choice(_OURS)
        wanted = range(first, first + count)
        if ours.issuperset(wanted) and _given.isdisjoint(wanted) and all(map(_is_free, wanted)):
            _given.update(wanted)
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
