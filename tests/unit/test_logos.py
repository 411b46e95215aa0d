from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import config, logos
from gateway.errors import ConfigError

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        pytest.param(SVG, "image/svg+xml", id="svg"),
        pytest.param(b"\x89PNG\r\n\x1a\n....", "image/png", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0....", "image/jpeg", id="jpeg"),
        pytest.param(b"RIFF....WEBPVP8 ", "image/webp", id="webp"),
    ],
)
def test_a_logo_is_known_by_its_first_bytes(tmp_path: Path, raw: bytes, kind: str) -> None:
    path = tmp_path / "logo.txt"
    path.write_bytes(raw)

    assert logos.problem_of(path) is None
    assert logos.data_url(path).startswith(f"data:{kind};base64,")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        pytest.param(None, "there is no such file", id="missing"),
        pytest.param(b"hello", "is no SVG, PNG, JPEG or WebP", id="a text"),
        pytest.param(SVG + b" " * logos.LARGEST, "is larger than 64 KB", id="too large"),
    ],
)
def test_a_file_that_is_no_logo_stops_the_start(
    tmp_path: Path, raw: bytes | None, problem: str
) -> None:
    if raw is not None:
        (tmp_path / "logo.svg").write_bytes(raw)
    text = config.embedded_default().replace('# logo = "logo.svg"', 'logo = "logo.svg"')

    with pytest.raises(ConfigError) as caught:
        config.parse(text, base=tmp_path)

    assert list(caught.value.problems) == [f"senders.acme.logo: {problem}"]
