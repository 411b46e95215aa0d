"""The configuration: one frozen object, checked whole before anything starts.

`config.toml` explains each key. A model here says what is well-formed;
`_contradictions` says what does not fit together.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.config import advertising, logos, secrets
from gateway.config.countries import EEA
from gateway.config.fields import (
    AdminListen,
    Ceiling,
    Colour,
    Country,
    DatabaseUrl,
    Domain,
    Duration,
    Endpoint,
    FieldName,
    FilePath,
    Former,
    Host,
    Lasting,
    Line,
    Listen,
    Locale,
    Mailbox,
    Name,
    Network,
    NoteName,
    Origin,
    PageUrl,
    Password,
    PublicUrl,
    Told,
    Wording,
)
from gateway.errors import ConfigError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
OWN_SERVER = "none"  # as the relay's processor: it is nobody else's


class Section(BaseModel):
    """A table of the file; a key that it does not know stops the start."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )


class Server(Section):
    listen: Endpoint = Listen("127.0.0.1", 8080)
    public_url: PublicUrl
    trusted_proxies: tuple[Network, ...] = ()
    admin_listen: AdminListen = Listen("127.0.0.1", 9180)


class Controller(Section):
    name: Line
    postal_address: Line
    contact: Mailbox
    was: tuple[Line, ...] = ()
    notice: dict[Locale, FilePath] = {}


class Storage(Section):
    url: DatabaseUrl = Field(repr=False)
    keystore_url: DatabaseUrl = Field(repr=False)


class Keys(Section):
    keyring_file: FilePath
    rotate_every: Duration = timedelta(days=30)
    dkim_dir: FilePath = Field(default=Path("var/dkim"), validate_default=True)


class Audit(Section):
    origin: NoteName
    guard_url: DatabaseUrl | None = Field(default=None, repr=False)


class Sender(Section):
    name: Line
    from_address: Mailbox
    imprint_url: PageUrl
    privacy_url: PageUrl
    dkim_domain: Domain
    was: tuple[Former, ...] = ()
    accent: Colour | None = None
    band: Colour | None = None
    logo: FilePath | None = None


class Processor(Section):
    name: Line
    role: Told
    country: Country
    safeguard: Told | None = None


class Purpose(Section):
    sender: Name
    basis: Literal["consent"]
    title: Annotated[dict[Locale, Line], Field(min_length=1)]
    text: Annotated[dict[Locale, Wording], Field(min_length=1)]
    expires_after: Lasting = None
    unused_after: Lasting = timedelta(days=4 * 365)
    at_most: Ceiling = None


class FormField(Section):
    required: bool = False
    max_length: Annotated[int, Field(ge=1, le=2000)] = 200
    label: dict[Locale, Line] = {}


class Form(Section):
    purposes: Annotated[tuple[Name, ...], Field(min_length=1)]
    fields: dict[FieldName, FormField] = {}
    origins: tuple[Origin, ...] = ()
    thank_you_url: PageUrl | None = None
    error_url: PageUrl | None = None


class Relay(Section):
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    tls: Literal["none", "starttls", "implicit"] = "none"
    connections: Annotated[int, Field(ge=1, le=1000)] = 20
    username: Line | None = None
    password: Password = None
    profile: Literal["smtp", "ses"] = "smtp"
    processor: Name = "relay"


class Inbox(Section):
    listen: Endpoint = Listen("127.0.0.1", 8025)
    smtp: Endpoint = Listen("127.0.0.1", 2525)
    folder: FilePath = Field(default=Path("var/inbox"), validate_default=True)


class Delivery(Section):
    transport: Literal["inbox", "relay", "direct"] = "inbox"
    permit_ttl: Duration = timedelta(seconds=2)
    lease: Duration = timedelta(minutes=30)
    journal_dir: FilePath = Field(default=Path("var/journal"), validate_default=True)
    relay: Relay = Relay()
    inbox: Inbox


class Limits(Section):
    enabled: bool = True


class Retention(Section):
    unconfirmed: Duration = timedelta(days=30)
    message_bodies: Duration = timedelta(days=30)
    evidence_after_withdrawal: Duration = timedelta(days=3 * 365)
    network_data: Duration = timedelta(days=30)
    messages: Duration = timedelta(days=365)
    rights_requests: Duration = timedelta(days=3 * 365)


