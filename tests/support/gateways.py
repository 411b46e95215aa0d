"""A real gateway in real processes, looked at from outside: HTTP, SMTP, files.

Each has a directory of its own, a relay of its own (`tests.support.sink` in a
process) and either SQLite or databases in the test server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import forking
from tests.support.databases import Databases, Urls, copy_initialised
from tests.support.forking import Forked
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

_HERE = Path(__file__).parents[2]
HOLD = "hold"  # a file beside the configuration: while it is there, the relay answers no dot
HOLD_RCPT = "hold-rcpt"  # the same, of RCPT
_TEMPLATE = """
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
admin_listen = "{admin}"

[controller]
name = "Acme GmbH"
postal_address = "Musterstr. 1, 10115 Berlin, Germany"
contact = "privacy@acme.example"

[storage]
url = "{url}"
keystore_url = "{keystore_url}"

[keys]
keyring_file = "keyring.json"
dkim_dir = "dkim"

[audit]
origin = "test.example/audit/gateway"

[senders.acme]
name = "Acme"
from_address = "news@acme.example"
imprint_url = "https://www.acme.example/imprint"
privacy_url = "https://www.acme.example/privacy"
dkim_domain = "acme.example"

[processors.relay]
name = "Mail Relay GmbH"
role = {{ en = "hands over our mails", de = "übergibt unsere E-Mails" }}
country = "DE"

[purposes.newsletter]
sender = "acme"
basis = "consent"
title = {{ en = "Newsletter", de = "Newsletter" }}
text = {{ en = "Yes, send me the newsletter.", de = "Ja, ich möchte den Newsletter." }}

[purposes.product-updates]
sender = "acme"
basis = "consent"
title = {{ en = "Product updates", de = "Produktneuigkeiten" }}
text = {{ en = "Yes, tell me about the product.", de = "Ja, ich möchte Neuigkeiten." }}
{capped}

[forms.signup]
purposes = ["newsletter", "product-updates"]
fields = {{ first_name = {{ required = false, max_length = 80 }} }}
origins = ["https://www.acme.example"]

[delivery]
transport = "relay"
permit_ttl = "{permit_ttl}"
lease = "{lease}"
journal_dir = "journal"

[delivery.relay]
host = "127.0.0.1"
port = {relay_port}
connections = {connections}

