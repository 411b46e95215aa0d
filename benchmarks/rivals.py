"""Those who send without asking for any permission, each in a process and a place of its own."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks import bars
from benchmarks.bars import Tool
from benchmarks.gateway import HERE, pin
from benchmarks.receiving import Counting, Window, await_port
from benchmarks.workers import BOTH_CORES, CONNECTIONS, DOMAIN
from tests.support.ports import free_port
from tests.support.postfix import postfix

SELECTOR: Final = "peers"
FROM: Final = "news@acme.example"
NODE: Final = (
    Tool("node", "Debian package nodejs"),
    Tool("npm", "Debian package npm, which fetches nodemailer"),
)
POSTFIX: Final = (
    Tool("postfix", "Debian package postfix"),
    Tool("smtp-source", "Debian package postfix"),
)
OPENDKIM: Final = (*POSTFIX, Tool("opendkim", "Debian package opendkim"))
RSPAMD: Final = (*POSTFIX, Tool("rspamd", "Debian package rspamd"))
_NAME: Final = re.compile(r"Ada\d+")  # as `workers.words` has it
_OURS: Final = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID")
_KEPT_AT: Final = HERE / ".venv" / "nodemailer"
_MORE: Final = """
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
smtpd_client_connection_count_limit = 0
"""
_OPENDKIM: Final = """
Mode s
Domain {domain}
Selector {selector}
KeyFile {key}
Canonicalization relaxed/relaxed
OversignHeaders From
RequireSafeKeys no
"""
_RSPAMD: Final = """
options {{
  pidfile = "{folder}/pid";
  tempdir = "{folder}";
  hs_cache_dir = "{folder}";
  url_tld = "{folder}/tld";
  filters = "dkim";
  dns {{ nameserver = ["127.0.0.1:{nobody}"]; }}
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "error"; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}";
  milter = yes;
  count = 2;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{ path = "/usr/share/rspamd/plugins/dkim_signing.lua"; }}
dkim_signing {{
  domain {{ "{domain}" {{ path = "{key}"; selector = "{selector}"; }} }}
  sign_local = true;
  use_esld = false;
  use_redis = false;
}}
"""


class Rival(Protocol):
    """Something that sends mails to a sink at once."""

    def send(self, count: int) -> subprocess.Popen[bytes]: ...


def watched(rival: Rival, sink: Counting, count: int) -> Window:
    """How fast *count* mails of it come; it must end well."""
    process = rival.send(count)
    try:
        window = sink.watch(count)
        assert process.wait(60) == 0, f"{process.args!r} ended with {process.returncode}"
    finally:
        process.kill()
        process.wait()
    return window


def rsa_limit() -> float:
    """What one core signs a second, with nothing else to do."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "3", "rsa2048"],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: pin({0}),
    )
    return bars.signatures(done.stdout)


@dataclass(frozen=True)
class Mail:
    """What one of our mails says, for those who compose it themselves; the name stands open."""

    subject: str
    text: str
    html: str
    headers: Mapping[str, str]


def said(raw: bytes) -> Mail:
    """Of a mail of ours as it arrived."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert html is not None
    return Mail(
        _opened(parsed["Subject"]),
        _opened(text.get_content()),
        _opened(html.get_content()),
        {name: str(parsed[name]) for name in _OURS if parsed[name]},
    )


def _opened(words: object) -> str:
    return _NAME.sub("{{ first_name }}", str(words))


@dataclass(frozen=True)
class Nodemailer:
    """One process on one core, and no store at all: what it has not sent when it dies is gone."""

    port: int
    key: Path
    mail: Mail
    parsed: bool  # the key was read once, and not for each mail

    def send(self, count: int) -> subprocess.Popen[bytes]:
        wanted = {"port": self.port, "key": str(self.key), "parsed": self.parsed, "count": count}
        wanted |= {"connections": CONNECTIONS, "domain": DOMAIN, "selector": SELECTOR}
        wanted |= {"from": f"Acme <{FROM}>", **asdict(self.mail)}
        process = subprocess.Popen(
            ["node", "send.js"],
            cwd=_KEPT_AT,
            stdin=subprocess.PIPE,
            preexec_fn=lambda: pin({0}),
        )
        assert process.stdin is not None
        with process.stdin:
            process.stdin.write(json.dumps(wanted).encode())
        return process


def install_nodemailer() -> None:
    """Fetch what the lock names, by hash, to where no commit looks."""
    _KEPT_AT.mkdir(parents=True, exist_ok=True)
    for one in (HERE / "benchmarks" / "nodemailer").iterdir():
        shutil.copy(one, _KEPT_AT)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        check=True,
        cwd=_KEPT_AT,
        stdout=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class Relay:
    """A Postfix that signs by its milter, and who hands a mail to it again and again."""

    port: int
    mail: Path

    def send(self, count: int) -> subprocess.Popen[bytes]:
        command = ["smtp-source", "-d", "-N", "-s", str(CONNECTIONS), "-m", str(count)]
        command += ["-f", FROM, "-t", "person@example.org", "-F", str(self.mail)]
        return subprocess.Popen(
            [*command, f"127.0.0.1:{self.port}"], preexec_fn=lambda: pin(set(BOTH_CORES))
        )


@contextlib.contextmanager
def postfix_and_opendkim(folder: Path, sink: int, key: Path, mail: Path) -> Iterator[Relay]:
    milter = free_port()
    folder.mkdir()
    settings = folder / "opendkim.conf"
    settings.write_text(_OPENDKIM.format(domain=DOMAIN, selector=SELECTOR, key=key))
    command = ["opendkim", "-f", "-x", str(settings), "-p", f"inet:{milter}@127.0.0.1"]
    with _signing(folder, sink, mail, milter, command) as relay:
        yield relay


@contextlib.contextmanager
def postfix_and_rspamd(folder: Path, sink: int, key: Path, mail: Path) -> Iterator[Relay]:
    milter = free_port()
    folder.mkdir()
    place = folder / "rspamd"
    place.mkdir(mode=0o755)
    (place / "tld").write_text("com\nexample\norg\n")  # of ten thousand a start takes half a minute
    said = _RSPAMD.format(
        folder=place, port=milter, nobody=free_port(), domain=DOMAIN, selector=SELECTOR, key=key
    )
    settings = place / "rspamd.conf"
    settings.write_text(said)
    command = ["rspamd", "-f", "-c", str(settings)]
    if os.geteuid() == 0:
        user = pwd.getpwnam("_rspamd")
        os.chown(place, user.pw_uid, user.pw_gid)
        command += ["-u", "_rspamd", "-g", "_rspamd"]
    with _signing(folder, sink, mail, milter, command) as relay:
        yield relay


@contextlib.contextmanager
def _signing(
    folder: Path, sink: int, mail: Path, milter: int, command: list[str]
) -> Iterator[Relay]:
    """A Postfix before which *command* is a milter, all of it on the whole machine."""

    def begin() -> None:
        pin(set(BOTH_CORES))

    with (folder / "milter.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=begin)
    try:
        await_port(milter, process)
        place = folder / "postfix"
        place.mkdir()
        with postfix(place, sink, _MORE.format(milter=milter), begin) as port:
            yield Relay(port, mail)
    finally:
        process.terminate()
        process.wait(30)
