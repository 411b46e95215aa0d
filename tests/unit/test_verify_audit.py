"""The verifier that lies in every bundle: whatever it is given, it says ok only of what is."""

from __future__ import annotations

import ast
import base64
import json
import quopri
import sys
from base64 import encodebytes
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import checkpoints
from audit.canonical import canonical
from audit.entry import GRAMMAR
from audit.kinds import Kind
from delivery import remaking
from gateway.look import resources, verifying
from tests.support import bundles
from tests.support.audit import MOMENT, PUBLISHER, VECTORS
from tests.support.bundles import Story, check_here, one_life, permitted, signed

VECTOR = Path(__file__).parents[1] / "vectors" / "bundle.json"
KEYS = PUBLISHER.vkey
WITNESS = VECTORS["cosignature"]
SOURCE = resources.templates() / "bundle" / "verify_audit.py"
Files = dict[str, bytes]


def test_it_needs_nothing_but_pythons_own_and_cryptography() -> None:
    tree = ast.parse(SOURCE.read_text())
    named = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    named |= {
        name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names
    }
    roots = {str(name).partition(".")[0] for name in named}

    assert roots <= sys.stdlib_module_names | {"cryptography"}
    assert not roots & {"socket", "urllib", "http", "subprocess", "os"}


def test_it_reads_the_entries_that_we_write() -> None:
    assert verifying.module().ENTRY.pattern == GRAMMAR.pattern


def test_the_vector_is_what_we_write_and_is_sound() -> None:
    vector = json.loads(VECTOR.read_text())
    files = {name: text.encode() for name, text in vector["files"].items()}
    raw = bundles.zipped(files)

    sound, said = check_here(raw, vector["vkey"], [vector["kept"]])

    assert sound, said
    assert said.splitlines() == vector["says"]
    assert bundles.files_of(signed(one_life().files(3, 6))) == files


def rewritten(name: str, old: bytes, new: bytes) -> Callable[[Files], Files]:
    return lambda files: files | {name: files[name].replace(old, new, 1)}


def opening(number: int, **changed: Any) -> Callable[[Files], Files]:
    """With another line about a person; None: without it."""

    def change(files: Files) -> Files:
        lines = files["openings.jsonl"].splitlines()
        line = json.loads(lines[number]) | changed
        lines[number] = canonical({key: value for key, value in line.items() if value is not None})
        return files | {"openings.jsonl": bundles.lines(lines)}

    return change


def without(number: int) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        lines = files["openings.jsonl"].splitlines()
        return files | {"openings.jsonl": bundles.lines(lines[:number] + lines[number + 1 :])}

    return change


def facts(**said: Any) -> str:
    return base64.b64encode(bytes(32) + canonical(said)).decode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(opening(0, opened=facts(sub="sub_ada")), "commits to", id="other facts"),
        pytest.param(opening(0, compartment="network"), "not commit to", id="no such facts"),
        pytest.param(opening(1, position=0), "not what the entry commits", id="another item"),
        pytest.param(opening(1, path=[]), "not what the entry commits", id="no path"),
        pytest.param(opening(2, opened="ä"), "Base64", id="no Base64"),
        pytest.param(opening(2, index=2), "order", id="out of order"),
        pytest.param(opening(5, index=7), "not commit to", id="of an entry about nobody"),
        pytest.param(opening(5, index=8), "not in the bundle", id="of no entry"),
        pytest.param(opening(5, index=True), "without index", id="no index"),
        pytest.param(without(0), "number 0", id="a hole at the beginning"),
        pytest.param(without(2), "number 1", id="a hole"),
        pytest.param(lambda files: files | {"texts.jsonl": b""}, "lacks the wording", id="no text"),
        pytest.param(
            lambda files: {name: files[name] for name in files if "notices" not in name},
            "lack the one",
            id="no notice",
        ),
        pytest.param(
            rewritten("log/1/entries.jsonl", b'"log.cover"', b'"log.shown"'),
            "the bundle's checkpoint",
            id="another entry",
        ),
        pytest.param(
            lambda files: files | {"log/1/entries.jsonl": files["log/1/entries.jsonl"] + b"[]\n"},
            "neither an entry",
            id="more than was signed",
        ),
        pytest.param(
            lambda files: files | {"log/2/checkpoint": files["log/1/checkpoint"]},
            "not signed by",
            id="one log for another",
        ),
        pytest.param(rewritten("log/1/checkpoint", b"\n8\n", b"\n08\n"), "wrong", id="checkpoint"),
        pytest.param(
            lambda files: files | {"log/1/checkpoints.jsonl": b"[" * 9_999}, "within", id="no end"
        ),
        pytest.param(
            lambda files: files | {"texts.jsonl": b"[" * 99_999 + b"\n"}, "not JSON", id="deep"
        ),
        pytest.param(lambda files: {"about.json": b"{}"}, "has no log", id="nothing"),
    ],
)
def test_what_who_has_the_key_signs_is_looked_at_all_the_same(
    change: Callable[[Files], Files], says: str
) -> None:
    files = one_life().files(3, 6)
    assert check_here(signed(files), KEYS)[0]

    sound, said = check_here(signed(change(files)), KEYS)

    assert (sound, says in said) == (False, True), said


