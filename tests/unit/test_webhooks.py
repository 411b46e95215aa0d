"""Signatures that receivers check, and what may be configured of webhooks."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from consent.feed import Change, News
from gateway.config import config
from gateway.errors import ConfigError
from gateway.http import webhooks
from storage.secret import Secret
from tests.support.receivers import SECRET, section

OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
SAID = Change("chg_1", b"", "sub_1", News.SUBJECT_ERASED, None, datetime(2026, 1, 2, tzinfo=UTC))


def test_receivers_verify_what_we_signed_under_the_new_and_the_old_secret() -> None:
    keys = [Secret(base64.b64decode(one.removeprefix("whsec_"))) for one in (SECRET, OLD)]
    body = webhooks.body_of(SAID, {"crm": "4711"})

    headers = webhooks.signed(keys, SAID.id, int(time.time()), body)

    for secret in (SECRET, OLD):
        assert Webhook(secret).verify(body, headers)["at"] == "2026-01-02T00:00:00Z"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


@pytest.mark.parametrize(
    ("url", "secret", "processor", "said"),
    [
        pytest.param(
            "http://crm.example.org/x", SECRET, "none", "must be https", id="in the clear"
        ),
        pytest.param("https://crm.example.org/x", SECRET, "crm", "no processor crm", id="unnamed"),
        pytest.param("https://crm.example.org/x", "hunter2", "none", "whsec_", id="no secret"),
        pytest.param("https://crm.example.org/x", "", "none", "one secret", id="empty"),
    ],
)
def test_a_webhook_that_would_leak_or_hide_its_receiver_stops_the_start(
    tmp_path: Path, url: str, secret: str, processor: str, said: str
) -> None:
    (tmp_path / "webhook.secret").write_text(secret)
    raw = config.embedded_default() + section("crm", url, "subject.erased", processor=processor)

    with pytest.raises(ConfigError) as raised:
        config.parse(raw, base=tmp_path)

    assert said in str(raised.value.problems)
    assert "hunter2" not in str(raised.value.problems)


def test_a_secret_does_not_stand_in_the_configuration(tmp_path: Path) -> None:
    raw = section("crm", "http://[::1]/x", "subject.erased", processor="none")
    written = raw.replace('secret_file = "webhook.secret"', f'secret = "{SECRET}"')

    with pytest.raises(ConfigError) as raised:
        config.parse(config.embedded_default() + written, base=tmp_path)

    assert "webhooks.crm.secret: a secret must not stand here" in str(raised.value.problems)
    (tmp_path / "webhook.secret").write_text(SECRET)
    parsed = config.parse(config.embedded_default() + raw, base=tmp_path)
    assert parsed.webhooks["crm"].kinds == (News.SUBJECT_ERASED,)
