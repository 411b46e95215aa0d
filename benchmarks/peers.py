"""`make bench-peers`: our worker beside those who send without asking for any permission.

In one run on one machine, the same mail to the same sink, rounds in turn. Ours is the command as
an operator starts it, with all that it does beside; what it sends waits in PostgreSQL.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks import bars, receiving, rivals, workers
from benchmarks.bars import Bar, Tool
from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import durable_postgres, pin
from benchmarks.receiving import Counting, Window
from benchmarks.rivals import Nodemailer, Rival
from benchmarks.workers import BOTH_CORES, DOMAIN, WORKER_CORE, Gateway
from delivery import dkim
from delivery.dkim import SigningKey
from tests.support.ports import free_port

ROUNDS: Final = 5
MAILS: Final = 2500
SIZE: Final = 6144  # bytes of a mail on the wire
_SPREAD: Final = 0.1  # by how much of it a mail may be smaller or larger
_WARM: Final = 500  # mails of each before the first round, which are not counted
_LOOKED_AT: Final = 2  # mails of each whose signature is verified
_PATIENCE: Final = 180  # seconds for them: a busy machine starts slowly

READY, TEMPLATE = "ours, ready-made content", "ours, a template with three places"
ONE, TWO = "ours on both cores, 1 process", "ours on both cores, 2 processes"
WRITTEN, PARSED = "nodemailer, as written", "nodemailer, its key parsed once"
OPENDKIM, RSPAMD = "Postfix + OpenDKIM", "Postfix + rspamd"
LIMIT = "openssl speed rsa2048, one core"
_OURS: Final = {  # what is handed in, processes, cores
    READY: ("ready", 1, WORKER_CORE),
    TEMPLATE: ("template", 1, WORKER_CORE),
    ONE: ("ready", 1, BOTH_CORES),
    TWO: ("ready", 2, BOTH_CORES),
}
BARS: Final = [
    *((one, LIMIT, Bar(0.40, 0.55)) for one in (READY, TEMPLATE)),
    *((one, WRITTEN, Bar(3.0, 4.5)) for one in (READY, TEMPLATE)),
    *((one, PARSED, Bar(2.2, 3.0)) for one in (READY, TEMPLATE)),
    (TWO, OPENDKIM, Bar(7, 12)),
    (TWO, RSPAMD, Bar(5, 8)),
    (TWO, ONE, Bar(1.6, 1.8)),
]
_COUNTS: Final = Tool("smtp-sink", "Debian package postfix; without it nothing is counted")
_NEEDS: Final = {
    LIMIT: (Tool("openssl", "Debian package openssl"),),
    WRITTEN: rivals.NODE,
    PARSED: rivals.NODE,
    OPENDKIM: rivals.OPENDKIM,
    RSPAMD: rivals.RSPAMD,
}
Contenders = Mapping[str, Callable[[Counting, int], Window]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; what is missing is named first, and the rest runs."""
    wanted = argparse.ArgumentParser(prog="bench-peers")
    wanted.add_argument("--rounds", type=int, default=ROUNDS)
    wanted.add_argument("--mails", type=int, default=MAILS)
    chosen = wanted.parse_args(arguments)
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps servers
    absent = _tell_missing()
    if shutil.which(_COUNTS.command) is None:
        return 1
    sys.stdout.write(f"{platform.machine()}, CPython {platform.python_version()}, ")
    sys.stdout.write(f"{chosen.rounds} rounds of {chosen.mails:,} mails\n")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # Postfix and the milters are other users
        _run(Path(folder), chosen.rounds, chosen.mails, absent)
    sys.stdout.write(f"{time.perf_counter() - begun:,.0f} s\n")
    return 0


def _tell_missing() -> set[str]:
    """Name what is not there, with the way to it; who cannot take part without it."""
    absent = {name for name, tools in _NEEDS.items() if bars.missing(tools, shutil.which)}
    tools = {tool: None for needed in ([_COUNTS], *_NEEDS.values()) for tool in needed}
    lines = bars.missing(tools, shutil.which)
    if os.geteuid() != 0:
        absent |= {OPENDKIM, RSPAMD}
        lines.append("Postfix starts as root only: run this as root")
    for line in lines:
        sys.stderr.write(f"{line}\n")
    return absent


def _run(folder: Path, rounds: int, mails: int, absent: set[str]) -> None:
    pin({1})  # PostgreSQL, the sink and the callers; whoever is compared pins itself elsewhere
    port, key = free_port(), folder / "key.pem"
    pem = dkim.new_key()
    key.write_bytes(pem.reveal())
    key.chmod(0o644)  # of this run alone: the milters are other users
    records = dict([dkim.dns_record(rivals.SELECTOR, DOMAIN, SigningKey.load(pem))])
    with durable_postgres() as server, contextlib.ExitStack() as stack:
        gateway = workers.prepare(folder / "gateway", server, "peers", port, mails)
        with receiving.keeping(port, folder / "kept"):
            mail = _look_at_ours(gateway, folder)
            others = dict(_others(stack, Place(folder, port, key, mail), absent))
            for name, rival in others.items():
                _look_at(name, rival, folder, records)
        with receiving.counting(port) as sink:
            race = Race(gateway, sink, others)
            measured = _measure(race, rounds, mails, absent)
    tell(
        Figure("one worker, the most that it held", "MB", race.memory),
        Figure("its processor's time for a mail, ready-made", "ms", race.cpu),
    )
    _tell(measured)


