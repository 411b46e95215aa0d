"""Whether what the configuration listens at can be had, or is ours already."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Final

from gateway.config.config import Config
from gateway.config.fields import Listen
from gateway.watch.findings import Finding, fail, ok

_ABOUT: Final = "ports"
_PATIENCE: Final = 3.0
_ALIVE: Final = b'"status":"ok"'
_ASKS: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def about(config: Config) -> list[Finding]:
    """Of `serve`; where a worker listens its own command line says."""
    server, inbox = config.server, config.delivery.inbox
    wanted = [("server.listen", server.listen)]
    if server.admin_listen is not None:
        wanted.append(("server.admin_listen", server.admin_listen))
    if config.delivery.transport == "inbox":
        wanted += [("delivery.inbox.smtp", inbox.smtp), ("delivery.inbox.listen", inbox.listen)]
    return [await _about(setting, listen) for setting, listen in wanted]


async def _about(setting: str, listen: Listen) -> Finding:
    place = f"{listen.host}:{listen.port}"
    why = await asyncio.to_thread(_refusal, listen)
    if why is None:
        return ok(_ABOUT, f"{place} is free ({setting})")
    if why != errno.EADDRINUSE:
        said = f"{place} cannot be listened at: {os.strerror(why) if why else 'no such host'}"
        return fail(_ABOUT, f"{said} ({setting})", f"set another {setting}")
    if setting.startswith("delivery.inbox") or await _is_ours(listen):
        return ok(_ABOUT, f"{place} is in use by a gateway ({setting})")
    said = f"{place} is in use by something else ({setting})"
    return fail(_ABOUT, said, f"stop what listens there, or set another {setting}")


def _refusal(listen: Listen) -> int | None:
    """The number of the error with which it is refused, 0 for an unknown host; None: it is free."""
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(address)
                one.listen(1)
    except socket.gaierror:
        return 0
    except OSError as error:
        return error.errno or 0
    return None


async def _is_ours(listen: Listen) -> bool:
    """Whether what is there answers as a gateway does."""
    host = "127.0.0.1" if listen.host in ("0.0.0.0", "::") else listen.host  # noqa: S104
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(host, listen.port)
            try:
                writer.write(_ASKS)
                return _ALIVE in (await reader.read(4096)).replace(b" ", b"")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
