"""A small witness as C2SP tlog-witness has it, written from the specification alone.

    python -m tests.support.witness NAME SEED_HEX LOG_VKEY STATE_FILE

It knows nothing of ours. Prints the port that it listens at, and keeps in STATE_FILE what it saw
last: size and root. With a line `away` there it answers 503.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """Whether the proof leads from the one root to the other."""
    if old == new:
        return not proof and old_root == new_root
    if not old or not proof:
        return not old and not proof
    return walked(old, new, [old_root, *proof] if old & (old - 1) == 0 else proof) == (
        old_root,
        new_root,
    )


def walked(old: int, new: int, path: list[bytes]) -> tuple[bytes, bytes] | None:
    """RFC 9162, section 2.1.4.2, step by step: the two roots."""
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr) if sn == 0 else None


def vkey_of(name: str, seed: bytes) -> str:
    """What an operator is given: type 4, tlog-cosignature."""
    public = b"\4" + Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(public).decode()}"


class Refused(Exception):
    def __init__(self, status: int, text: str = "", kind: str = "text/plain") -> None:
        self.status, self.text, self.kind = status, text, kind


class Handler(BaseHTTPRequestHandler):
    name: ClassVar[str]
    seed: ClassVar[bytes]
    log: ClassVar[str]
    state: ClassVar[Path]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            self.answer(200, self.cosign(body))
        except Refused as refused:
            self.answer(refused.status, refused.text, refused.kind)

    def answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def cosign(self, body: str) -> str:
        if self.path != "/w/add-checkpoint":
            raise Refused(404)
        seen = json.loads(self.state.read_text())
        if seen.get("away"):
            raise Refused(503)
        head, _, note = body.partition("\n\n")
        first, *lines = head.split("\n")
        if not first.startswith("old ") or len(lines) > 63:
            raise Refused(400)
        old, proof = int(first[4:]), [base64.b64decode(one, validate=True) for one in lines]
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        origin, size_text, root_text = text[:-1].split("\n")
        self.require_signed(origin, text, signatures)
        size, root = int(size_text), base64.b64decode(root_text, validate=True)
        if old > size:
            raise Refused(400)
        if old != seen["size"]:
            raise Refused(409, f"{seen['size']}\n", "text/x.tlog.size")
        if old == size and root.hex() != seen["root"]:
            raise Refused(409)
        if not consistent(old, size, bytes.fromhex(seen["root"]), root, proof):
            raise Refused(422)
        self.state.write_text(json.dumps(seen | {"size": size, "root": root.hex()}))
        now = int(seen.get("now", time.time()))
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        signature = key.sign(f"cosignature/v1\ntime {now}\n{text}".encode())
        key_id = bytes.fromhex(vkey_of(self.name, self.seed).split("+")[1])
        raw = base64.b64encode(key_id + now.to_bytes(8, "big") + signature).decode()
        return f"\u2014 {self.name} {raw}\n"

    def require_signed(self, origin: str, text: str, signatures: str) -> None:
        name, key_id, key = self.log.split("+", 2)
        if origin != name:
            raise Refused(404)
        for line in signatures.splitlines():
            _, who, raw = line.split(" ")
            decoded = base64.b64decode(raw)
            if who == name and decoded[:4].hex() == key_id:
                public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
                try:
                    public.verify(decoded[4:], text.encode())
                except InvalidSignature:
                    raise Refused(403) from None
                return
        raise Refused(403)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    Handler.name, Handler.log, Handler.state = sys.argv[1], sys.argv[3], Path(sys.argv[4])
    Handler.seed = bytes.fromhex(sys.argv[2])
    if not Handler.state.exists():
        Handler.state.write_text(json.dumps({"size": 0, "root": hashlib.sha256(b"").hexdigest()}))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
