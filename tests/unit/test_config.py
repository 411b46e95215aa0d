from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from consent import address
from delivery import mime
from gateway.config import config
from gateway.config.durations import Cap
from gateway.config.fields import Listen
from gateway.config.form_fields import FormField
from gateway.errors import ConfigError
from storage.secret import Secret
from tests.unit.test_verify_audit import vkey_of_witness

DEFAULT = (Path(__file__).parents[2] / "config.toml").read_text(encoding="utf-8")


def problems(raw: str, base: Path = Path("/srv")) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(raw, base=base)
    return list(caught.value.problems)


def changed(old: str, new: str) -> str:
    assert DEFAULT.count(old) == 1, old
    return DEFAULT.replace(old, new)


def test_the_default_is_valid_as_it_is() -> None:
    loaded = config.parse(DEFAULT, base=Path("/srv"))

    assert loaded.server.listen == Listen("127.0.0.1", 8080)
    assert loaded.purposes["newsletter"].unused_after == timedelta(days=4 * 365)
    assert loaded.purposes["newsletter"].expires_after is None
    assert loaded.form_locales("newsletter") == ("en", "de")
    assert loaded.guard_url == loaded.storage.keystore_url
    assert loaded.sender_of("newsletter").from_address == "news@acme.example"


def test_the_default_is_what_is_embedded() -> None:
    assert config.embedded_default() == DEFAULT


def test_every_setting_stands_in_the_default_file() -> None:
    models: list[type[BaseModel]] = [
        config.Server,
        config.Controller,
        config.Storage,
        config.Keys,
        config.Audit,
        config.Sender,
        config.Processor,
        config.Purpose,
        FormField,
        config.Form,
        config.Relay,
        config.Inbox,
        config.Delivery,
        config.Limits,
        config.Retention,
    ]

    missing = {name for model in models for name in model.model_fields if name not in DEFAULT}

    assert missing == set()


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(DEFAULT)

    loaded = config.load(file)

    assert loaded.storage.url == f"sqlite:///{tmp_path}/var/gateway.db"
    assert loaded.keys.keyring_file == tmp_path / "var/keyring.json"
    assert loaded.keys.dkim_dir == tmp_path / "var/dkim"
    assert loaded.delivery.inbox.folder == tmp_path / "var/inbox"


def test_default_paths_are_relative_to_the_file_too() -> None:
    lines = DEFAULT.splitlines()
    without = "\n".join(
        line
        for line in lines
        if not line.startswith(("dkim_dir", "journal_dir", "folder", "smtp =", "[delivery.inbox]"))
    ).replace('listen = "127.0.0.1:8025"', "#")

    loaded = config.parse(without, base=Path("/srv"))

    assert loaded.keys.dkim_dir == Path("/srv/var/dkim")
    assert loaded.delivery.journal_dir == Path("/srv/var/journal")
    assert loaded.delivery.inbox.folder == Path("/srv/var/inbox")


def test_everything_wrong_is_named_with_its_key_path() -> None:
    raw = changed('basis = "consent"', 'basis = "habit"').replace("port = 25", 'port = "25"')

    found = problems(raw.replace("enabled = true", "enabld = true"))

    assert found == [
        "purposes.newsletter.basis: must be consent",
        "delivery.relay.port: must be a whole number, without quotation marks",
        "limits.enabld: is not a setting; enabled is",
    ]


def _places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of each value, list and table of a file."""
    if at:
        yield at
    if isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _places(value, (*at, name))


def _said() -> set[str]:
    try:
        config.parse("", base=Path("/srv"))
    except ConfigError as error:
        return set(error.problems)
    return set()


@pytest.mark.parametrize(
    "wrong", [{"x": 1}, [], ["x"], "x", "", 2**70, -1, 1.5, True, date(2026, 3, 3)], ids=repr
)
def test_whatever_stands_anywhere_is_said_in_our_words(
    wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the validator are for who writes programs in its language."""
    written = changed("# warm_up =", "warm_up =") + _CRM
    said: set[str] = set()
    for *table, name in _places(tomllib.loads(written)):
        tree = tomllib.loads(written)
        reduce(getitem, table, tree)[name] = wrong
        with monkeypatch.context() as patched:
            patched.setattr(tomllib, "loads", lambda _, tree=tree: tree)
            said |= _said()

    assert said
    assert [one for one in said if re.search(r"Input|valid|dictionary|`|None", one)] == []


