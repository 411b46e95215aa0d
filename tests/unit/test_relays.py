"""Where the worker connects to, and who it says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.config.relays import relay_of
from gateway.errors import ConfigError

OWN = (
    ('transport = "inbox"    ', 'transport = "relay"    '),
    ('processor = "relay"', 'processor = "none"'),
)


def config(folder: Path, *changes: tuple[str, str]) -> configuration.Config:
    raw = configuration.embedded_default()
    for old, new in (*OWN, *changes):
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    return configuration.parse(raw, base=folder)


def with_relay(said: str) -> tuple[str, str]:
    return 'profile = "smtp"', f'{said}\nprofile = "smtp"'


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://mail.brand.example", "mail.brand.example"),
        ("https://mail.brand.example:8443", "mail.brand.example"),
        ("http://localhost:8080", "acme.example"),
        ("http://127.0.0.1:8080", "acme.example"),
        ("https://gateway", "acme.example"),
    ],
)
def test_who_we_say_we_are_is_known_to_the_world(tmp_path: Path, url: str, said: str) -> None:
    public = ('public_url = "http://localhost:8080"', f'public_url = "{url}"')

    assert relay_of(config(tmp_path, public)).local_hostname == said


def test_the_operator_may_say_it(tmp_path: Path) -> None:
    given = config(tmp_path, with_relay('helo = "out.acme.example"'))

    assert relay_of(given).local_hostname == "out.acme.example"


def test_what_is_set_is_what_the_worker_keeps_to(tmp_path: Path) -> None:
    changes = ("messages_per_connection = 100", "messages_per_connection = 7")
    given = config(
        tmp_path,
        changes,
        with_relay('auth = "login"\nusername = "gateway"\npassword_env = "PATH"'),
    )

    relay = relay_of(given)

    assert (relay.messages_per_connection, relay.auth) == (7, "login")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('auth = "plain"', "delivery.relay.auth: nobody signs in without username and password"),
        ('auth = "ntlm"', "delivery.relay.auth"),
        ('helo = "no name"', "delivery.relay.helo"),
        ('ca_file = "there-is-none.pem"', "there-is-none.pem cannot be read: No such file"),
        ('ca_file = "config.toml"', "config.toml cannot be read: it holds no certificate"),
        ("messages_per_connection_ = 1", "messages_per_connection_"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, said: str, problem: str) -> None:
    (tmp_path / "config.toml").write_text("no certificate")

    with pytest.raises(ConfigError) as caught:
        config(tmp_path, with_relay(said))

    assert problem in str(caught.value.problems)


def test_mails_travel_in_clear_to_another_machine_only_where_that_is_said_twice(
    tmp_path: Path,
) -> None:
    elsewhere = ('host = "127.0.0.1"\nport', 'host = "relay.acme.example"\nport')

    with pytest.raises(ConfigError) as caught:
        config(tmp_path, elsewhere)
    said = config(tmp_path, elsewhere, with_relay("unencrypted = true"))

    assert "delivery.relay.tls: mails would travel in clear" in str(caught.value.problems)
    assert relay_of(said).tls == "none"
