"""Our own dialogue and aiosmtplib's leave the same mail with the server, to the byte."""

from __future__ import annotations

from itertools import product

import aiosmtplib
import pytest

from delivery import mime
from delivery.mime import Content
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import Envelope, transmit
from tests.smtp.test_opendkim import CONTENTS
from tests.smtp.test_transmission import Fences
from tests.support.connections import take
from tests.support.mails import AT, header, signer
from tests.support.sink import open_sink

# What lines may begin or end with that a client treats in a way of its own.
_AWKWARD = [".", "..", ". ", " .", "", " ", "\t", "a", "ü", "=", "=20", "From ", "x" * 75, "x" * 90]
_LINES = ["".join(pair) for pair in product(_AWKWARD, repeat=2)]
_OF_EACH = 20
SENDER, ADA = "news@acme.example", "ada@example.org"


def _some(start: int) -> Content:
    text = "\n".join(_LINES[start : start + _OF_EACH])
    return Content("Hello", text, f"<p>{text}</p>" if start % 2 else "")


@pytest.mark.parametrize("pipelining", [True, False], ids=["together", "one by one"])
async def test_both_ways_leave_the_same_bytes(pipelining: bool) -> None:
    contents = [*CONTENTS.values(), *map(_some, range(0, len(_LINES), 7))]
    composed = [mime.compose(header(sender_name="Grüße & Co."), one) for one in contents]
    wires = [one.wire([signer().sign(one.fields, one.body, AT)]) for one in composed]

    async with open_sink(pipelining=pipelining) as sink:
        async with Pool(Relay("127.0.0.1", sink.port)) as pool:
            (connection,) = await take(pool, 1)
            for wire in wires:
                ending = await transmit(connection, Envelope(SENDER, ADA, wire), Fences())
                assert ending.reply is not None
                assert ending.reply.code == 250
            pool.give_back(connection)
        ours = [one.raw for one in sink.accepted]
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sink.port, start_tls=False) as plain:
            for wire in wires:
                await plain.sendmail(SENDER, [ADA], wire)
        theirs = [one.raw for one in sink.accepted[len(ours) :]]

    assert ours == theirs
    assert ours == wires
