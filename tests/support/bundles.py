"""Bundles of the audit log: checked as a stranger does, and altered as somebody might."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

from audit import checkpoints
from audit.canonical import canonical, encode
from audit.checkpoints import Checkpoint
from audit.entry import Draft, Event, Item, Place, draft, format_moment
from audit.export import bundle, selection
from audit.export.selection import Wanted
from audit.kinds import Actor, Kind
from audit.log import Log
from audit.tree import inclusion_proof, leaf_hash, root_of
from gateway.flows.proving.exports import at_once
from gateway.look import verifying
from storage.database import Database
from tests.support.audit import LOG, MOMENT, PUBLISHER

NOTICE = b"What we do with your data.\n"

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


def check_alone(
    bundle: Path,
    keys: str,
    *held: str | bytes,
    witnesses: int | None = None,
    script: Path | None = None,
) -> tuple[int, str]:
    """Check a bundle by the file at its top, in a process that has nothing else of ours.

    *script* is another bundle, whose file checks it.
    """
    folder = bundle.with_suffix(".elsewhere")
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(script or bundle) as opened:
        verifier = Path(opened.extract("verify_audit.py", folder))
    (folder / "KEYS.txt").write_text(f"# as the operator publishes it\n{keys}\n")
    arguments = [str(verifier), str(bundle), "--keys", str(folder / "KEYS.txt")]
    for number, note in enumerate(held):
        (folder / f"kept{number}").write_bytes(note.encode() if isinstance(note, str) else note)
        arguments += ["--checkpoint", str(folder / f"kept{number}")]
    arguments += [] if witnesses is None else ["--witnesses", str(witnesses)]
    command = [sys.executable, "-I", "-c", _ALONE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout + done.stderr


def check_here(
    raw: bytes, keys: str, held: Sequence[str] = (), witnesses: int | None = None
) -> tuple[bool, str]:
    """As `check_alone`, by the same code in this process: there are many to check."""
    return verifying.check(io.BytesIO(raw), keys, held, needed=witnesses)


def kept_in(raw: bytes) -> str:
    """The checkpoint in a mail that somebody kept."""
    return verifying.kept_in(raw)


def files_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return made.getvalue()


async def exported(data: Database, log: Log, wanted: Wanted | None = None) -> bytes:
    """The bundle that the log in *data* gives, without files of a gateway."""
    logs = await selection.parts_of(data, log, PUBLISHER.verifier)
    sign, origin = PUBLISHER.sign_manifest, log.first
    pieces = bundle.write(data, origin, logs, wanted or Wanted(), {}, sign, MOMENT, at_once)
    return b"".join([piece async for piece in pieces])


def signed(files: Mapping[str, bytes], sign: Callable[[str], str] | None = None) -> bytes:
    """A bundle of these files, whatever they say, as only who has the log's key can make it."""
    there = {name: content for name, content in files.items() if name != "manifest.note"}
    listed = [f"{len(it)} {sha256(it).hexdigest()} {name}" for name, it in sorted(there.items())]
    text = "\n".join([bundle.MANIFEST, LOG.first, format_moment(MOMENT), *listed]) + "\n"
    note = (sign or PUBLISHER.sign_manifest)(text)
    return zipped(there | {"manifest.note": note.encode()})


class _Plain:
    """Seals nothing, so that what was drawn and said can be disclosed."""

    def seal(
        self, subject: str, compartment: str, place: tuple[str, str, str], raw: bytes
    ) -> bytes:
        return raw