def lives() -> dict[str, tuple[Story, str]]:
    """Logs that are whole, and tell of what may not be."""
    left = one_life()
    left.batch(Kind.PERMIT_BATCH, permitted("consent", "con_1"))
    never = one_life()
    never.batch(Kind.PERMIT_BATCH, permitted("consent", "con_2"))
    again = one_life()
    again.person(Kind.CONSENT_CONFIRMED, consent="con_1", purpose="newsletter")
    unpublished = Story()
    unpublished.person(Kind.CONSENT_REQUESTED, {"text": f"sha256:{'0' * 64}"}, consent="con_1")
    back_dated = one_life()
    back_dated.at = back_dated.at.replace(year=2025)
    back_dated.nobody(Kind.LOG_COVER)
    return {
        "mailed after they left": (left, "on a consent that did not stand"),
        "mailed without consent": (never, "on a consent that nobody gave"),
        "confirmed twice": (again, "decided before"),
        "a wording nobody published": (unpublished, "lacks the wording"),
        "back-dated": (back_dated, "before an entry that was there already"),
    }


@pytest.mark.parametrize("what", lives())
def test_a_log_that_tells_of_what_may_not_be_is_refused(what: str) -> None:
    story, says = lives()[what]

    sound, said = check_here(signed(story.files()), KEYS)

    assert (sound, says in said) == (False, True), said


def test_a_clock_that_was_set_back_is_no_fault_where_the_log_tells_of_it() -> None:
    story = one_life()
    story.at = story.at.replace(year=2025)
    story.nobody(Kind.CLOCK_STEP, before="2026-11-23T08:25:17.000Z")
    story.nobody(Kind.LOG_COVER)

    assert check_here(signed(story.files()), KEYS)[0]


def test_what_was_let_go_when_its_term_was_over_is_no_hole() -> None:
    story = one_life()
    story.person(Kind.EVIDENCE_ENDED, events=[0, 1])
    files = without(0)(story.files())

    sound, said = check_here(signed(without(1)(files)), KEYS)  # that it was confirmed

    assert sound, said
    assert not check_here(signed(without(4)(files)), KEYS)[0]  # that they left


TOKEN = base64.urlsafe_b64encode(sha256(b"TEST-LINK").digest()).rstrip(b"=").decode()
PAGE = b"<p>Yes, I confirm</p>"
EML = b"To: ada@example.org\r\n\r\nhttps://gateway.example/confirm/%s\r\n" % TOKEN.encode()
APART = remaking.taken_apart(EML, {"to": "ada@example.org", "confirm": TOKEN})


def hashed(raw: bytes) -> str:
    return f"sha256:{sha256(raw).hexdigest()}"


def asked_by_mail(**told: Any) -> Files:
    """A life whose mail is kept to the byte; with what the log *told* of it instead."""
    story, consent = Story(), {"consent": "con_1", "purpose": "newsletter"}
    link = sha256(sha256(b"TEST-LINK").digest()).hexdigest()
    mail = {
        "message": "msg_1",
        "consents": ["con_1"],
        "mail": hashed(EML),
        "token": link,
        "made_of": {"specimen": hashed(APART.specimen), "values": dict(APART.values)},
    }
    text = story.publish()
    story.person(Kind.CONSENT_REQUESTED, {"text": text}, text=text, **consent)
    story.person(Kind.CONSENT_MAIL_SENT, **mail | told)
    shown = {"text": text, "shown": hashed(PAGE), "token": link}
    story.person(Kind.CONSENT_CONFIRMED, {"text": text}, **consent | shown)
    specimens = {f"specimens/{hashed(one)[7:]}": one for one in (APART.specimen, PAGE)}
    return story.files() | specimens | {f"mails/{hashed(EML)[7:]}.eml": EML}


