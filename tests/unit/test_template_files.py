"""Templates in a directory: what is being written, broken or somebody else's is not read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from delivery import template_files
from delivery.errors import TemplateError
from delivery.own_templates import Shelf
from delivery.template_source import version_of, write

SOUND = {"subject.txt": "Hello", "body.html": "<p>{{ first_name }}</p>"}


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds for each test are many; those that are about them say so."""
    monkeypatch.setattr(template_files, "SETTLED", 0.0)


def put(directory: Path, name: str, files: dict[str, str]) -> Path:
    folder = directory / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, held in files.items():
        (folder / file).write_text(held)
    return folder


def flaws(directory: Path, name: str = "mail") -> list[str]:
    found = template_files.look(directory, name)
    assert found is not None
    return [str(one) for one in found.flaws]


def test_a_sound_one_is_read_whole(tmp_path: Path) -> None:
    put(tmp_path, "mail", SOUND | {"body.txt": "\ufeffone\r\ntwo"})
    (tmp_path / "mail" / "body.txt~").write_text("an editor's")

    found = template_files.look(tmp_path, "mail")

    assert found is not None
    assert found.flaws == ()
    assert found.source is not None
    assert (found.source.subject, found.source.text) == ("Hello", "one\ntwo")
    assert template_files.names(tmp_path) == ["mail"]
    assert template_files.look(tmp_path, "other") is None


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"subject.txt": "x"}, "body.txt is missing"),
        ({"body.html": "x"}, "subject.txt is missing"),
        (SOUND | {"body.htm": "x"}, "body.htm is no part of a mail"),
        (SOUND | {"body.txt": "one\n{{ two"}, "body.txt:2 is no template"),
        (SOUND | {"body.txt": "x" * (256 * 1024 + 1)}, "body.txt is larger than 256 KB"),
    ],
)
def test_what_is_wrong_is_named_by_its_file(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    put(tmp_path, "mail", files)

    assert flaws(tmp_path)[0].startswith(said)


def test_text_is_utf_8(tmp_path: Path) -> None:
    folder = put(tmp_path, "mail", SOUND)
    (folder / "body.txt").write_bytes(b"one\ntwo \xff")

    assert flaws(tmp_path) == ["body.txt:2 is not text in UTF-8"]


def test_nothing_outside_of_the_directory_is_read(tmp_path: Path) -> None:
    """A link in a folder that others may write would put any file of ours into a mail."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    own = tmp_path / "own"
    folder = put(own, "mail", SOUND)
    (folder / "body.txt").symlink_to(secret)
    put(tmp_path / "elsewhere", "away", SOUND)
    (own / "away").symlink_to(tmp_path / "elsewhere" / "away")
    os.mkfifo(put(own, "pipe", {"subject.txt": "x"}) / "body.txt")

    assert flaws(own) == ["body.txt is a symbolic link: put the file itself there"]
    assert flaws(own, "away") == [". is a symbolic link: put a folder there"]
    assert flaws(own, "pipe") == ["body.txt is no file"]
    for name in ("..", "../elsewhere/away", "/etc", ".", "mail/../mail", "a" * 65, "Mail", ""):
        assert Shelf(own).current(name) is None


def test_what_is_being_written_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of a page is a page, too: nobody could tell by its words."""
    monkeypatch.setattr(template_files, "SETTLED", 60.0)
    put(tmp_path, "mail", SOUND)
    shelf = Shelf(tmp_path)

    with pytest.raises(TemplateError, match="is being written"):
        shelf.current("mail")
    monkeypatch.setattr(template_files, "SETTLED", 0.0)
    first = shelf.current("mail")
    monkeypatch.setattr(template_files, "SETTLED", 60.0)
    put(tmp_path, "mail", SOUND | {"body.html": "<p>half of a new o"})

    assert first is not None
    assert shelf.current("mail") == first
    standing = shelf.standing("mail")
    assert standing is not None
    assert not standing.settled


def test_a_folder_that_is_swapped_while_it_is_read_gives_one_version_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_files, "SETTLED", 60.0)
    old, new = {k: f"old {v}" for k, v in SOUND.items()}, {k: f"new {v}" for k, v in SOUND.items()}
    put(tmp_path / "own", "mail", old)
    put(tmp_path / "next", "mail", new)
    whole = template_files._bytes_of

    def swapping(file: str, folder: int) -> tuple[bytes, int]:
        found = whole(file, folder)
        if file == "subject.txt":
            (tmp_path / "own").rename(tmp_path / "before")
            (tmp_path / "next").rename(tmp_path / "own")
        return found

    monkeypatch.setattr(template_files, "_bytes_of", swapping)
    found = template_files.look(tmp_path / "own", "mail")

    assert found is not None
    assert found.source is not None
    assert found.source.html is not None
    assert (found.source.subject[:3], found.source.html[:3]) == ("old", "old")


def test_the_last_sound_version_stays_while_one_is_broken(tmp_path: Path) -> None:
    put(tmp_path, "mail", SOUND)
    shelf = Shelf(tmp_path)
    shelf.learn()
    put(tmp_path, "mail", {"body.html": "<p>{% if"})

    sent = shelf.current("mail")
    standing = shelf.standing("mail")

    assert sent is not None
    assert sent.html == SOUND["body.html"]
    assert standing is not None
    assert standing.current == version_of(write(sent))
    assert str(standing.flaws[0]).startswith("body.html:1 is no template")
    put(tmp_path, "mail", {"body.html": "<p>mended</p>"})
    mended = shelf.current("mail")
    assert mended is not None
    assert mended.html == "<p>mended</p>"


def test_one_that_was_never_sound_is_told_and_one_that_was_removed_is_gone(tmp_path: Path) -> None:
    put(tmp_path, "broken", {"subject.txt": "x", "body.txt": "one\n{{ two"})
    folder = put(tmp_path, "mail", SOUND)
    shelf = Shelf(tmp_path)

    with pytest.raises(TemplateError, match=r"broken, body.txt:2: is no template"):
        shelf.current("broken")
    assert shelf.current("mail") is not None
    for file in SOUND:
        (folder / file).unlink()
    folder.rmdir()
    assert shelf.current("mail") is None


def test_while_the_directory_is_away_what_was_sound_is_sent(tmp_path: Path) -> None:
    own = tmp_path / "own"
    put(own, "mail", SOUND)
    shelf = Shelf(own)
    sent = shelf.current("mail")
    own.rename(tmp_path / "away")

    assert shelf.current("mail") == sent
    with pytest.raises(TemplateError, match="the directory of templates cannot be read"):
        shelf.current("other")
    with pytest.raises(OSError, match="No such file"):
        shelf.standings()


def test_names_of_our_own_mails_are_not_to_be_had(tmp_path: Path) -> None:
    put(tmp_path, "confirmation", SOUND)
    put(tmp_path, "Mail", SOUND)
    shelf = Shelf(tmp_path, {"confirmation"})

    assert shelf.current("confirmation") is None
    said = {one.name: str(one.flaws[0]) for one in shelf.standings()}
    assert said["confirmation"] == ". is the name of one of our mails"
    assert said["Mail"].startswith(". is no name of a template")
