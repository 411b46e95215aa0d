"""Debian's SpamAssassin, offline, on every mail of ours in each language."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
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
_VERDICT = re.compile(rb"^X-Spam-Status: \S+ score=(-?[0-9.]+)[^\n]*\n(?:\s[^\n]*\n)*", re.M)
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


def judged(mails: Sequence[bytes], home: Path) -> list[tuple[float, str]]:
    """The score of each and the rules that it hit; -L asks no network, -t learns nothing.

    Reading its rules takes it a second, and a mail a tenth: it is given all at once.
    """
    program = shutil.which("spamassassin")
    if program is None:
        pytest.skip("there is no SpamAssassin")
    for number, raw in enumerate(mails):
        (home / f"{number:03}.eml").write_bytes(raw.replace(b"\r\n", b"\n"))
    done = subprocess.run(
        [
            *(program, "-L", "-t", f"--prefspath={home}/user_prefs"),
            *(home / f"{number:03}.eml" for number in range(len(mails))),
        ],
        capture_output=True,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
        timeout=300,
        check=True,
    )
    found = [*_VERDICT.finditer(done.stdout)]
    assert len(found) == len(mails), done.stderr.decode(errors="replace")
    return [(float(one[1]), one[0].decode(errors="replace")) for one in found]


@pytest.fixture(scope="module")
def verdicts(home: Path) -> dict[tuple[str, str], tuple[float, str]]:
    """What it says of each mail of ours in each language."""
    which = [(name, locale) for name in TEMPLATES for locale in languages()]
    return dict(zip(which, judged([composed(*one) for one in which], home), strict=True))


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_mail_of_ours_does_not_look_like_spam(
    name: str, locale: str, verdicts: dict[tuple[str, str], tuple[float, str]]
) -> None:
    score, rules = verdicts[name, locale]

    assert score <= MOST, rules


def test_the_judge_is_awake(home: Path) -> None:
    """Its own test string must be found, or every mail would pass; and no mail judges the next."""
    gtube = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    ours = composed("welcome", "en")
    fields = ours.partition(b"\r\n\r\n")[0]
    plain = re.sub(rb"Content-Type:.*?\r\n(?=\S)|MIME-Version:.*?\r\n", b"", fields, flags=re.S)
    spam = plain + b"\r\n\r\n" + gtube + b"\r\n"

    (before, _), (score, _), (after, _) = judged([ours, spam, ours], home)

    assert score > 100
    assert before == after <= MOST
