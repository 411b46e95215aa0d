"""Our log before Go's `sumdb/note` and `sumdb/tlog`, which share no code with us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from audit import tree
from audit.canonical import encode
from gateway.callers.api_keys import Scope
from tests.support import bundles
from tests.support.apps import App

_PROGRAM = Path(__file__).parents[1] / "support" / "sumdb" / "main.go"
_PACKAGES = Path(os.environ.get("GOPATH", "/usr/share/gocode"))

pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(
        shutil.which("go") is None or not (_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir(),
        reason="no golang-go with golang-golang-x-mod-dev",
    ),
]


def judged(program: Path, said: dict[str, Any]) -> str:
    """What the Go program says, in a word."""
    done = subprocess.run(
        [program], input=json.dumps(said), capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout.split(":")[0].strip()


def built(folder: Path) -> Path:
    """The program, made without network and without modules."""
    settings = {"GO111MODULE": "off", "GOPATH": str(_PACKAGES), "GOFLAGS": "", "CGO_ENABLED": "0"}
    environment = os.environ | settings | {"GOCACHE": str(folder / "cache")}
    command = ["go", "build", "-o", str(folder / "sumdb"), str(_PROGRAM)]
    subprocess.run(command, env=environment, check=True, timeout=300)
    return folder / "sumdb"


@pytest.mark.parametrize("dialect", ["sqlite"])  # bytes are bytes
async def test_go_finds_our_checkpoints_and_proofs_to_be_right(app: App, tmp_path: Path) -> None:
    await app.subscribe()
    await app.tick()
    key = await app.key(Scope.AUDIT_READ)
    async with app.http.get("/v1/audit/export", headers=key) as taken:
        files = bundles.files_of(await taken.read())
    entries = files["log/1/entries.jsonl"].splitlines()
    leaves = [tree.leaf_hash(entry) for entry in entries]
    said: dict[str, Any] = {
        "vkey": app.parts.publisher.vkey,
        "note": files["log/1/checkpoint"].decode(),
        "entries": [entry.decode() for entry in entries],
        "inclusion": [
            {"index": at, "path": [encode(one) for one in tree.inclusion_proof(leaves, at)]}
            for at in range(0, len(leaves), 7)
        ],
        "consistency": [
            {
                "size": size,
                "root": encode(tree.root_of(leaves[:size])),
                "path": [encode(one) for one in tree.consistency_proof(leaves, size)],
            }
            for size in range(1, len(leaves) + 1, 5)
        ],
    }
    program = built(tmp_path)

    assert judged(program, said) == "ok"
    manifest = files["manifest.note"].decode()
    assert judged(program, said | {"note": manifest}) == "wrong", "a list of files is no checkpoint"
    for what in ("inclusion", "consistency"):
        (first, *rest) = [dict(one) for one in said[what] if one["path"]]
        first["path"] = [encode(bytes(32)), *first["path"][1:]]
        assert judged(program, said | {what: [first, *rest]}) == "wrong"
    assert judged(program, said | {"entries": [*said["entries"][:-1], "{}"]}) == "wrong"
