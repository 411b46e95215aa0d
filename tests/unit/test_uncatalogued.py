from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import config
from gateway.errors import ConfigError
from gateway.look import uncatalogued
from gateway.process import processes
from gateway.watch import examination
from gateway.watch.findings import Level

DEFAULT = config.embedded_default()


def speaking(folder: Path, locale: str, mail: str = "") -> config.Config:
    title, text = f'title = {{ {locale} = "Novità" }}', f'[purposes.news.text]\n{locale} = "Sì."\n'
    purpose = f'\n[purposes.news]\nsender = "acme"\nbasis = "consent"\n{title}\n{text}{mail}'
    path = folder / "config.toml"
    path.write_text(DEFAULT + purpose, encoding="utf-8")
    return config.load(path)


async def test_a_form_in_a_language_without_a_catalogue_is_refused(tmp_path: Path) -> None:
    loaded = speaking(tmp_path, "it")
    said = "purposes.news.text.it: the language it has no catalogue; there are: en, de, fr"

    assert list(uncatalogued.problems(loaded)) == [said]
    (finding,) = examination.about_languages(loaded)
    assert (finding.level, finding.text) == (Level.FAIL, said)
    with pytest.raises(ConfigError, match=r"text\.it: the language it has no catalogue"):
        await processes.serve(loaded, with_worker=False)


@pytest.mark.parametrize("locale", ["fr", "fr-CA", "de-AT"])
def test_a_region_has_the_catalogue_of_its_language(tmp_path: Path, locale: str) -> None:
    loaded = speaking(tmp_path, locale)

    assert list(uncatalogued.problems(loaded)) == []
    (finding,) = examination.about_languages(loaded)
    assert finding.level is Level.OK


def test_mails_with_checkpoints_are_in_no_other_language_either(tmp_path: Path) -> None:
    loaded = speaking(tmp_path, "fr", '\n[audit.mail]\nevery = "1d"\nlanguage = "it"\n')

    (said,) = uncatalogued.problems(loaded)
    assert said.startswith("audit.mail.language: the language it has no catalogue")
