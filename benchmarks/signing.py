"""The DKIM signer against the RSA step alone and against dkimpy; composing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import dkim as dkimpy

from benchmarks.figures import Figure, ratio, tell
from benchmarks.gateway import pin
from delivery import dkim, mime
from delivery.dkim import Signer, SigningKey
from delivery.mime import Content, Header
from delivery.outcome import Kind

ROUNDS = 7
_DATE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_HEADER = Header(
    kind=Kind.MARKETING,
    sender_name="Acme",
    sender_address="news@acme.example",
    to="ada@example.org",
    message_id="06h0gi0a2i1mjj4l1uvsinct80@acme.example",
    date=_DATE,
    list_unsubscribe="https://mail.acme.example/unsubscribe/fn5lmasICxX5YCmYO49qKg",
    list_id="newsletter.acme.example",
)
_CONTENT = Content("News of the week", "A line of text.\n" * 60, "<p>A line of text.</p>\n" * 200)


def run() -> None:
    pin({0})
    pem = dkim.new_key()
    key = SigningKey.load(pem)
    signer = Signer("acme.example", "s1", key)
    mail = mime.compose(_HEADER, _CONTENT)
    raw, private = mail.wire(), pem.reveal()
    digest = bytes(32)
    works: dict[str, Callable[[], object]] = {
        "RSA-2048 step alone (cryptography)": lambda: key.sign(digest),
        f"DKIM signature, {len(raw) / 1000:.1f} kB mail": lambda: signer.sign(
            mail.fields, mail.body, _DATE
        ),
        "the same by dkimpy": lambda: dkimpy.sign(raw, b"s1", b"acme.example", private),
        "composing": lambda: mime.compose(_HEADER, _CONTENT),
    }
    rounds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            rounds[name].append(_rate(work))
    figures = {name: Figure(name, "per s", values) for name, values in rounds.items()}
    limit, ours, theirs, _ = figures.values()
    tell(
        *figures.values(),
        ratio("signer / RSA limit (must 0.85, aim 0.92)", ours, limit),
        ratio("signer / dkimpy (must 20, aim 24)", ours, theirs),
    )


def _rate(work: Callable[[], object], seconds: float = 0.4) -> float:
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - begun)