[limits]
enabled = {limits}
"""


@dataclass
class Received:
    """One transaction that the relay saw."""

    event: Mapping[str, Any]

    @property
    def raw(self) -> bytes:
        return base64.b64decode(self.event["raw"])

    @property
    def mail(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def to(self) -> str:
        return str(self.event["rcpt_to"])

    @property
    def text(self) -> str:
        body = self.mail.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    def link(self, route: str) -> str:
        """The first link of the mail that leads to *route*."""
        found = re.search(rf"http://\S+/{route}/[A-Za-z0-9_-]+", self.text)
        assert found is not None, f"no {route} link"
        return found[0]


@dataclass
class Gateway:
    """One gateway with as many processes as a test starts."""

    directory: Path
    config: Path
    base: str
    relay_log: Path
    relay_port: int
    admin: str = ""  # where `serve` tells its operator how it stands
    processes: dict[str, Forked | subprocess.Popen[bytes]] = field(default_factory=dict)
    http: aiohttp.ClientSession = field(init=False)

    def command(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command to its end; its stdout. Raises when it fails."""
        done = self.try_command(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_command(
        self, *arguments: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return _run(self.config, *arguments, stdin=stdin)

    async def start(
        self,
        name: str,
        *arguments: str,
        ready: bool = True,
        through: Sequence[str] = ("gateway",),
    ) -> None:
        """Start a process called *name*; `serve` is awaited until it answers.

        *through* is the module that runs the command, and what it is told before.
        """
        module, *told = through
        with (self.directory / f"{name}.log").open("ab") as log:
            command = [*told, "--config", str(self.config), *arguments]
            self.processes[name] = forking.start(
                command, _HERE, environment(), log, log, module=module
            )
        if arguments[0] == "serve" and ready:
            await self.await_ready(name)

    async def await_ready(self, name: str, seconds: float = PATIENCE) -> None:
        async with asyncio.timeout(seconds):
            while True:
                assert self.processes[name].poll() is None, self.log(name)
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.http.get(f"{self.base}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(PATIENCE)

    def signal(self, name: str, how: signal.Signals) -> None:
        self.processes[name].send_signal(how)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def received(self, to: str | None = None) -> list[Received]:
        """What the relay accepted, in order."""
        events = self.relay_events()
        found = [Received(one) for one in events if one["event"] == "dot" and one["accepted"]]
        return [one for one in found if to is None or one.to == to]

    def relay_events(self) -> list[dict[str, Any]]:
        """Everything the relay noted, with monotonic moments."""
        lines = self.relay_log.read_text().split("\n")[:-1]  # the last one may be half written
        return [json.loads(line) for line in lines]

    async def await_mail(self, to: str, count: int = 1, seconds: float = PATIENCE) -> Received:
        """Wait for the *count*-th mail to an address."""
        async with asyncio.timeout(seconds):
            while len(found := self.received(to)) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found[count - 1]

    async def texts(self, *purposes: str, locale: str = "en") -> list[str]:
        async with self.http.get(f"{self.base}/forms/signup.json?locale={locale}") as answer:
            form = await answer.json()
        by_purpose = {one["purpose"]: one["text"]["hash"] for one in form["purposes"]}
        return [by_purpose[one] for one in purposes]

    async def sign_up(self, address: str, *purposes: str, **more: Any) -> int:
        """Post the form as JSON; the status."""
        wanted = purposes or ("newsletter",)
        body = {"email": address, "purposes": list(wanted), "texts": await self.texts(*wanted)}
        async with self.http.post(f"{self.base}/forms/signup", json=body | more) as answer:
            return answer.status

    async def subscribe(self, address: str, *purposes: str) -> Received:
        """Sign up and confirm by the link in the mail, which is returned."""
        before = len(self.received(address))
        assert await self.sign_up(address, *purposes) == 202
        mail = await self.await_mail(address, before + 1)
        async with self.http.post(mail.link("confirm"), data={"answer": "confirm"}) as answer:
            assert answer.status == 200
        return mail

    def api_key(self, *scopes: str) -> str:
        wanted = scopes or (
            "messages:send",
            "permissions:read",
            "consents:withdraw",
            "audit:read",
            "subjects:manage",
        )
        flags = [word for scope in wanted for word in ("--scope", scope)]
        return self.command("api-key", "create", "--name", "test", *flags).strip()

    async def call(
        self, key: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """A call of the API: status and JSON."""
        sent = {"Authorization": f"Bearer {key}", **headers}
        async with self.http.request(
            method, f"{self.base}{path}", json=body, headers=sent
        ) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw else None

    async def send(self, key: str, address: str, **more: Any) -> tuple[int, Any]:
        """Hand in one inline message."""
        body = {
            "to": {"email": address},
            "purpose": "newsletter",
            "content": {"subject": "News", "text": "Hello."},
        }
        return await self.call(key, "POST", "/v1/messages", body | more)

    async def await_status(
        self, key: str, message: str, *wanted: str, seconds: float = PATIENCE
    ) -> Any:
        """Wait until a message has one of these states."""
        async with asyncio.timeout(seconds):
            while True:
                _, seen = await self.call(key, "GET", f"/v1/messages/{message}")
                if seen["status"] in wanted:
                    return seen
                await asyncio.sleep(0.05)


def environment() -> dict[str, str]:
    """What a process of ours is given of this one's."""
    return {**os.environ, "PYTHONPATH": str(_HERE), "PYTHONUNBUFFERED": "1"}


def _configure(
    directory: Path,
    urls: Urls,
    *,
    port: int = 1,
    admin: str = "off",
    relay_port: int = 1,
    permit_ttl: str = "2s",
    lease: str = "30m",
    connections: int = 10,
    limits: bool = False,
    cap: str | None = None,
) -> Path:
    url, keystore_url = urls
    written = _TEMPLATE.format(
        port=port,
        admin=admin,
        url=url,
        keystore_url=keystore_url,
        permit_ttl=permit_ttl,
        lease=lease,
        relay_port=relay_port,
        connections=connections,
        limits=str(limits).lower(),
        capped=f'at_most = "{cap}"' if cap else "",
    )
    config = directory / "config.toml"
    config.write_text(written)
    return config


async def _initialise(directory: Path, urls: Urls) -> None:
    done = _run(_configure(directory, urls), "init")
    assert done.returncode == 0, done.stderr


def _run(
    config: Path, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return forking.run(["--config", str(config), *arguments], _HERE, environment(), stdin=stdin)


@contextlib.asynccontextmanager
async def open_gateway(
    directory: Path,
    new_database_url: Databases | Callable[[str], str],
    dialect: str,
    *,
    permit_ttl: str = "2s",
    lease: str = "30m",
    connections: int = 10,
    limits: bool = False,
    cap: str | None = None,
) -> AsyncIterator[Gateway]:
    """An initialised gateway with a relay; the test starts its processes."""
    relay_log = directory / "relay.jsonl"
    relay_log.touch()
    if isinstance(new_database_url, Databases):
        urls = await copy_initialised(_initialise, directory, new_database_url, dialect)
    else:
        urls = new_database_url(dialect), new_database_url(dialect)
        await _initialise(directory, urls)
    relay, relay_port = _start_relay(relay_log, directory)
    port = free_port()
    more: dict[str, Any] = {"permit_ttl": permit_ttl, "lease": lease, "connections": connections}
    more |= {"limits": limits, "cap": cap}
    admin = f"127.0.0.1:{free_port()}"
    config = _configure(directory, urls, port=port, admin=admin, relay_port=relay_port, **more)
    base = f"http://127.0.0.1:{port}"
    gateway = Gateway(directory, config, base, relay_log, relay_port, f"http://{admin}")
    async with aiohttp.ClientSession() as gateway.http:
        try:
            yield gateway
        finally:
            for process in gateway.processes.values():
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait(PATIENCE)
            relay.kill()
            relay.wait(PATIENCE)


def _start_relay(log: Path, directory: Path) -> tuple[Forked, int]:
    holds = ["--hold", str(directory / HOLD), "--hold-rcpt", str(directory / HOLD_RCPT)]
    command = ["--port", "0", "--out", str(log), *holds]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as said, log.with_suffix(".log").open("ab") as wrong:
        with os.fdopen(writing, "wb") as out:
            relay = forking.start(
                command, _HERE, environment(), out, wrong, module="tests.support.sink"
            )
        return relay, int(said.readline())