_CRM = """
[webhooks.crm]
url = "https://crm.example/hooks"
kinds = ["subject.erased"]
processor = "none"
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param("[limits]", "[limts]", "limts: is not a setting; limits is", id="a table"),
        pytest.param(
            "max_length = 80",
            "max_len = 80",
            "forms.newsletter.fields.first_name.max_len: is not a setting; max_length is",
            id="in a table that its writer named",
        ),
        pytest.param(
            "enabled = true", "nothing = 1", "limits.nothing: is not a setting", id="like none"
        ),
        pytest.param(
            "port = 25",
            'passwrd_file = "x"',
            "delivery.relay.passwrd_file: is not a setting; password_file is",
            id="of what never stands here itself",
        ),
        pytest.param(
            "[limits]",
            '[webhooks.crm]\nsecret_fil = "x"\n[limits]',
            "webhooks.crm.secret_fil: is not a setting; secret_file is",
            id="a webhook's",
        ),
    ],
)
def test_a_setting_that_is_none_is_told_with_the_one_that_is_like_it(
    old: str, new: str, problem: str
) -> None:
    assert problem in problems(changed(old, new))


_NO_SECRET = 'each secret is "whsec_" and 24 to 64 random bytes in base64; to make one: '


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param("", "secret_file or secret_env: is required", id="none"),
        pytest.param(
            'secret = "x"',
            "secret: a secret must not stand here; use secret_file or secret_env",
            id="in the clear",
        ),
        pytest.param('secret_file = "no"', "secret_file: the file cannot be read", id="no file"),
        pytest.param(
            'secret_env = "NO_SUCH"', "secret_env: the variable NO_SUCH is not set", id="unset"
        ),
        pytest.param(
            'secret_env = "NO_SUCH"\nsecret_file = "no"',
            "secret: given by secret_file and by secret_env; keep one",
            id="twice",
        ),
        pytest.param('secret_file = "bad"', f"secret_file: {_NO_SECRET}", id="no secret in it"),
    ],
)
def test_what_a_webhook_lacks_is_named_once_by_the_key_it_is_written_under(
    tmp_path: Path, given: str, problem: str
) -> None:
    (tmp_path / "bad").write_text("whsec_")

    (found,) = problems(f"{DEFAULT}\n{_CRM}{given}", tmp_path)

    assert found.startswith(f"webhooks.crm.{problem}")


def test_the_line_that_makes_a_webhooks_secret_makes_one(tmp_path: Path) -> None:
    (made,) = re.findall(r"`\((umask 077; echo whsec_.*?)\)`", DEFAULT)
    subprocess.run(["sh", "-c", made.replace("secrets/", "")], cwd=tmp_path, check=True)

    config.parse(f'{DEFAULT}\n{_CRM}secret_file = "crm-webhook"', base=tmp_path)

    assert made in Path("docs/operations.md").read_text(encoding="utf-8")
    assert (tmp_path / "crm-webhook").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param('url = "http://w.example/"', "url: must be https", id="in the clear"),
        pytest.param('vkey = "w+00+AA"', "vkey: is no key of a witness", id="no key"),
    ],
)
def test_a_witness_that_cannot_be_asked_or_believed_stops_the_start(
    given: str, problem: str
) -> None:
    lines = {"url": 'url = "https://w.example/"', "vkey": f'vkey = "{vkey_of_witness()}"'}
    lines[given.partition(" ")[0]] = given
    raw = f"{DEFAULT}\n[audit.witnesses.one]\n" + "\n".join(lines.values())

    (found,) = problems(raw)

    assert found.startswith(f"audit.witnesses.one.{problem}")


def test_witnesses_are_counted_once_each_and_no_more_are_needed_than_there_are() -> None:
    one = f'url = "https://w.example/"\nvkey = "{vkey_of_witness()}"'
    twice = f"{DEFAULT}\n[audit.witnesses.one]\n{one}\n[audit.witnesses.two]\n{one}\n"
    many = DEFAULT.replace("[audit]", "[audit]\nwitnesses_needed = 2", 1)

    assert {one.partition(": ")[2] for one in problems(twice)} == {
        "another witness has the same name"
    }
    assert problems(f"{many}\n[audit.witnesses.one]\n{one}\n") == [
        "audit.witnesses_needed: 2 of 1 cannot be had"
    ]


def test_a_table_is_wrong_by_what_stands_in_it_and_no_pattern_is_shown() -> None:
    raw = _CRM.replace("[webhooks.crm]", '[webhooks."My CRM"]').replace("subject.erased", "all")

    found = problems(f"{DEFAULT}\n{raw}")

    assert [one.partition(": ")[0] for one in found] == [
        "webhooks.My CRM",
        "webhooks.My CRM.secret_file or secret_env",
        "webhooks.My CRM.kinds.0",
    ]
    assert "lower-case letters" in found[0]


def test_a_file_that_is_not_toml_is_refused() -> None:
    (problem,) = problems('name = "Acme\nx = 1')

    assert problem.startswith("it: is not TOML: ")
    assert "line 1" in problem
    assert problem.endswith(
        "; text ends in its line, in quotation marks, and each key and table stands once"
    )


@pytest.mark.parametrize("address", ["news@", "news", "@acme.example", "news@acme..example"])
def test_what_is_no_address_is_told_what_one_looks_like(address: str) -> None:
    wanted = ["senders.acme.from_address: write an address such as news@example.org"]

    assert problems(changed('"news@acme.example"', f'"{address}"')) == wanted


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            'permit_ttl = "2s"',
            'permit_ttl = "0s"',
            "delivery.permit_ttl: at least 1s",
            id="permit that ends at once",
        ),
        pytest.param(
            'lease = "30m"',
            'lease = "1s"',
            "delivery.lease: must be longer than permit_ttl",
            id="lease shorter than a permit",
        ),
        pytest.param(
            'transport = "inbox"    ',
            'transport = "direct"    ',
            "delivery.transport: direct delivery is not in this release; use a relay",
            id="direct delivery",
        ),
        pytest.param(
            'sender = "acme"',
            'sender = "other"',
            "purposes.newsletter.sender: there is no [senders.other], only acme",
            id="purpose of nobody",
        ),
        pytest.param(
            'purposes = ["newsletter"]',
            'purposes = ["offers"]',
            "forms.newsletter.purposes: there is no [purposes.offers], only newsletter",
            id="form without purpose",
        ),
        pytest.param(
            'purposes = ["newsletter"]',
            'purposes = ["newsletter", "newsletter"]',
            "forms.newsletter.purposes: names a purpose twice",
            id="purpose twice",
        ),
        pytest.param(
            'title = { en = "Newsletter", de = "Newsletter" }',
            'title = { en = "Newsletter" }',
            "purposes.newsletter: title and text must both have the language de",
            id="language without title",
        ),
        pytest.param(
            'label = { en = "First name", de = "Vorname" }',
            'label = { en = "First name" }',
            "forms.newsletter.fields.first_name.label: must have en, de",
            id="language without label",
        ),
        pytest.param(
            'dkim_domain = "acme.example"',
            'dkim_domain = "other.example"',
            "senders.acme.dkim_domain: does not align with from_address (DMARC): write the domain"
            " of that, or one above it",
            id="signature that does not align",
        ),
        pytest.param(
            'keystore_url = "sqlite:///var/keystore.db"',
            'keystore_url = "sqlite:///var/gateway.db"',
            "storage.url: the data must not share a database with the key store or the guard",
            id="keys beside the data",
        ),
        pytest.param(
            'network_data = "30d"',
            'network_data = "31d"',
            "retention.network_data: at most 30d",
            id="network data for too long",
        ),
        pytest.param(
            '# notice = { en = "notice.en.md", de = "notice.de.md" }',
            'notice = { en = "notice.en.md" }',
            "controller.notice.en: there is no such file",
            id="notice that is not there",
        ),
        pytest.param(
            'transport = "inbox"    ',
            'transport = "relay"    ',
            "processors.relay: is missing: whoever relays the mails handles the data; say who "
            "(name, role, country, safeguard), or set delivery.relay.processor to "
            '"none" where the relay is a server of your own',
            id="relay of nobody",
        ),
        pytest.param(
            "[delivery]\n",
            '[processors.none]\nname = "A"\nrole = "b"\ncountry = "DE"\n[delivery]\n',
            "processors.none: is the name for none; take another",
            id="processor called none",
        ),
        pytest.param(
            "[delivery]\n",
            '[processors.x]\nname = "A"\nrole = "b"\ncountry = "CH"\n[delivery]\n',
            "processors.x.safeguard: CH is outside the EEA; say what protects the data there",
            id="third country without a safeguard",
        ),
        pytest.param(
            "[delivery]\n",
            '[processors.x]\nname = "A"\nrole = { en = "b" }\ncountry = "DE"\n[delivery]\n',
            "processors.x.role: must have the language de",
            id="role in one of two languages",
        ),
        pytest.param(
            'host = "127.0.0.1"',
            'host = "relay.example.org"\nusername = "gateway"\npassword_env = "RELAY_PASSWORD"',
            "delivery.relay.tls: the password would travel in clear; use starttls or implicit",
            id="password in clear",
        ),
        pytest.param(
            'host = "127.0.0.1"',
            'host = "127.0.0.1"\nusername = "gateway"',
            "delivery.relay.username: user name and password come together:"
            " set password_file or password_env",
            id="name without password",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    old: str, new: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAY_PASSWORD", "sesame")

    assert problems(changed(old, new)) == [problem]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        pytest.param(
            'public_url = "http://localhost:8080"',
            'public_url = "localhost:8080"',
            "server.public_url",
            id="URL without scheme",
        ),
        pytest.param(
            'public_url = "http://localhost:8080"',
            'public_url = "https://www.acme.example/mail"',
            "server.public_url",
            id="URL with a path",
        ),
        pytest.param(
            '"https://www.acme.example"]',
            '"https://www.acme.example/"]',
            "forms.newsletter.origins.2",
            id="origin with a slash",
        ),
        pytest.param(
            'host = "127.0.0.1"', 'host = "mail_relay"', "delivery.relay.host", id="underscore"
        ),
        pytest.param(
            'public_url = "http://localhost:8080"',
            'public_url = "https://☕.example"',
            "server.public_url",
            id="emoji as host",
        ),
        pytest.param(
            "trusted_proxies = []",
            'trusted_proxies = ["10.0.0.1/8"]',
            "server.trusted_proxies.0",
            id="network with host bits",
        ),
        pytest.param(
            'url = "sqlite:///var/gateway.db"',
            'url = "mysql://localhost/gateway"',
            "storage.url",
            id="other database",
        ),
        pytest.param(
            'url = "sqlite:///var/gateway.db"',
            'url = "sqlite://"',
            "storage.url",
            id="database in memory",
        ),
        pytest.param(
            'origin = "localhost/audit/gateway"',
            'origin = "localhost audit"',
            "audit.origin",
            id="origin with a space",
        ),
        pytest.param(
            'name = "Acme"    ',
            'name = "Acme\\r\\nBcc: x"    ',
            "senders.acme.name",
            id="line break",
        ),
        pytest.param("[senders.acme]", '[senders."../acme"]', "senders.../acme", id="path as name"),
        pytest.param(
            'listen = "127.0.0.1:8080"', 'listen = "8080"', "server.listen", id="port alone"
        ),
        pytest.param(
            'unconfirmed = "30d"', "unconfirmed = 30", "retention.unconfirmed", id="no unit"
        ),
    ],
)
def test_what_is_not_well_formed_is_refused(old: str, new: str, path: str) -> None:
    found = problems(changed(old, new))

    assert path in [line.split(":")[0] for line in found]


@pytest.mark.parametrize(
    "value",
    [
        "country = 'Germany'",
        "country = 'EU'",
        "country = 'ZZ'",
        "country = 'de'",
        "country = 49",
        "role = ''",
        "role = {}",
        "role = { DE = 'x' }",
        "role = { de = 7 }",
        'role = "a\\nb"',
        "role = 7",
        "phone = '1'",
    ],
)
def test_a_processor_is_well_formed(value: str) -> None:
    good = {"name": "'A'", "role": "'b'", "country": "'DE'"}
    key, _, given = value.partition(" = ")
    lines = [f"{name} = {one}" for name, one in (good | {key: given}).items()]
    raw = "\n".join([DEFAULT, "[processors.x]", *lines])

    assert [line.split(":")[0] for line in problems(raw)] == [f"processors.x.{key}"]


def test_a_domain_is_the_same_in_the_configuration_and_in_the_mail() -> None:
    raw = changed('from_address = "news@acme.example"', 'from_address = "news@straße.example"')
    raw = raw.replace('dkim_domain = "acme.example"', 'dkim_domain = "Straße.EXAMPLE"')

    sender = config.parse(raw, base=Path("/srv")).senders["acme"]

    assert sender.dkim_domain == address.parse("ada@straße.example").domain
    assert sender.from_address == mime.ascii_address("news@straße.example")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("https://straße.example", "https://xn--strae-oqa.example", id="sharp s"),
        pytest.param("https://www.acme.example:443", "https://www.acme.example", id="usual port"),
        pytest.param("https://www.acme.example:444", "https://www.acme.example:444", id="port"),
        pytest.param("http://[::1]:80", "http://[::1]", id="IPv6"),
        pytest.param("http://localhost:8090", "http://localhost:8090", id="one label"),
    ],
)
def test_an_origin_is_kept_as_browsers_say_it(written: str, said: str) -> None:
    raw = changed('"https://www.acme.example"]', f'"{written}"]')

    assert config.parse(raw, base=Path("/srv")).forms["newsletter"].origins[-1] == said


def test_a_page_is_kept_with_its_host_in_ascii() -> None:
    raw = changed(
        'imprint_url = "https://www.acme.example/imprint"',
        'imprint_url = "https://www.faß.example/über?x#y"',
    )

    sender = config.parse(raw, base=Path("/srv")).senders["acme"]

    assert sender.imprint_url == "https://www.xn--fa-hia.example/über?x#y"


@pytest.mark.parametrize("host", ["postfix", "mail.example.", "::1", "10.0.0.1", "MAIL.example"])
def test_a_relay_is_a_name_or_an_address(host: str) -> None:
    raw = changed('host = "127.0.0.1"', f'host = "{host}"')

    assert config.parse(raw, base=Path("/srv")).delivery.relay.host == host.lower()


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:8080", "::1", 8080), ("localhost:0", "localhost", 0)],
)
def test_a_listener_is_host_and_port(written: str, host: str, port: int) -> None:
    raw = changed('listen = "127.0.0.1:8080"', f'listen = "{written}"')

    assert config.parse(raw, base=Path("/srv")).server.listen == Listen(host, port)


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("off", None),
        ("0.0.0.0:9180", Listen("0.0.0.0", 9180)),
    ],
)
def test_numbers_are_told_at_a_place_of_their_own_or_nowhere(
    written: str, where: Listen | None
) -> None:
    line = 'admin_listen = "127.0.0.1:9180"'
    raw = changed(line, f'admin_listen = "{written}"')
    unset = changed(line, "")

    assert config.parse(raw, base=Path("/srv")).server.admin_listen == where
    assert config.parse(unset, base=Path("/srv")).server.admin_listen == Listen("127.0.0.1", 9180)


@pytest.mark.parametrize("written", ["127.0.0.1:8080", "on", "none", ""])
def test_numbers_are_not_told_where_the_public_is_answered(written: str) -> None:
    raw = changed('admin_listen = "127.0.0.1:9180"', f'admin_listen = "{written}"')

    assert [one.partition(":")[0] for one in problems(raw)] == ["server.admin_listen"]


@pytest.mark.parametrize("where", ["8080", "9180", "8025"])
def test_two_servers_of_one_process_have_a_port_each(where: str) -> None:
    raw = changed('smtp = "127.0.0.1:2525"', f'smtp = "127.0.0.1:{where}"')

    assert [one.partition(":")[0] for one in problems(raw)] == ["delivery.inbox.smtp"]


def test_a_cap_is_read() -> None:
    raw = changed('# at_most = "2 per 7d"', 'at_most = "2 per 7d"  #')

    loaded = config.parse(raw, base=Path("/srv"))

    assert loaded.purposes["newsletter"].at_most == Cap(2, timedelta(days=7))


def test_a_withdrawal_is_told_only_where_the_operator_says_so() -> None:
    raw = changed("# acknowledge = true", "acknowledge = true  #")

    loaded = [config.parse(one, base=Path("/srv")) for one in (raw, config.embedded_default())]

    assert [one.purposes["newsletter"].acknowledge for one in loaded] == [True, False]


def test_evidence_may_be_kept_for_no_time_at_all() -> None:
    raw = changed('evidence_after_withdrawal = "3y"', 'evidence_after_withdrawal = "0d"')

    assert config.parse(raw, base=Path("/srv")).retention.evidence_after_withdrawal == timedelta()


def test_a_password_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("RELAY_PASSWORD", "from the environment")
    user = 'host = "127.0.0.1"\nusername = "gateway"\n'
    by_file = changed('host = "127.0.0.1"', user + 'password_file = "secret"')
    by_name = changed('host = "127.0.0.1"', user + 'password_env = "RELAY_PASSWORD"')

    read = [config.parse(raw, base=tmp_path).delivery.relay.password for raw in (by_file, by_name)]

    assert read == [Secret(b"from a file"), Secret(b"from the environment")]


def test_a_password_in_the_file_is_refused_and_not_repeated() -> None:
    found = problems(changed('host = "127.0.0.1"', 'host = "127.0.0.1"\npassword = "sesame"'))

    assert found == [
        "delivery.relay.password: a password must not stand here; use password_file or password_env"
    ]


def test_a_password_in_a_database_url_is_refused_and_not_repeated() -> None:
    url = "postgresql://gateway:sesame@db.example.org/gateway"

    found = problems(changed('url = "sqlite:///var/gateway.db"', f'url = "{url}"'))

    assert found[0] == "storage.url: a password must not stand here; use url_file or url_env"
    assert "sesame" not in str(found)


def test_a_database_url_may_come_from_the_environment_and_does_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "postgresql://gateway:sesame@db.example.org/gateway"
    monkeypatch.setenv("DATABASE", url)

    raw = changed('url = "sqlite:///var/gateway.db"', 'url_env = "DATABASE"')
    loaded = config.parse(raw, base=Path("/srv"))

    assert loaded.storage.url == url
    assert "sesame" not in repr(loaded)


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ('url_env = "NOT_SET"', "storage.url_env: the variable NOT_SET is not set where this runs"),
        ('url_env = "hunter2"', "storage.url_env: the variable is not set where this runs"),
        (
            'url_file = "none"',
            "storage.url_file: the file cannot be read: No such file or directory, from /srv",
        ),
        (
            'url = "sqlite:///a.db"\nurl_env = "NOT_SET"',
            "storage.url: given by url and by url_env; keep one",
        ),
    ],
    ids=["unset variable", "perhaps a secret", "missing file", "both"],
)
def test_a_secret_that_cannot_be_had_is_named(new: str, problem: str) -> None:
    assert problem in problems(changed('url = "sqlite:///var/gateway.db"', new))


def test_former_names_and_addresses_are_read_as_wordings_have_them() -> None:
    raw = changed("[senders.acme] ", '[senders.acme]\nwas = ["Acme Brands", "news@BÜCHER.example"]')
    raw = raw.replace("[controller] ", '[controller]\nwas = ["Acme AG", "Old Street 1, Berlin"]')

    loaded = config.parse(raw, base=Path("/srv"))

    assert loaded.senders["acme"].was == ("Acme Brands", "news@xn--bcher-kva.example")
    assert loaded.controller.was == ("Acme AG", "Old Street 1, Berlin")


@pytest.mark.parametrize("theirs", ['name = "Globex"', 'was = ["Globex"]\nname = "Globex Two"'])
def test_nobody_was_who_somebody_else_is(theirs: str) -> None:
    """Consents that named the one would let the other mail."""
    other = f"""[senders.globex]
{theirs}
from_address = "news@globex.example"
imprint_url = "https://www.globex.example/imprint"
privacy_url = "https://www.globex.example/privacy"
dkim_domain = "globex.example"