def test_a_mail_is_made_again_and_its_link_is_the_one_that_confirmed() -> None:
    sound, said = check_here(signed(asked_by_mail()), KEYS)

    assert sound, said
    assert "mails that asked: 1 made again to the byte,\n  1 of whose links confirmed" in said


def lacking(name: str) -> Callable[[Files], Files]:
    return lambda files: {one: content for one, content in files.items() if name not in one}


OTHER = {"specimen": hashed(APART.specimen), "values": {"to": "eve@example.org", "confirm": TOKEN}}


@pytest.mark.parametrize(
    ("told", "change", "says"),
    [
        pytest.param({"mail": hashed(b"x")}, None, "not the one of that hash", id="another mail"),
        pytest.param({"token": "00" * 32}, None, "another link", id="another link"),
        pytest.param({"made_of": OTHER}, None, "not the one of that hash", id="to somebody else"),
        pytest.param(
            {"made_of": OTHER | {"values": ["mail"]}}, None, "no mail can be made", id="no values"
        ),
        pytest.param(
            {"made_of": {"specimen": hashed(PAGE), "values": {}}}, None, "not JSON", id="no letter"
        ),
        pytest.param({}, lacking(hashed(APART.specimen)[7:]), "lack the one", id="no specimen"),
        pytest.param({}, lacking(hashed(PAGE)[7:]), "lack the one", id="no page"),
        pytest.param(
            {},
            lambda files: files | {f"specimens/{hashed(PAGE)[7:]}": b"<p>other</p>"},
            "lack the one",
            id="another page under its name",
        ),
        pytest.param(
            {},
            lambda files: files | {f"specimens/{'0' * 64}": b"x"},
            "not what its name is the hash of",
            id="a specimen that nobody names",
        ),
        pytest.param(
            {},
            lambda files: files | {f"mails/{hashed(b'x')[7:]}.eml": b"x"},
            "not a mail that the log tells of",
            id="a mail that nobody sent",
        ),
        pytest.param(
            {},
            lambda files: files | {f"mails/{hashed(EML)[7:]}.eml": b"To: eve\r\n"},
            "not a mail that the log tells of",
            id="another mail under its name",
        ),
    ],
)
def test_what_was_shown_and_sent_is_what_the_log_says(
    told: dict[str, Any], change: Callable[[Files], Files] | None, says: str
) -> None:
    files = asked_by_mail(**told)

    sound, said = check_here(signed(change(files) if change else files), KEYS)

    assert (sound, says in said) == (False, True), said


@pytest.mark.parametrize(
    "pieces",
    [
        1,
        [1],
        [["7bit"]],
        [["7bit", 1]],
        [["8bit", [""]]],
        [["7bit", ["", "mail 1", ""]]],
        [[1, [2]]],
    ],
    ids=str,
)
def test_a_specimen_that_is_none_is_a_fault_and_nothing_else(pieces: Any) -> None:
    letter = json.dumps({"format": remaking.FORMAT, "pieces": pieces}).encode()
    made = {"specimen": hashed(letter), "values": {"mail": 1}}
    files = asked_by_mail(made_of=made) | {f"specimens/{hashed(letter)[7:]}": letter}

    sound, said = check_here(signed(files), KEYS)

    assert (sound, "no mail can be made" in said) == (False, True), said


def test_a_kept_checkpoint_is_compared_where_entries_are_left_out() -> None:
    story = Story()
    for _ in range(8):
        story.nobody(Kind.LOG_COVER)
    leaves = [sha256(b"\0" + entry).digest() for entry in story.entries]
    pair = sha256(b"\1" + leaves[0] + leaves[1]).digest()
    hashes = [[2, base64.b64encode(pair).decode()], [1, base64.b64encode(leaves[2]).decode()]]
    lines = bundles.lines([*map(canonical, hashes), *story.entries[3:]])
    raw = signed(story.files() | {"log/1/entries.jsonl": lines})

    compared = check_here(raw, KEYS, [story.note(2), story.note(3), story.note(5)])
    inside = check_here(raw, KEYS, [story.note(1)])

    assert (compared[0], "5 of 8 entries" in compared[1]) == (True, True), compared
    assert (inside[0], "ask for a bundle that continues it" in inside[1]) == (False, True)


def cosigned(note: str, at: int, seed: bytes = b"TEST-WITNESS-KEY") -> str:
    """With the line of the vectors' witness (C2SP tlog-cosignature)."""
    key = Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())
    public = b"\4" + key.public_key().public_bytes_raw()
    name, text = WITNESS["name"], note.partition("\n\n")[0]
    raw = sha256(name.encode() + b"\n" + public).digest()[:4] + at.to_bytes(8, "big")
    raw += key.sign(f"cosignature/v1\ntime {at}\n{text}\n".encode())
    return f"{note}— {name} {base64.b64encode(raw).decode()}\n"


