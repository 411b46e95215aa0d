"""Our signatures before OpenDKIM, which shares no code with us or with dkimpy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from delivery import mime
from delivery.dkim import Algorithm
from delivery.mime import Content
from tests.support.mails import AT, HELLO, header, records, signer

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(shutil.which("opendkim") is None, reason="no opendkim"),
]

_REJECT = ("BadSignature", "NoSignature", "KeyNotFound", "DNSError", "SignatureError")
CONTENTS = {
    "plain": Content("Hello", "A line.\n"),
    "both": HELLO,
    "german": Content("Grüße aus Köln", "Schöne Grüße!\n" * 40, "<p>Grüße</p>\n" * 80),
    "blanks": Content("a  b\tc", "x  \t \n\n \n   y   \n\n\n\n", "<p>  x\t </p>   \n \n"),
    "dots": Content(".", ".\n..\n.x\n", "<p>\n.\n</p>"),
    "one long line": Content("x" * 400, "y" * 200_000, "<p>" + "z" * 200_000 + "</p>"),
    "hostile": Content(
        "a\r\nBcc: e@x.example\0", "\r\n.\r\nMAIL FROM:<>\r\n\0\x1b", "<p>\u2028🎉</p>"
    ),
    "empty": Content("", "", ""),
    "from": Content("From", "From here\nFrom there\n"),
}


def judged(directory: Path, wire: bytes, algorithm: Algorithm) -> str:
    """OpenDKIM's verdict on *wire*: SMFIS_ACCEPT or SMFIS_REJECT."""
    zone = "".join(f"{name} {value}\n" for name, value in records(signer(algorithm)).items())
    (directory / "zone").write_text(zone)
    settings = ["Mode v", f"TestDNSData file:{directory / 'zone'}"]
    settings += [f"On-{what} reject" for what in _REJECT]
    (directory / "settings").write_text("\n".join(settings) + "\n")
    (directory / "mail").write_bytes(wire)
    command = ["opendkim", "-x", directory / "settings", "-t", directory / "mail", "-vv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    lines = [line for line in done.stderr.splitlines() if "mlfi_eom() returned" in line]
    assert len(lines) == 1, done.stderr
    return lines[0].split()[-1]


def wire_of(content: Content, algorithm: Algorithm) -> bytes:
    mail = mime.compose(header(sender_name="Grüße & Co. " * 8), content)
    return mail.wire([signer(algorithm).sign(mail.fields, mail.body, AT)])


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_opendkim_accepts_a_mail(tmp_path: Path, content: Content, algorithm: Algorithm) -> None:
    assert judged(tmp_path, wire_of(content, algorithm), algorithm) == "SMFIS_ACCEPT"


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"A line", b"A lime"),
        (b"\r\nTo: ada@", b"\r\nTo: eve@"),
        (b"=One-Click", b"=Two-Click"),
        (b"\r\nMIME-Version:", b"\r\nReply-To: eve@example.org\r\nMIME-Version:"),
        (b"DKIM-Signature:", b"X-Signature:"),
    ],
)
def test_opendkim_refuses_a_changed_mail(
    tmp_path: Path, algorithm: Algorithm, before: bytes, after: bytes
) -> None:
    wire = wire_of(HELLO, algorithm)
    assert before in wire

    assert judged(tmp_path, wire.replace(before, after, 1), algorithm) == "SMFIS_REJECT"