class Suppress(StrEnum):
    """Whose mailbox is not asked again for a year although nothing else is left of them."""

    NONE = "none"
    OBJECTION = "objection"  # who had objected
    ALWAYS = "always"


class Rights(Section):
    suppress_after_erasure: Suppress = Suppress.OBJECTION


class Config(Section):
    """Everything that an operator decides."""

    server: Server
    controller: Controller
    storage: Storage
    keys: Keys
    audit: Audit
    senders: Annotated[dict[Name, Sender], Field(min_length=1)]
    processors: dict[Name, Processor] = {}
    purposes: dict[Name, Purpose] = {}
    forms: dict[Name, Form] = {}
    delivery: Delivery
    limits: Limits = Limits()
    retention: Retention = Retention()
    rights: Rights = Rights()

    @property
    def guard_url(self) -> str:
        """Where the guard lives: with the key store unless it has a place of its own."""
        return self.audit.guard_url or self.storage.keystore_url

    def form_locales(self, form: str) -> tuple[str, ...]:
        """The languages in which every purpose of *form* has a text, in the first one's order."""
        texts = [self.purposes[name].text for name in self.forms[form].purposes]
        return tuple(locale for locale in texts[0] if all(locale in text for text in texts))

    @property
    def locales(self) -> list[str]:
        """The languages of wordings, and so of the notices behind them."""
        return sorted({locale for purpose in self.purposes.values() for locale in purpose.text})

    def sender_of(self, purpose: str) -> Sender:
        return self.senders[self.purposes[purpose].sender]


def load(path: Path) -> Config:
    """Read and check *path*; relative paths in it are relative to it.

    Raises ConfigError with everything that is wrong, not only the first thing.
    Secrets are read here, once, from the files and variables that it names.
    """
    try:
        raw = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError([f"{path}: cannot be read"]) from None
    return parse(raw, base=path.absolute().parent)


def embedded_default() -> str:
    """The text of the repository's own `config.toml`, from the wheel or the work tree."""
    installed = resources.files("gateway") / "_data" / "config.toml"
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return Path(__file__).parents[2].joinpath("config.toml").read_text(encoding="utf-8")


def parse(raw: str, *, base: Path) -> Config:
    """As `load`, from text; relative paths are relative to *base*."""
    try:
        tree = tomllib.loads(raw)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"not TOML: {error}"]) from None
    problems = secrets.fetch(tree, base)
    if isinstance(delivery := tree.get("delivery"), dict):
        delivery.setdefault("inbox", {})  # its default folder is relative to the file
    try:
        # As JSON: strict about kinds, yet an array may become a tuple and text a path.
        config = Config.model_validate_json(json.dumps(tree, default=str), context={"base": base})
    except ValidationError as error:
        raise ConfigError(problems + [_line(item) for item in error.errors()]) from None
    problems += _contradictions(config)
    if problems:
        raise ConfigError(problems)
    return config


