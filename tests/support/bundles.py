"""Bundles of the audit log: checked as a stranger does, and altered as somebody might."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.look import verifying

# Runs a file as one does who has nothing of ours, and no network.
_ALONE = """
import runpy, sys
away = {"gateway", "delivery", "consent", "audit", "storage", "socket"}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in away:
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def check_alone(bundle: Path, keys: str, *held: str) -> tuple[int, str]:
    """Check a bundle by the file at its top, in a process that has nothing else of ours."""
    folder = bundle.with_suffix(".elsewhere")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(bundle) as opened:
        script = Path(opened.extract("verify_audit.py", folder))
    (folder / "KEYS.txt").write_text(f"# as the operator publishes it\n{keys}\n")
    arguments = [str(script), str(bundle), "--keys", str(folder / "KEYS.txt")]
    for number, note in enumerate(held):
        (folder / f"kept{number}").write_text(note)
        arguments += ["--checkpoint", str(folder / f"kept{number}")]
    command = [sys.executable, "-I", "-c", _ALONE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def check_here(raw: bytes, keys: str, held: Sequence[str] = ()) -> tuple[bool, str]:
    """As `check_alone`, by the same code in this process: there are many to check."""
    return verifying.check(io.BytesIO(raw), keys, held)


def files_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return made.getvalue()