@dataclass(frozen=True)
class Place:
    """Where the others are, what they sign with, and the mail that is theirs to sign."""

    folder: Path
    port: int
    key: Path
    mail: bytes


def _others(
    stack: contextlib.ExitStack, at: Place, absent: set[str]
) -> Iterator[tuple[str, Rival]]:
    """Those of whom nothing is missing, up and running."""
    file = at.folder / "mail"
    file.write_bytes(at.mail.replace(b"\r\n", b"\n"))
    file.chmod(0o644)
    if WRITTEN not in absent:
        try:
            rivals.install_nodemailer()
            mail = rivals.said(at.mail)
            yield WRITTEN, Nodemailer(at.port, at.key, mail, parsed=False)
            yield PARSED, Nodemailer(at.port, at.key, mail, parsed=True)
        except subprocess.CalledProcessError:
            sys.stderr.write("nodemailer is missing: npm could not fetch it\n")
    if OPENDKIM not in absent:
        opened = rivals.postfix_and_opendkim(at.folder / "opendkim", at.port, at.key, file)
        yield OPENDKIM, stack.enter_context(opened)
    if RSPAMD not in absent:
        opened = rivals.postfix_and_rspamd(at.folder / "rspamd", at.port, at.key, file)
        yield RSPAMD, stack.enter_context(opened)


def _look_at_ours(gateway: Gateway, folder: Path) -> bytes:
    """Verify ours; the ready-made one without its signature, for those who sign it themselves."""
    records = gateway.dkim_records()
    for kind, name in (("template", TEMPLATE), ("ready", READY)):
        gateway.hand_in(kind, _LOOKED_AT)
        with workers.Running(gateway.config, 1, WORKER_CORE):
            raw = _arrived(folder, name, records)
    fields, _, body = raw.partition(b"\r\n\r\n")
    left = [one for one in _fields(fields) if not one.lower().startswith(b"dkim-signature:")]
    return b"\r\n".join(left) + b"\r\n\r\n" + body


def _fields(head: bytes) -> list[bytes]:
    """The fields of a head, each with its folded lines."""
    found: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in b" \t" and found:
            found[-1] += b"\r\n" + line
        else:
            found.append(line)
    return found


def _look_at(name: str, rival: Rival, folder: Path, records: Mapping[str, str]) -> None:
    process = rival.send(_LOOKED_AT)
    try:
        _arrived(folder, name, records)
        assert process.wait(60) == 0, f"{name} ended with {process.returncode}"
    finally:
        process.kill()
        process.wait()


def _arrived(folder: Path, name: str, records: Mapping[str, str]) -> bytes:
    """Wait for the mails of one that sends, verify them by dkimpy, and take them away."""
    until = time.perf_counter() + _PATIENCE
    while True:  # the last of them may be half written
        found = sorted((folder / "kept").iterdir())
        mails = [bars.kept(one.read_bytes()) for one in found]
        good = [dkim.verify(one, records) for one in mails]
        if len(mails) >= _LOOKED_AT and all(good):
            break
        assert time.perf_counter() < until, f"{name}: of {len(good)} mails {sum(good)} verify"
        time.sleep(0.5)
    for one in found:
        one.unlink()
    size = len(mails[-1])
    sys.stdout.write(f"{name}: {size:,} bytes, signature verified by dkimpy\n")
    sys.stdout.flush()
    assert abs(size - SIZE) < _SPREAD * SIZE, f"{name}: {size:,} bytes are not about {SIZE:,}"
    return mails[-1]


@dataclass
class Race:
    """All who take part, and what one sends in a round."""

    gateway: Gateway
    sink: Counting
    others: Mapping[str, Rival]
    memory: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def one(self, name: str, mails: int) -> float:
        """How many a second."""
        if name == LIMIT:
            return rivals.rsa_limit()
        if name in _OURS:
            return self._ours(name, mails)
        return rivals.watched(self.others[name], self.sink, mails).rate

    def _ours(self, name: str, mails: int) -> float:
        kind, processes, cores = _OURS[name]
        self.gateway.hand_in(kind, mails)
        before = self.gateway.statuses().get("sent", 0)
        delivered = self.gateway.deliver(self.sink, mails, processes=processes, cores=cores)
        statuses = self.gateway.statuses()
        assert statuses == {"sent": before + mails}, f"{name}: {statuses}"
        if name == READY:
            self.memory.append(delivered.memory)
            self.cpu.append(delivered.window.each)
        return delivered.window.rate


def _measure(race: Race, rounds: int, mails: int, absent: set[str]) -> dict[str, list[float]]:
    """What each sends a second, by name: rounds in turn, after one that is not counted."""
    for name in (READY, TEMPLATE, *race.others):
        race.one(name, min(_WARM, mails))
    race.gateway.analyze()
    race.memory.clear()
    race.cpu.clear()
    names = [*({LIMIT} - absent), *_OURS, *race.others]
    measured: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in bars.turns(number, names):
            workers.settle()
            measured[name].append(race.one(name, mails))
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
    return measured


def _tell(measured: Mapping[str, Sequence[float]]) -> None:
    figures = {
        name: Figure(name, "sig/s" if name == LIMIT else "msg/s", each)
        for name, each in measured.items()
    }
    tell(*figures.values())
    for ours, other, bar in BARS:
        if ours in figures and other in figures:
            found = ratio(f"{ours} / {other}", figures[ours], figures[other])
            sys.stdout.write(f"{found}\n    must {bar.must:g}, aim {bar.aim:g}: ")
            sys.stdout.write(f"{bar.verdict(found.median)}\n")


if __name__ == "__main__":
    sys.exit(main())
