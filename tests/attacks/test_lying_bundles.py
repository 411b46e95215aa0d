"""A bundle whose signature fits, by who has the log's key, convinces nobody of what is not so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from audit.canonical import canonical, encode
from audit.export.jsonl import FORMAT, check_jsonl
from audit.kinds import Kind
from tests.support import bundles
from tests.support.audit import LOG, MOMENT, PUBLISHER
from tests.support.bundles import Story, check_here, signed
from tests.unit.test_verify_audit import cosigned, vkey_of_witness

KEYS = f"{PUBLISHER.vkey}\n{vkey_of_witness()}"


def history(covers: int) -> Story:
    story = Story()
    story.nobody(Kind.LOG_OPENED)
    for _ in range(covers):
        story.nobody(Kind.LOG_COVER)
    return story


def as_lines(story: Story) -> Sequence[bytes]:
    header = {"format": FORMAT, "origin": LOG.first, "size": len(story.entries)}
    entries = [{"entry": one.decode(), "index": at} for at, one in enumerate(story.entries)]
    return [canonical(one) + b"\n" for one in (header, *entries, {"checkpoint": story.note()})]


def test_what_a_witness_saw_of_the_log_that_was_says_nothing_of_one_written_anew() -> None:
    """The honest log's checkpoint, with its cosignature, lies in a bundle of another history."""
    honest, anew = history(20), history(3)
    seen = cosigned(honest.note(), int(MOMENT.timestamp()) + 60)
    older = canonical(seen) + b"\n"

    sound, said = check_here(signed(anew.files() | {"log/1/checkpoints.jsonl": older}), KEYS)

    assert (sound, "checkpoints.jsonl" in said) == (False, True), said
