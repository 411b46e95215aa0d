"""docs/operations.md, Install: typed as it stands there on a root of its own, up to the first mail.

The root is this machine's, and whatever is written to it is thrown away. PostgreSQL and the relay
are the tests' own, which is why their addresses are changed, as is what an operator changes.
"""

from __future__ import annotations

import asyncio
import email
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.policy import default
from pathlib import Path

import aiohttp
import pytest

from tests.contract.test_operations import blocks
from tests.support.certificates import loopback_contexts
from tests.support.house import ROOT
from tests.support.ports import free_port
from tests.support.postgres import Postgres, postgres
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

_TOOLS = ("useradd", "runuser", "install", "git", "python3", "openssl", "unshare", "apt-get")


def _makes_roots() -> bool:
    """Whether this machine lets us: a container's root may not, nor may one overlay lie on another.

    Tried with what the test needs and nothing of ours, so that no fault of ours is passed over.
    """
    mounted = "mount -t overlay overlay -o lowerdir=/,upperdir=$1/u,workdir=$1/w $1/r"
    with tempfile.TemporaryDirectory() as folder:
        for one in "uwr":
            (Path(folder) / one).mkdir()
        tried = ["unshare", "--mount", "--pid", "--fork", "sh", "-euc", mounted, "sh", folder]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.wide,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may change roots"),
    pytest.mark.skipif(not (ROOT / ".git").is_dir(), reason="no clone to install from"),
    pytest.mark.skipif(
        any(shutil.which(one, path="/usr/sbin:/usr/bin:/sbin:/bin") is None for one in _TOOLS),
        reason="not on Debian",
    ),
]
ADA = "ada@example.org"
_ROOT = """
mount -t overlay overlay -o lowerdir=/,upperdir={0}/upper,workdir={0}/work {0}/root
mount -t proc proc {0}/root/proc
mount --rbind /dev {0}/root/dev
mount --bind {1} {0}/root/repository
mount --bind {2} {0}/root/postgresql
exec chroot {0}/root sh -eu /install
"""
# As Debian's packages of PostgreSQL would have left it.
_POSTGRES = """
id postgres >/dev/null 2>&1 || useradd --system postgres
cat > /usr/local/bin/psql <<'PSQL'
#!/bin/sh
exec /postgresql/{binaries}/psql -h 127.0.0.1 -p {port} -U postgres "$@"
PSQL
chmod 755 /usr/local/bin/psql
"""
# What the administrator changes for Acme; the last line is what systemd does.
_CHANGED = """
sed -i 's/@127.0.0.1\\//@127.0.0.1:{database}\\//' /etc/gateway/environment
sed -i -e 's/127.0.0.1:8080/127.0.0.1:{public}/' -e 's/127.0.0.1:9180/127.0.0.1:{admin}/' \\
    -e 's/relay.acme.example/127.0.0.1/' -e 's/port = 587/port = {relay}/' \\
    -e 's/^tls = "starttls"/&\\nca_file = "\\/etc\\/gateway\\/relay.pem"/' /etc/gateway/config.toml
cp /relay.pem /etc/gateway/relay.pem
"""
_UNITS = """
unit() {{ (cd / && runuser -u gateway -- env $(cat /etc/gateway/environment) "$@") & }}
unit {serve}
unit {worker}
unit {second}
wait
"""


@dataclass
class Ports:
    """Where everything listens."""

    database: int
    relay: int
    public: int
    admin: int
    workers: tuple[int, int]


def started(unit: str, instance: int | None = None) -> str:
    """What a unit runs."""
    written = (ROOT / "deploy/systemd" / unit).read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", written, re.MULTILINE)
    return command.replace("%i", str(instance))


def script(server: Postgres, ports: Ports) -> str:
    system, databases, configuration, first_steps = blocks("Install")
    first, second = ports.workers
    units = _UNITS.format(
        serve=started("gateway.service"),
        worker=started("gateway-worker@.service", first),
        second=started("gateway-worker@.service", second),
    )
    # Its records stand in no DNS: it says so, and exits 1.
    steps = first_steps.replace("as_gateway doctor", "as_gateway doctor || echo doctor: $?")
    assert not Path("/opt/gateway").exists(), "something of it is here already"
    return "\n".join(
        [
            _POSTGRES.format(binaries=_below(server.binaries), port=ports.database),
            "repository=/repository relay_password=secret",
            system.replace("git clone", "git -c safe.directory='*' clone"),
            databases,
            configuration,
            _CHANGED.format(**vars(ports)),
            steps,
            units,
        ]
    )