@dataclass
class Story:
    """A log that is made event by event, without a database and always the same."""

    entries: list[bytes] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    at: datetime = MOMENT
    _place: Place = field(default_factory=partial(Place, "sub_ada", 0, None))

    def nobody(self, kind: Kind, /, **refs: str) -> None:
        self._write(self._event(kind, refs=refs))

    def person(self, kind: Kind, refs: Mapping[str, str] | None = None, **facts: Any) -> None:
        event = self._event(kind, refs=refs or {}, facts={"evidence": facts}, place=self._place)
        made = self._write(event)
        assert made.next is not None
        self._place = made.next
        (payload,) = made.payloads
        self._open({"compartment": "evidence", "opened": encode(payload.sealed)})

    def batch(self, kind: Kind, *items: Mapping[str, Any]) -> None:
        """Items of the person, each opened, and one that is somebody else's before them."""
        all_items = [Item("sub_grace", {"message": "msg_0"}), *(Item("sub_ada", i) for i in items)]
        made = self._write(self._event(kind, items=all_items))
        leaves = [leaf_hash(item.commitment) for item in made.items]
        for position, item in enumerate(made.items[1:], 1):
            path = [encode(one) for one in inclusion_proof(leaves, position)]
            self._open({"opened": encode(item.sealed), "path": path, "position": position})

    def publish(self) -> str:
        """A wording with its notice; its hash."""
        line = canonical({"notice": f"sha256:{sha256(NOTICE).hexdigest()}", "text": "Yes."})
        self.texts.append(line)
        name = f"sha256:{sha256(line).hexdigest()}"
        self.nobody(Kind.TEXT_PUBLISHED, text=name)
        return name

    def note(self, size: int | None = None) -> str:
        """The checkpoint over the first *size* entries, by default all."""
        leaves = [leaf_hash(entry) for entry in self.entries[:size]]
        seed = sha256(b"TEST-SIGNING-KEY").digest()
        return checkpoints.sign(Checkpoint(LOG.first, len(leaves), root_of(leaves)), seed)

    def files(self, *older: int) -> dict[str, bytes]:
        """What its bundle has, with checkpoints of *older* sizes."""
        return {
            "about.json": canonical({"format": bundle.FORMAT, "kind": "person"}) + b"\n",
            "log/1/checkpoint": self.note().encode(),
            "log/1/checkpoints.jsonl": lines(canonical(self.note(size)) for size in older),
            "log/1/entries.jsonl": lines(self.entries),
            f"notices/{sha256(NOTICE).hexdigest()}.txt": NOTICE,
            "openings.jsonl": lines(map(canonical, self.openings)),
            "texts.jsonl": lines(self.texts),
        }

    def _event(self, kind: Kind, **more: Any) -> Event:
        number = len(self.entries)
        at = self.at + timedelta(seconds=number)
        return Event(kind, Actor.SYSTEM, at, eid=sha256(b"%d" % number).digest()[:16], **more)

    def _write(self, event: Event) -> Draft:
        drawn = shake_256(event.eid)
        made = draft(event, _Plain(), LOG.node, salts=drawn.digest)
        self.entries.append(made.entry)
        return made

    def _open(self, line: dict[str, Any]) -> None:
        self.openings.append(line | {"index": len(self.entries) - 1, "log": 1})


def lines(many: Iterable[bytes]) -> bytes:
    return b"".join(one + b"\n" for one in many)


def one_life() -> Story:
    """Somebody agrees, is mailed, and leaves."""
    story, consent = Story(), {"consent": "con_1", "purpose": "newsletter"}
    story.nobody(Kind.LOG_OPENED)
    text = story.publish()
    refs = {"text": text}
    story.person(Kind.CONSENT_REQUESTED, refs, text=text, address="ada@example.org", **consent)
    story.batch(Kind.PERMIT_BATCH, permitted("confirmation", "con_1"))
    story.person(Kind.CONSENT_CONFIRMED, refs, text=text, **consent)
    story.batch(Kind.PERMIT_BATCH, permitted("consent", "con_1"), permitted("consent", "con_1"))
    story.person(Kind.CONSENT_WITHDRAWN, refs, channel="link", **consent)
    story.nobody(Kind.LOG_COVER)
    return story


def permitted(kind: str, name: str) -> dict[str, Any]:
    return {"message": "msg_1", "purpose": "newsletter", "ground": {"kind": kind, "id": name}}
