"""What a command writes is whole under its name, or goes on where it was cut off."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer

from gateway.cli.output import Output

PIECES = [b"one\n", b"two\n", b"three\n"]
WHOLE = b"".join(PIECES)
NAME = "5-0123456789abcdef"


async def pieces() -> AsyncIterator[bytes]:
    for piece in PIECES:
        yield piece


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


async def test_a_file_is_whole_under_its_name_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.zip"
    path.write_bytes(b"an older one, which was longer")

    size = await Output(path).write(NAME, pieces())

    assert (size, path.read_bytes()) == (len(WHOLE), WHOLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["audit.zip"]


@pytest.mark.parametrize(
    "left",
    [b"", WHOLE[:2], WHOLE[:4], WHOLE[:9], WHOLE, WHOLE + b"more", b"one\n\0\0\0\0\0\0"],
    ids=["nothing", "a bit", "a piece", "most", "all", "more than all", "noughts of a crash"],
)
async def test_whatever_a_killed_command_left_becomes_the_same_file(
    tmp_path: Path, left: bytes
) -> None:
    path = tmp_path / "audit.zip"
    output = Output(path)
    output.part_of(NAME).write_bytes(left)

    assert output.begun() == NAME
    assert output.length(NAME) == len(left)
    await output.write(NAME, pieces())

    assert path.read_bytes() == WHOLE
    assert output.begun() is None


async def test_a_command_that_fails_leaves_what_it_had_and_not_the_name(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PIECES[0]
        raise LookupError

    path = tmp_path / "audit.zip"
    with pytest.raises(LookupError):
        await Output(path).write(NAME, broken())

    assert not path.exists()
    assert Output(path).part_of(NAME).read_bytes() == PIECES[0]


def test_two_that_were_begun_are_no_choice_of_ours(tmp_path: Path) -> None:
    output = Output(tmp_path / "audit.zip")
    output.part_of(NAME).touch()
    output.part_of("6-0123456789abcdef").touch()

    with pytest.raises(typer.Exit):
        output.begun()


async def test_what_keeps_nothing_is_poured_into(tmp_path: Path) -> None:
    nothing = Output(Path(os.devnull))

    assert nothing.begun() is None
    assert await nothing.write(NAME, pieces()) == len(WHOLE)
    assert not [one for one in names_in(Path(os.devnull).parent) if one.endswith(".part")]


async def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sys.stdout.flush()
    await Output(Path("-")).write(NAME, pieces())

    assert capfdbinary.readouterr().out.endswith(WHOLE)
