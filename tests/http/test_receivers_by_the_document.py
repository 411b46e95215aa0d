"""Receivers of webhooks written from docs/api.md alone take what we sign, and nothing else."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from consent.feed import Change, News
from gateway.http import webhooks
from storage.secret import Secret
from tests.support.receivers import SECRET

_DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "api.md"
_OLD: Final = "whsec_" + base64.b64encode(b"o" * 24).decode()
_KEYS: Final = [Secret(base64.b64decode(one.removeprefix("whsec_"))) for one in (SECRET, _OLD)]
_SAID: Final = Change(
    "chg_1", b"", "sub_1", News.SUBJECT_ERASED, None, datetime(2026, 1, 2, tzinfo=UTC)
)


def recipe(language: str, name: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", _DOCUMENT.read_text("utf-8"), re.DOTALL)
    return next(str(one) for one in blocks if name in one)


def samples() -> list[tuple[str, dict[str, str], bytes, bool]]:
    """Secret, headers and body, and whether they are to be taken."""
    body, now = webhooks.body_of(_SAID, {"crm": "4711"}), int(time.time())
    fresh = dict(webhooks.signed(_KEYS, _SAID.id, now, body))
    old = dict(webhooks.signed(_KEYS, _SAID.id, now - 400, body))
    strange = ("", " ", "é", "٣", "\udc80", "9" * 5000, "-1", "1e9", "v1,é", "v1,\udc80")
    return [
        (SECRET, fresh, body, True),
        (f"{_OLD}\n", fresh, body, True),
        (SECRET, fresh, body + b" ", False),
        (SECRET, fresh | {"webhook-id": "chg_2"}, body, False),
        (SECRET, old, body, False),
        *((SECRET, without(fresh, name), body, False) for name in fresh),
        *((SECRET, fresh | {name: said}, body, False) for name in fresh for said in strange),
        (SECRET, {}, body, False),
    ]


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {one: said for one, said in headers.items() if one != name}


def test_the_check_in_python() -> None:
    made: dict[str, Any] = {}
    exec(recipe("python", "def is_ours"), made)  # noqa: S102 of our own document

    for secret, headers, body, wanted in samples():
        assert made["is_ours"](secret, headers, body) is wanted


@pytest.mark.wide
def test_the_check_in_node(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    said = [[secret, headers, body.decode()] for secret, headers, body, _ in samples()]
    script = recipe("js", "isOurs") + (
        f"\nfor (const [secret, headers, body] of {json.dumps(said)})"
        " console.log(isOurs(secret, headers, Buffer.from(body)));"
    )
    (tmp_path / "check.mjs").write_text(script)

    done = subprocess.run(
        [node, "check.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )

    told = [str(wanted).lower() for *_, wanted in samples()]
    assert (done.stdout.split(), done.stderr) == (told, "")