[senders.acme]
was = ["Globex", "news@globex.example"]
"""

    found = problems(changed("[senders.acme] ", other + "#"))

    assert "senders.acme.was: names globex, who is another sender" in found


def relayed_by(processor: str) -> str:
    raw = changed('transport = "inbox"    ', 'transport = "relay"    ')
    raw = raw.replace('processor = "relay"', f'processor = "{processor}"')
    return raw + '[processors.mailer]\nname = "A"\nrole = "b"\ncountry = "DE"\n'


@pytest.mark.parametrize("processor", ["relay", "postman"])
def test_whoever_relays_the_mails_must_be_named(processor: str) -> None:
    (problem,) = problems(relayed_by(processor))

    assert problem.startswith(f"processors.{processor}: is missing: ")


@pytest.mark.parametrize("processor", ["mailer", "none"])
def test_a_relay_is_one_of_the_processors_or_a_server_of_ones_own(processor: str) -> None:
    loaded = config.parse(relayed_by(processor), base=Path("/srv"))

    assert loaded.delivery.relay.processor == processor


def test_a_notice_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notice.en.md").write_bytes(b"\xff\xfe# Ours")
    raw = changed("# notice = { en", "notice = { en").replace(', de = "notice.de.md" }', " }")

    with pytest.raises(ConfigError) as refused:
        config.parse(raw, base=tmp_path)

    assert refused.value.problems == ("controller.notice.en: is no text in UTF-8",)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('country = "DE"', "rights.time_zone: is missing"),
        ('subdivision = "BE"', "rights.country: is missing"),
        ('country = "de"\ntime_zone = "UTC"', "rights.country: write the ISO 3166 code"),
        ('time_zone = "Europe"', "rights.time_zone: write a time zone that this machine knows"),
        ('time_zone = "../UTC"', "rights.time_zone: write a time zone that this machine knows"),
        ('subdivision = "B E"', "rights.subdivision: "),
    ],
    ids=["no zone", "no country", "no code", "a folder", "a path", "no name"],
)
def test_where_answers_are_due_is_said_whole_or_named_by_its_key(said: str, problem: str) -> None:
    (found, *_) = problems(changed("[rights]\n", f"[rights]\n{said}\n"))

    assert found.startswith(problem)


def test_a_password_that_cannot_be_had_is_named_once() -> None:
    said = 'username = "gateway"\npassword_env = "NOT_SET"\nprofile = "smtp"'

    found = problems(changed('profile = "smtp"', said))

    assert found == ["delivery.relay.password_env: the variable NOT_SET is not set where this runs"]
