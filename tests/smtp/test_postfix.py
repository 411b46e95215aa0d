"""A real relay between us and the recipient: what it receives, and what it passes on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from delivery import dkim, mime
from delivery.mime import Content
from delivery.outcome import Phase, Reply
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import Envelope, transmit
from tests.smtp.test_opendkim import judged
from tests.support.connections import take
from tests.support.mails import AT, header, records, signer
from tests.support.ports import free_port
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="no postfix"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only"),
]
_MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(directory: Path, sink: int) -> Iterator[int]:
    """A Postfix of its own, on loopback, that hands everything on to *sink*."""
    port, settings = free_port(), directory / "etc"
    for name in ("etc", "spool", "data"):
        (directory / name).mkdir()
    shutil.chown(directory / "data", "postfix")
    for parent in [directory, *directory.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    (settings / "main.cf").write_text(_MAIN.format(directory=directory, sink=sink))
    (settings / "master.cf").write_text(_MASTER.format(port=port))
    subprocess.run(["postfix", "-c", settings, "check"], check=True, capture_output=True)
    master = subprocess.Popen(
        ["/usr/lib/postfix/sbin/master", "-c", settings, "-d"],
        env={"PATH": os.defpath, "MAIL_CONFIG": str(settings)},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        master.terminate()
        master.wait(20)


@asynccontextmanager
async def relaying(directory: Path) -> AsyncIterator[tuple[Sink, int]]:
    async with open_sink() as sink:
        with postfix(directory, sink.port) as port:
            yield sink, port


class Free:
    """Nothing stops this transmission."""

    def may_start(self) -> bool:
        return True

    async def spend(self) -> bool:
        return True

    def before_dot(self) -> None: ...

    def accepted(self, reply: Reply) -> None: ...


async def test_what_postfix_passes_on_still_verifies(tmp_path: Path) -> None:
    content = Content("Grüße", "Schöne Grüße  \n.\n" * 30, "<p>Grüße</p>\n" * 400)
    mail = mime.compose(header(), content)
    wire = mail.wire([signer().sign(mail.fields, mail.body, AT)])

    async with relaying(tmp_path) as (sink, port):
        async with Pool(Relay("127.0.0.1", port)) as pool:
            (connection,) = await take(pool, 1, 20)
            envelope = Envelope("news@acme.example", "ada@example.org", wire)
            ending = await transmit(connection, envelope, Free())
            pool.give_back(connection)
        assert (ending.phase, ending.reply and ending.reply.code) == (Phase.REPLIED, 250)
        await until(lambda: sink.accepted, 20)
        received = sink.accepted[0].raw

    assert re.search(rb"^List-Unsubscribe: <https://[^>]+>\r\n", received, re.MULTILINE)
    assert dkim.verify(received, records(signer()))
    assert judged(tmp_path, received, "rsa-sha256") == "SMFIS_ACCEPT"
    altered = received.replace(b"List-Id: <", b"List-Id: <x", 1)
    assert not dkim.verify(altered, records(signer()))
    assert judged(tmp_path, altered, "rsa-sha256") == "SMFIS_REJECT"
