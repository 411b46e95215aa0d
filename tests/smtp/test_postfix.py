"""A real relay between us and the recipient: what it receives, and what it passes on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.support.postfix import postfix
from tests.support.sink import Sink, open_sink
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="no postfix"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only"),
]


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
            (connection,) = await take(pool, 1)
            envelope = Envelope("news@acme.example", "ada@example.org", wire)
            ending = await transmit(connection, envelope, Free())
            pool.give_back(connection)
        assert (ending.phase, ending.reply and ending.reply.code) == (Phase.REPLIED, 250)
        await until(lambda: sink.accepted)
        received = sink.accepted[0].raw

    assert re.search(rb"^List-Unsubscribe: <https://[^>]+>\r\n", received, re.MULTILINE)
    assert dkim.verify(received, records(signer()))
    assert judged(tmp_path, received, "rsa-sha256") == "SMFIS_ACCEPT"
    altered = received.replace(b"List-Id: <", b"List-Id: <x", 1)
    assert not dkim.verify(altered, records(signer()))
    assert judged(tmp_path, altered, "rsa-sha256") == "SMFIS_REJECT"
