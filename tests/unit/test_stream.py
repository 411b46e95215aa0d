"""The file of a store: what is written is read, and nothing else passes for it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest

from gateway.backups import age, stream
from gateway.errors import BackupError

LINES = [
    {"table": "x", "columns": ["a", "b"]},
    [["ä\u2028\n", None], [True, -(2**63)]],
    {"rows": 2},
]


def _read(path: Path, *identities: age.Identity) -> list[object]:
    with stream.read(path, identities) as lines:
        return list(lines)


def _write(path: Path, *recipients: str) -> stream.Measured:
    with stream.written(path, recipients) as (write, measured):
        for line in LINES:
            write(line)
    return measured


def test_lines_come_back_and_bytes_and_moments_as_told(tmp_path: Path) -> None:
    measured = _write(tmp_path / "rows.gz")
    moment = datetime(26, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    with stream.written(tmp_path / "values.gz", ()) as (write, _):
        write([[b"\x00\xff", moment, "x"]])

    ((told,),) = _read(tmp_path / "values.gz")  # type: ignore[misc]  # one line of one row

    assert _read(tmp_path / "rows.gz") == LINES
    assert stream.digest(tmp_path / "rows.gz") == (measured.size, measured.sha256)
    assert [stream.value_of(one) for one in told] == [
        b"\x00\xff",
        "0026-01-02T03:04:05.000006Z",
        "x",
    ]


def test_one_that_was_cut_or_altered_raises_its_own_error_only(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    plain, sealed = tmp_path / "rows.gz", tmp_path / "rows.gz.age"
    _write(plain)
    _write(sealed, str(identity.to_public()))
    assert _read(sealed, identity) == LINES

    for path in (plain, sealed):
        whole = path.read_bytes()
        for cut in range(0, len(whole), 7):
            path.write_bytes(whole[:cut])
            with suppress(BackupError):
                assert _read(path, identity) != LINES  # nothing at all: no row is counted
            path.write_bytes(whole[:cut] + bytes([whole[cut] ^ 1]) + whole[cut + 1 :])
            with suppress(BackupError):
                _read(path, identity)


def test_who_stops_reading_ends_the_decryption(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "rows.gz.age"
    with stream.written(path, [str(identity.to_public())]) as (write, _):
        for number in range(200):
            write([f"{number}" * 4000])

    with stream.read(path, [identity]) as lines:
        assert next(lines) == ["0" * 4000]


def test_a_full_disk_is_said_and_not_waited_for(tmp_path: Path) -> None:
    class Full:
        def write(self, piece: bytes) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            pass

    recipient = str(pyrage.x25519.Identity.generate().to_public())

    with pytest.raises(OSError, match="No space"), age.encrypted(Full(), [recipient]) as plain:  # type: ignore[arg-type]  # all that is used of it
        for _ in range(50):
            plain.write(bytes(1 << 20))