def vkey_of_witness() -> str:
    key = Ed25519PrivateKey.from_private_bytes(sha256(b"TEST-WITNESS-KEY").digest())
    public = b"\4" + key.public_key().public_bytes_raw()
    key_id = sha256(WITNESS["name"].encode() + b"\n" + public).hexdigest()[:8]
    return f"{WITNESS['name']}+{key_id}+{base64.b64encode(public).decode()}"


def test_a_witness_lifts_the_level_only_where_the_verifier_knows_its_key() -> None:
    story, at = one_life(), int(MOMENT.timestamp())
    assert cosigned(VECTORS["checkpoint"]["note"], WITNESS["time"]).endswith(WITNESS["line"] + "\n")
    files = story.files(3)
    files["log/1/checkpoint"] = cosigned(story.note(), at + 60).encode()
    forged = files | {"log/1/checkpoint": cosigned(story.note(), at)[:-9].encode() + b"AAAAAA==\n"}

    known = check_here(signed(files), f"{KEYS}\n{vkey_of_witness()}")
    unknown = check_here(signed(files), KEYS)
    wrong = check_here(signed(forged), f"{KEYS}\n{vkey_of_witness()}")

    assert (known[0], "level: witnessed" in known[1]) == (True, True), known
    assert f"together with the witnesses {WITNESS['name']}" in known[1]
    assert (unknown[0], "level: signed" in unknown[1]) == (True, True)
    assert not wrong[0]


@pytest.mark.parametrize(
    ("size", "hours", "sound"), [(8, 1, True), (8, -1, False), (3, 1, False), (3, 0, True)]
)
def test_dates_keep_to_what_witnesses_saw(size: int, hours: int, sound: bool) -> None:
    """An entry is older than a signature that covers it, and younger than one that does not."""
    story, files = one_life(), one_life().files()
    note = cosigned(story.note(size), int(MOMENT.timestamp()) + 3600 * hours)
    files["log/1/checkpoints.jsonl"] = canonical(note) + b"\n"

    assert check_here(signed(files), f"{KEYS}\n{vkey_of_witness()}")[0] == sound


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("", "you gave no key"),
        ("# none\n\n", "you gave no key"),
        (checkpoints.vkey("other.example/audit", bytes(32)), "you gave no key"),
        (checkpoints.vkey("gw.example.org/audit/2026a", bytes(32)), "not signed by"),
        (KEYS.replace("+7", "+8"), "line 1 of the keys"),
        (f"{KEYS}\nnonsense", "line 2 of the keys"),
        (KEYS[:-4] + "\ud800", "line 1 of the keys"),
    ],
)
def test_only_the_verifiers_own_keys_count(keys: str, says: str) -> None:
    sound, said = check_here(signed(one_life().files()), keys)

    assert (sound, says in said) == (False, True), said


def test_one_witness_is_not_counted_twice() -> None:
    """Under two names, or with two keys under one."""
    vkey = vkey_of_witness()
    name, _, key = vkey.partition("+")
    raw = base64.b64decode(key.partition("+")[2])
    again = f"other.example+{sha256(b'other.example' + chr(10).encode() + raw).hexdigest()[:8]}"

    sound, said = check_here(signed(one_life().files()), f"{KEYS}\n{vkey}\n{again}+{key[9:]}")
    twice, _ = check_here(signed(one_life().files()), f"{KEYS}\n{vkey}\n{vkey}")

    assert name != "other.example"
    assert not sound
    assert "one would count as two" in said
    assert twice, "the same line again is the same witness"


@pytest.mark.parametrize("how", ["7bit", "quoted-printable", "base64"])
def test_a_checkpoint_is_found_in_the_mail_that_brought_it(how: str) -> None:
    note = one_life().note()
    body = f"Please keep this.\n\n{note}\nThe keys:\n\n# from 0\n{KEYS}\n".replace("\n", "\r\n")
    written = {"7bit": bytes, "quoted-printable": quopri.encodestring, "base64": encodebytes}
    lines = written[how](body.encode()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    mail = b"From: a@example.org\r\nSubject: Keep\r\n\r\n" + lines

    assert verifying.kept_in(mail) == note
    assert verifying.kept_in(note.encode()) == note
    assert check_here(signed(one_life().files()), KEYS, [verifying.kept_in(mail)])[0]
    assert not check_here(signed(one_life().files()), KEYS, ["nothing like it"])[0]
