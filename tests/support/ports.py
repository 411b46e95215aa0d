"""Ports for processes that are told where to listen.

The kernel's own choice is not kept for anybody: until the process listens,
whoever connects anywhere may be given it.  So these lie below what kernels
choose from for connections, and no two suites on a machine walk alike.
"""

from __future__ import annotations

import secrets
import socket

_BELOW_WHAT_KERNELS_CHOOSE = range(15_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on, and that nobody else here was given."""
    while True:
        port = secrets.choice(_BELOW_WHAT_KERNELS_CHOOSE)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
