"""The sink as a process of its own: what it heard is on disk before it says so."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path

from delivery.outcome import Phase
from delivery.pool import Pool
from delivery.relay import Relay
from delivery.transmission import transmit
from tests.smtp.test_transmission import DATA, Fences, mail_to
from tests.support.connections import take


async def test_a_sink_process_notes_every_step(tmp_path: Path) -> None:
    out = tmp_path / "sink.jsonl"
    command = [sys.executable, "-m", "tests.support.sink", "--out", str(out)]
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    async with Pool(Relay("127.0.0.1", port, local_hostname="x.example")) as pool:
        (connection,) = await take(pool, 1)
        for recipient in ("ada", "refuse-rcpt"):
            ending = await transmit(connection, mail_to(recipient), Fences())
    process.kill()
    await process.wait()

    assert ending.phase is Phase.RCPT
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [event["event"] for event in events] == [
        "mail",
        "rcpt",
        "data",
        "read",
        "dot",
        "mail",
        "rcpt",
    ]
    assert base64.b64decode(events[4]["raw"]) == DATA
    assert events[4]["accepted"]
    moments = [event["at"] for event in events]
    assert began < moments[0]
    assert moments == sorted(moments)
