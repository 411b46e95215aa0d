"""The bytes of a consent text, whose hash people agree to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consent import texts

VECTOR = json.loads((Path(__file__).parent.parent / "vectors" / "consent.json").read_text("utf-8"))[
    "text"
]


@dataclass(frozen=True)
class Controller:
    name: str
    postal_address: str
    contact: str


@dataclass(frozen=True)
class Sender:
    name: str
    from_address: str


def made(**changes: str) -> bytes:
    wanted: dict[str, Any] = dict(VECTOR["bundle"])
    return texts.bundle(
        purpose=wanted["purpose"],
        locale=wanted["locale"],
        title=wanted["title"],
        text=changes.get("text", wanted["text"]),
        controller=Controller(**wanted["controller"]),
        sender=Sender(**wanted["sender"]),
        notice_hash=changes.get("notice_hash", wanted["notice"]),
        imprint_url=wanted["imprint_url"],
        withdraw=wanted["withdraw"],
    )


def test_a_bundle_is_the_vector_byte_for_byte() -> None:
    assert made().decode() == VECTOR["canonical"]
    assert texts.text_hash(made()) == VECTOR["hash"]


def test_whoever_has_the_bundle_as_json_can_compute_its_hash() -> None:
    shown = json.loads(made())

    again = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert texts.text_hash(again.encode()) == VECTOR["hash"]


def test_another_wording_or_notice_has_another_hash() -> None:
    hashes = {texts.text_hash(raw) for raw in (made(), made(text="Ja."), made(notice_hash="x"))}

    assert len(hashes) == 3


def test_the_hash_of_a_notice_is_of_its_bytes() -> None:
    notice = texts.notice_of("de", VECTOR["notice_body"])

    assert (notice.hash, notice.locale) == (VECTOR["notice_hash"], "de")
    assert texts.notice_hash(notice.body) == notice.hash


@pytest.mark.parametrize("text", ["\u2028", "\x00", '"\\', "e\u0301", "😀"])
def test_unusual_characters_are_kept_as_they_are(text: str) -> None:
    assert json.loads(made(text=text))["text"] == text
