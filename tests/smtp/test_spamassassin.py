"""Debian's SpamAssassin, offline, on every mail of ours in each language."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from delivery import mime
from delivery.templates import Templates
from gateway.look import resources
from gateway.look.looks import mail_look
from gateway.look.translations import languages, translations
from tests.support.mails import MARKETING, SERVICE, signer
from tests.support.page_samples import consent

pytestmark = pytest.mark.wide
MOST = 1.0
TEMPLATES = sorted(path.parent.name for path in resources.templates().glob("mail/*/subject.txt"))
OF_OUR_OWN = {
    *("address_asked", "address_changed", "address_confirm"),
    *("checkpoint", "confirmation", "desk", "my_data", "probe", "re_permission", "withdrawal"),
    "stop_lifted",
}
SEALED = {
    "log": "mail.acme.example/audit/gateway",
    "size": "1,024",
    "day": "27 November 2026",
    "checkpoint": "mail.acme.example/audit/gateway\n1024\n"
    "kX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs=\n\n"
    "— mail.acme.example/audit/gateway kX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs=\n",
    "keys": "mail.acme.example/audit/gateway+1a2b3c4d+AX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5",
    "lifted": "objection",
    "by": "somebody",
    "at": "27 November 2026, 21:36 UTC",
    "until": "11 December 2026, 21:36 UTC",
}
BASE = "https://mail.acme.example"
TOKENS = {
    "confirm": "kX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs",
    "address": "dX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs",
    "stop_again": "eX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs",
    "my_data": "Yx3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs",
    "unsubscribe": "kX3vQm1d0mJkq7n0t5uZsw",
    "why": "aX3vQm1d0mJkq7n0t5uZsw",
    "stop": "cX3vQm1d0mJkq7n0t5uZswkX3vQm1d0mJkq7n0t5uZs",
    "preferences": "bX3vQm1d0mJkq7n0t5uZsw",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for what SpamAssassin writes, so that no earlier run has a say."""
    return tmp_path_factory.mktemp("spamassassin")


def composed(name: str, locale: str, **look: Any) -> bytes:
    """The mail as it would be handed to a relay."""
    frame = {
        "locale": locale,
        "sender": {
            "name": "Acme",
            "postal_address": "Musterstr. 1, 10115 Berlin, Germany",
            "imprint_url": "https://www.acme.example/imprint",
            "privacy_url": "https://www.acme.example/privacy",
        },
        "controller": {"name": "Acme GmbH"},
        "look": mail_look(look.get("accent"), look.get("band")),
        "links": {
            **{at: f"{BASE}/{at.replace('_', '-')}/{token}" for at, token in TOKENS.items()},
            "desk": f"{BASE}/dpo/link/{TOKENS['my_data']}",
        },
        "consents": [
            consent(
                locale,
                before="Yes.",
                before_sender="Acme (Acme GmbH)",
                again_url=f"{BASE}/again/{TOKENS['preferences']}",
            )
        ],
    }
    ours = name in OF_OUR_OWN
    templates = Templates(resources.templates() / "mail", translations)
    data = (
        SEALED if name in ("checkpoint", "stop_lifted") else {} if ours else {"first_name": "Ada"}
    )
    content = templates.render(name, locale, data, frame, footer=not ours)
    mail = mime.compose(SERVICE if ours else MARKETING, content)
    return mail.wire([signer().sign(mail.fields, mail.body, MARKETING.date)])


def judged(raw: bytes, home: Path) -> tuple[float, str]:
    """The score and the rules that were hit; -L asks no network."""
    program = shutil.which("spamassassin")
    if program is None:
        pytest.skip("there is no SpamAssassin")
    done = subprocess.run(
        [program, "-L", "-t", f"--prefspath={home}/user_prefs"],
        input=raw.replace(b"\r\n", b"\n"),
        capture_output=True,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
        timeout=100,
        check=True,
    )
    found = re.search(rb"X-Spam-Status: \S+ score=(-?[0-9.]+)[^\n]*\n(?:\s[^\n]*\n)*", done.stdout)
    assert found is not None, done.stderr.decode(errors="replace")
    return float(found[1]), found[0].decode(errors="replace")


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_mail_of_ours_does_not_look_like_spam(name: str, locale: str, home: Path) -> None:
    score, rules = judged(composed(name, locale), home)

    assert score <= MOST, rules


def test_the_judge_is_awake(home: Path) -> None:
    """Its own test string must be found, or every mail would pass."""
    gtube = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    raw = composed("welcome", "en").partition(b"\r\n\r\n")[0]
    plain = re.sub(rb"Content-Type:.*?\r\n(?=\S)|MIME-Version:.*?\r\n", b"", raw, flags=re.S)

    score, _ = judged(plain + b"\r\n\r\n" + gtube + b"\r\n", home)

    assert score > 100
