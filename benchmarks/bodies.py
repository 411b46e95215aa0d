"""How long others wait while bodies that never end are sent, of each type, to every route."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Figure, tell
from benchmarks.gateway import HERE, pin
from benchmarks.sign_ups import PORT, configure, running
from gateway.callers.api_keys import Scope
from tests.support.endless import FORM, JSON, SHAPES, chunked, head, made
from tests.support.served import requests

ROUNDS = 3
SECONDS = 1.5
CONNECTIONS = 4
MUST = 50  # milliseconds
_PART = 256 * 1024


def run() -> None:
    """The server on one core; whoever attacks and whoever waits on the other."""
    pin({1})
    with tempfile.TemporaryDirectory() as folder:
        config = configure(Path(folder), None, None)
        key = _key(config)
        with running(config) as server:
            alone = _figures("nobody else", server)
            tell(*alone)
            found = []
            for name, content_type, framing, begin, again in _bodies():
                with _attack(content_type, framing, key, begin, again):
                    found.append(_figures(name, server))
                tell(*found[-1])
    worst = [max(of_one, key=lambda one: one.median) for of_one in zip(*found, strict=True)]
    tell(*alone, *(Figure(f"worst: {one.name}", one.unit, one.rounds) for one in worst))


def _figures(name: str, server: int) -> list[Figure]:
    """How long one waits, and what of it the loop worked: neighbours do not count there."""
    rounds = [_p99(server) for _ in range(ROUNDS)]
    waited, worked = zip(*rounds, strict=True)
    return [
        Figure(f"p99, {name} (must {MUST})", "ms", waited),
        Figure("  of it worked", "ms", worked),
    ]


def _key(config: Path) -> str:
    """Of a caller who may do everything: their bodies are read, too."""
    command = [sys.executable, "-m", "gateway", "--config", str(config), "api-key", "create"]
    scopes = [word for scope in Scope for word in ("--scope", scope)]
    made = subprocess.run(
        [*command, "--name", "bodies", *scopes], cwd=HERE, check=True, capture_output=True
    )
    return made.stdout.decode().strip()


def _bodies() -> Iterator[tuple[str, str, str, bytes, bytes]]:
    """Name, type and framing; what is sent once, and then without end."""
    for shape, (content_type, _, _) in SHAPES.items():
        body = made(shape, _PART)
        for piece, how in ((1, "by the byte"), (4096, "by the page")):
            again = b"".join(chunked(body, piece))
            yield f"{shape}, {how}", content_type, "Transfer-Encoding: chunked", b"", again
    chunks = "Transfer-Encoding: chunked"
    most = f"Content-Length: {16 * 1024 * 1024}"
    yield "a caller's values, as many as fit", JSON, most, b"[", b"1," * (_PART // 2)
    yield "a caller's texts, as many as fit", JSON, most, b"[", b'"",' * (_PART // 3)
    yield "an extension of a chunk", FORM, chunks, b"1;", b"x" * _PART
    yield "extensions of chunks", FORM, chunks, b"", b"1;x=y\r\na\r\n" * (_PART // 11)
    yield "trailers", FORM, chunks, b"1\r\na\r\n0\r\n", b"A: b\r\n" * (_PART // 6)
    yield "a body that fits, again and again", FORM, "Content-Length: 65536", b"", b"a=1&" * 16384


@contextlib.contextmanager
def _attack(
    content_type: str, framing: str, key: str, begin: bytes, again: bytes
) -> Iterator[None]:
    """Each connection goes through everything that is served, one route after the other."""
    context = multiprocessing.get_context("fork")  # there is no thread here, and it is at once
    heads = [
        head(
            path.replace("/forms/signup", "/forms/newsletter"),
            content_type,
            framing,
            _told(path, key),
            how,
        )
        + begin
        for how, path in requests()
    ]
    attackers = [
        context.Process(target=_send, args=(heads[n:] + heads[:n], again), daemon=True)
        for n in range(0, len(heads), len(heads) // CONNECTIONS)[:CONNECTIONS]
    ]
    for one in attackers:
        one.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        for one in attackers:
            one.kill()
            one.join()


def _told(path: str, key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if path.startswith("/v1/") else {}


def _send(heads: Sequence[bytes], again: bytes) -> None:
    """Send until the connection is closed, and begin anew, for ever."""
    os.sched_setaffinity(0, {1})
    os.nice(19)  # whoever waits is measured, and not the scheduler
    for begin in itertools.cycle(heads):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT)) as line:
            line.settimeout(1)
            line.sendall(begin)
            until = time.monotonic() + 0.5  # where nobody closes it, the next route is due
            while time.monotonic() < until:
                line.sendall(again)
                if b"Content-Length: 65536" in begin:
                    line.sendall(begin)


def _p99(server: int) -> tuple[float, float]:
    """In milliseconds, of one caller on one connection: by the wall, and of the processor."""
    line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    times, works = [], []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        worked, begun = _worked(server), time.perf_counter()
        line.request("GET", "/healthz")
        assert line.getresponse().read() is not None
        times.append(time.perf_counter() - begun)
        works.append(_worked(server) - worked)
        time.sleep(0.002)
    line.close()
    waited, of_it = (1000 * statistics.quantiles(one, n=100)[98] for one in (times, works))
    return waited, of_it


def _worked(server: int) -> float:
    """Seconds that the server's first thread, its loop, has had the processor."""
    told = Path(f"/proc/{server}/task/{server}/schedstat").read_text("ascii")
    return int(told.split()[0]) / 1e9