@pytest.fixture
def server() -> Iterator[tuple[Postgres, int]]:
    port = free_port()
    with postgres(options=["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]) as server:
        yield server, port


def _below(binaries: Path) -> Path:
    return binaries.relative_to(binaries.parents[2])  # where its libraries are, too


@dataclass
class Installed:
    """What types on a root of its own, and what it prints."""

    process: subprocess.Popen[bytes]
    out: Path

    async def answers(self, port: int, seconds: float = 200) -> None:
        """Return once somebody answers there that all is well."""
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as http:
            while True:
                assert self.process.poll() is None, self.out.read_text()
                with suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.2)


@contextmanager
def installed(folder: Path, said: str, binaries: Path) -> Iterator[Installed]:
    """Type what is *said* on a root of its own."""
    for one in ("upper", "work", "root", "upper/repository", "upper/postgresql"):
        (folder / one).mkdir()
    (folder / "upper/install").write_text(said)
    shutil.copy(folder / "loopback.pem", folder / "upper/relay.pem")
    (folder / "upper/relay.pem").chmod(0o644)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    out = folder / "out"
    with out.open("wb") as printed:
        process = subprocess.Popen(
            [*command, "sh", "-eu", "-c", _ROOT.format(folder, ROOT, binaries.parents[2])],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **kept},
        )
        try:
            yield Installed(process, out)
        finally:
            process.kill()
            process.wait()


def link(raw: bytes, route: str, base: str) -> str:
    """The link of a mail that a person would follow, at the gateway itself: no proxy is there."""
    body = email.message_from_bytes(raw, policy=default).get_body(("plain",))
    assert body is not None
    (found,) = set(re.findall(rf"https://mail\.acme\.example(/{route}/\S+)", body.get_content()))
    return base + found


async def test_what_is_written_is_typed_and_the_first_mail_arrives(
    tmp_path: Path, server: tuple[Postgres, int]
) -> None:
    if not await asyncio.to_thread(_makes_roots):
        pytest.skip("no root of its own can be made here")
    tls, _ = loopback_contexts(tmp_path)
    async with open_sink() as relay:
        relay.tls = tls
        first, second = free_port(), free_port()
        ports = Ports(server[1], relay.port, free_port(), free_port(), (first, second))
        said = script(server[0], ports)
        with installed(tmp_path, said, server[0].binaries) as typed:
            for port in (ports.admin, *ports.workers):
                await typed.answers(port)
            key = re.findall(r"^cgw_\S+$", typed.out.read_text(), re.MULTILINE)[-1]
            await first_mail(f"http://127.0.0.1:{ports.public}", key, relay)
        printed = typed.out.read_text()

    assert {one for one in relay.credentials} == {b"\0gateway\0secret"}
    assert printed.count("made: ") >= 7
    assert "doctor: 1" in printed
    assert not re.findall(r"(?i)no such file|not found|invalid user|permission denied", printed)


async def first_mail(base: str, key: str, relay: Sink) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{base}/forms/newsletter.json") as answer:
            (asked,) = (await answer.json())["purposes"]
        body = {"email": ADA, "purposes": ["newsletter"], "texts": [asked["text"]["hash"]]}
        async with http.post(f"{base}/forms/newsletter", json=body) as answer:
            assert answer.status == 202
        await until(lambda: len(relay.accepted) == 1)
        confirm = link(relay.accepted[0].raw, "confirm", base)
        async with http.post(confirm, data={"answer": "confirm"}) as answer:
            assert answer.status == 200
        message = {
            "to": {"email": ADA},
            "purpose": "newsletter",
            "content": {"subject": "News", "text": "Hello."},
        }
        bearer = {"Authorization": f"Bearer {key}"}
        async with http.post(f"{base}/v1/messages", json=message, headers=bearer) as answer:
            assert answer.status == 202
        await until(lambda: len(relay.accepted) == 2)
        async with http.post(link(relay.accepted[1].raw, "unsubscribe", base)) as answer:
            assert answer.status == 200
        async with http.post(f"{base}/v1/messages", json=message, headers=bearer) as answer:
            assert answer.status == 403
