"""How long others wait while strangers send bodies that never end, of each type and framing."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, tell
from benchmarks.gateway import pin
from benchmarks.sign_ups import PORT, configure, running
from tests.support.endless import FORM, SHAPES, chunked, head, made

ROUNDS = 3
SECONDS = 3.0
CONNECTIONS = 4
MUST = 50  # milliseconds
ROUTES = ("/forms/newsletter", "/unsubscribe/" + "A" * 22, "/my-data", "/confirm/" + "A" * 43)
_PART = 256 * 1024


def run() -> None:
    """The server on one core; whoever attacks and whoever waits on the other."""
    pin({1})
    with tempfile.TemporaryDirectory() as folder, running(configure(Path(folder), None, None)):
        tell(Figure("healthz p99, nobody else", "ms", [_p99() for _ in range(ROUNDS)]))
        for name, content_type, framing, begin, again in _bodies():
            with _attack(content_type, framing, begin, again):
                rounds = [_p99() for _ in range(ROUNDS)]
            tell(Figure(f"healthz p99, {name} (must {MUST})", "ms", rounds))


def _bodies() -> Iterator[tuple[str, str, str, bytes, bytes]]:
    """Name, type and framing; what is sent once, and then without end."""
    for shape, (content_type, _, _) in SHAPES.items():
        body = made(shape, _PART)
        for piece, how in ((1, "by the byte"), (4096, "by the page")):
            again = b"".join(chunked(body, piece))
            yield f"{shape}, {how}", content_type, "Transfer-Encoding: chunked", b"", again
    chunks = "Transfer-Encoding: chunked"
    yield "an extension of a chunk", FORM, chunks, b"1;", b"x" * _PART
    yield "extensions of chunks", FORM, chunks, b"", b"1;x=y\r\na\r\n" * (_PART // 11)
    yield "trailers", FORM, chunks, b"1\r\na\r\n0\r\n", b"A: b\r\n" * (_PART // 6)
    yield "a body that fits, again and again", FORM, "Content-Length: 65536", b"", b"a=1&" * 16384


@contextlib.contextmanager
def _attack(content_type: str, framing: str, begin: bytes, again: bytes) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    attackers = [
        context.Process(
            target=_send,
            args=(head(ROUTES[n % len(ROUTES)], content_type, framing, {}) + begin, again),
            daemon=True,
        )
        for n in range(CONNECTIONS)
    ]
    for one in attackers:
        one.start()
    time.sleep(1.5)
    try:
        yield
    finally:
        for one in attackers:
            one.kill()
            one.join()


def _send(begin: bytes, again: bytes) -> None:
    """Send until the connection is closed, and begin anew, for ever."""
    os.sched_setaffinity(0, {1})
    os.nice(19)  # whoever waits is measured, and not the scheduler
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT)) as line:
            line.sendall(begin)
            while True:
                line.sendall(again)
                if b"Content-Length: 65536" in begin:
                    line.sendall(begin)


def _p99() -> float:
    """In milliseconds, of one caller on one connection."""
    line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    times = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        line.request("GET", "/healthz")
        assert line.getresponse().read() is not None
        times.append(time.perf_counter() - begun)
        time.sleep(0.002)
    line.close()
    return 1000 * statistics.quantiles(times, n=100)[98]