def _line(error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"{path}: is not a setting"
    return f"{path}: {error['msg'].removeprefix('Value error, ')}"


def _contradictions(config: Config) -> Iterator[str]:
    yield from _about_senders(config)
    yield from _about_purposes(config)
    yield from _about_words(config)
    yield from _about_forms(config)
    yield from _about_delivery(config)
    yield from _about_processors(config)
    if config.server.admin_listen == config.server.listen and config.server.listen.port:
        yield "server.admin_listen: is where the public listens; metrics are not for everybody"
    if config.storage.url in (config.storage.keystore_url, config.guard_url):
        yield "storage.url: the data must not share a database with the key store or the guard"
    for locale, path in config.controller.notice.items():
        if problem := _problem_of_text(path):
            yield f"controller.notice.{locale}: {problem}"
    if config.retention.network_data > timedelta(days=30):
        yield "retention.network_data: at most 30d"


def _problem_of_text(path: Path) -> str | None:
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return "is no text in UTF-8"
    except OSError:
        return "cannot be read" if path.is_file() else "there is no such file"
    return None


def _about_senders(config: Config) -> Iterator[str]:
    for name, sender in config.senders.items():
        mailbox = "." + sender.from_address.rpartition("@")[2]
        signing = "." + sender.dkim_domain
        if not (mailbox.endswith(signing) or signing.endswith(mailbox)):
            yield f"senders.{name}.dkim_domain: does not align with from_address (DMARC)"
        if sender.logo is not None and (problem := logos.problem_of(sender.logo)):
            yield f"senders.{name}.logo: {problem}"
        for other, theirs in config.senders.items():
            # Addresses may be shared or passed on; a name is whose a consent is.
            taken = {theirs.name, *(one for one in theirs.was if "@" not in one)}
            if other != name and taken & set(sender.was):
                yield f"senders.{name}.was: names {other}, who is another sender"


def _about_purposes(config: Config) -> Iterator[str]:
    for name, purpose in config.purposes.items():
        if purpose.sender not in config.senders:
            yield f"purposes.{name}.sender: there is no such sender"
        for locale in sorted(purpose.title.keys() ^ purpose.text.keys()):
            yield f"purposes.{name}: title and text must both have the language {locale}"
        for key in ("expires_after", "unused_after"):
            if getattr(purpose, key) == timedelta():
                yield f"purposes.{name}.{key}: nobody could be mailed"


def _about_words(config: Config) -> Iterator[str]:
    """Confirmation mails show these, and must be free of advertising."""
    names = {f"senders.{key}.name": one.name for key, one in config.senders.items()}
    names["controller.name"] = config.controller.name
    names["controller.postal_address"] = config.controller.postal_address
    titles = {
        f"purposes.{key}.title.{locale}": title
        for key, purpose in config.purposes.items()
        for locale, title in purpose.title.items()
    }
    wordings = {
        f"purposes.{key}.text.{locale}": text
        for key, purpose in config.purposes.items()
        for locale, text in purpose.text.items()
    }
    judged = (
        (advertising.of_name, names),
        (advertising.of_title, titles),
        (advertising.of_wording, wordings),
    )
    for judge, words in judged:
        for place, said in words.items():
            if flaw := judge(said):
                yield f"{place}: {flaw}; confirmation mails show it, and must not advertise"


def _about_forms(config: Config) -> Iterator[str]:
    for name, form in config.forms.items():
        missing = [p for p in form.purposes if p not in config.purposes]
        for purpose in missing:
            yield f"forms.{name}.purposes: there is no purpose {purpose}"
        if len(set(form.purposes)) != len(form.purposes):
            yield f"forms.{name}.purposes: names a purpose twice"
        if missing:
            continue
        locales = config.form_locales(name)
        if not locales:
            yield f"forms.{name}.purposes: have no language in common"
        for key, field in form.fields.items():
            if field.label and not set(locales) <= field.label.keys():
                yield f"forms.{name}.fields.{key}.label: must have {', '.join(locales)}"


def _about_delivery(config: Config) -> Iterator[str]:
    delivery, relay = config.delivery, config.delivery.relay
    if delivery.transport == "direct":
        yield "delivery.transport: direct delivery is not in this release; use a relay"
    if delivery.permit_ttl < timedelta(seconds=1):
        yield "delivery.permit_ttl: at least 1s"
    if delivery.lease <= delivery.permit_ttl:
        yield "delivery.lease: must be longer than permit_ttl"
    if (relay.username is None) != (relay.password is None):
        yield "delivery.relay.username: user name and password come together"
    if relay.username and relay.tls == "none" and relay.host not in _LOOPBACK:
        yield "delivery.relay.tls: the password would travel in clear; use starttls or implicit"


def _about_processors(config: Config) -> Iterator[str]:
    """Whoever handles the data is named, first of all who relays the mails (Art. 13(1)(e) GDPR)."""
    named, relay = config.processors, config.delivery.relay.processor
    if OWN_SERVER in named:
        yield f"processors.{OWN_SERVER}: is the name for none; take another"
    if config.delivery.transport == "relay" and relay not in {*named, OWN_SERVER}:
        yield (
            f"processors.{relay}: is missing: whoever relays the mails handles the data; say who "
            "(name, role, country, safeguard), or set delivery.relay.processor to "
            f'"{OWN_SERVER}" where the relay is a server of your own'
        )
    for key, one in named.items():
        if one.country not in EEA and one.safeguard is None:
            where = f"{one.country} is outside the EEA"
            yield f"processors.{key}.safeguard: {where}; say what protects the data there"
        for about, told in (("role", one.role), ("safeguard", one.safeguard or {"": ""})):
            for locale in config.locales:
                if not {"", locale} & told.keys():
                    yield f"processors.{key}.{about}: must have the language {locale}"
