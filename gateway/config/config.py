"""The configuration: one frozen object, checked whole before anything starts.

`config.toml` explains each key. A model here says what is well-formed;
`contradictions.py` says what does not fit together.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from consent import address
from consent.address import Address
from consent.feed import News
from gateway.config import contradictions, secrets, wrong_values
from gateway.config.desk import Desk
from gateway.config.fields import (
    AdminListen,
    Authorities,
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
    Subdivision,
    TimeZone,
    Told,
    Transport,
    Variable,
    WebhookName,
    WebhookSecrets,
    WitnessKey,
    Wording,
)
from gateway.config.form_fields import MOST_FIELDS, FormField, merged
from gateway.config.meant import meant
from gateway.config.secrets import Fetched
from gateway.config.section import SECTION
from gateway.errors import ConfigError


class Section(BaseModel):
    """A table of the file; a key that it does not know stops the start."""

    model_config = SECTION


class Server(Section):
    listen: Endpoint = Listen("127.0.0.1", 8080)
    public_url: PublicUrl
    trusted_proxies: tuple[Network, ...] = ()
    admin_listen: AdminListen = Listen("127.0.0.1", 9180)
    security_contact: Mailbox | None = None


class Controller(Section):
    name: Line
    postal_address: Line
    contact: Mailbox
    officer: Line | None = None
    was: tuple[Line, ...] = ()
    notice: dict[Locale, FilePath] = {}


class Storage(Section):
    url: DatabaseUrl = Field(repr=False)
    keystore_url: DatabaseUrl = Field(repr=False)


class Keys(Section):
    keyring_file: FilePath | None = None
    keyring_env: Line | None = None
    rotate_every: Duration = timedelta(days=30)
    dkim_dir: FilePath = Field(default=Path("var/dkim"), validate_default=True)

    @model_validator(mode="after")
    def _one_keyring(self) -> Self:
        if (self.keyring_file is None) == (self.keyring_env is None):
            raise ValueError("give keyring_file or keyring_env, and not both")
        return self

    @property
    def keyring(self) -> Path | Variable:
        """Where the keyring is."""
        if self.keyring_env is not None:
            return Variable(self.keyring_env)
        assert self.keyring_file is not None  # noqa: S101 one of them is given
        return self.keyring_file


class WitnessSection(Section):
    url: PageUrl
    vkey: WitnessKey


class AuditMail(Section):
    every: Duration
    language: Locale = "en"


class Audit(Section):
    origin: NoteName
    guard_url: DatabaseUrl | None = Field(default=None, repr=False)
    verify_all_every: Duration = timedelta(days=7)
    mail: AuditMail | None = None
    witnesses: dict[Name, WitnessSection] = {}
    witnesses_needed: Annotated[int, Field(ge=1)] | None = None

    @property
    def vkeys(self) -> list[str]:
        """The keys of the witnesses."""
        return [one.vkey for one in self.witnesses.values()]

    @property
    def quorum(self) -> int:
        """How many witnesses a public checkpoint is to have: all, unless fewer are enough."""
        return len(self.witnesses) if self.witnesses_needed is None else self.witnesses_needed


class WarmUp(Section):
    since: date
    first_day: Annotated[int, Field(ge=1, le=1_000_000)]
    growth: Annotated[float, Field(ge=1, le=10)]


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
    warm_up: WarmUp | None = None
    time_zone: TimeZone | None = None


class Processor(Section):
    name: Line
    role: Told
    country: Country
    safeguard: Told | None = None


class Webhook(Section):
    url: PageUrl = Field(repr=False)  # may hold what only its receiver knows
    secret: WebhookSecrets
    kinds: Annotated[tuple[Annotated[News, Field(strict=False)], ...], Field(min_length=1)]
    processor: Name = "none"  # a server of one's own, which is nobody else's


class Purpose(Section):
    sender: Name
    basis: Literal["consent"]
    title: Annotated[dict[Locale, Line], Field(min_length=1)]
    text: Annotated[dict[Locale, Wording], Field(min_length=1)]
    expires_after: Lasting = None
    unused_after: Lasting = timedelta(days=4 * 365)
    at_most: Ceiling = None
    acknowledge: bool = False


class Form(Section):
    purposes: Annotated[tuple[Name, ...], Field(min_length=1)]
    fields: Annotated[dict[FieldName, FormField], Field(max_length=MOST_FIELDS)] = {}
    origins: tuple[Origin, ...] = ()
    thank_you_url: PageUrl | None = None
    error_url: PageUrl | None = None


class Relay(Section):
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    tls: Literal["none", "starttls", "implicit"] = "none"
    unencrypted: bool = False
    ca_file: Authorities | None = None
    helo: Domain | None = None
    connections: Annotated[int, Field(ge=1, le=1000)] = 20
    messages_per_connection: Annotated[int, Field(ge=1, le=100_000)] = 100
    auth: Literal["plain", "login", "cram-md5"] | None = None
    username: Line | None = None
    password: Password = None
    profile: Literal["smtp", "ses"] = "smtp"
    processor: Name = "relay"
    at_most: Ceiling = None
    per_domain: Ceiling = None


class Inbox(Section):
    listen: Endpoint = Listen("127.0.0.1", 8025)
    smtp: Endpoint = Listen("127.0.0.1", 2525)
    folder: FilePath = Field(default=Path("var/inbox"), validate_default=True)


class Delivery(Section):
    transport: Transport = "inbox"
    permit_ttl: Duration = timedelta(seconds=2)
    lease: Duration = timedelta(minutes=30)
    journal_dir: FilePath = Field(default=Path("var/journal"), validate_default=True)
    relay: Relay = Relay()
    inbox: Inbox


class OwnTemplates(Section):
    directory: FilePath | None = None


class Limits(Section):
    enabled: bool = True


class Retention(Section):
    unconfirmed: Duration = timedelta(days=30)
    message_bodies: Duration = timedelta(days=30)
    evidence_after_withdrawal: Duration = timedelta(days=3 * 365)
    network_data: Duration = timedelta(days=30)
    messages: Duration = timedelta(days=365)
    rights_requests: Duration = timedelta(days=3 * 365)
    staff: Duration = timedelta(days=3 * 365)
    takings_away: Duration = timedelta(days=90)


class Suppress(StrEnum):
    """Whose mailbox is not asked again for a year although nothing else is left of them."""

    NONE = "none"
    OBJECTION = "objection"  # who had objected
    ALWAYS = "always"


class Rights(Section):
    suppress_after_erasure: Suppress = Suppress.OBJECTION
    country: Country | None = None
    subdivision: Subdivision | None = None
    time_zone: TimeZone | None = None


class Config(Section):
    """Everything that an operator decides."""

    server: Server
    controller: Controller
    storage: Storage
    keys: Keys
    audit: Audit
    senders: Annotated[dict[Name, Sender], Field(min_length=1)]
    processors: dict[Name, Processor] = {}
    webhooks: dict[WebhookName, Webhook] = {}
    purposes: dict[Name, Purpose] = {}
    forms: dict[Name, Form] = {}
    delivery: Delivery
    templates: OwnTemplates = OwnTemplates()
    limits: Limits = Limits()
    retention: Retention = Retention()
    rights: Rights = Rights()
    desk: Desk = Desk()

    @property
    def guard_url(self) -> str:
        """Where the guard lives: with the key store unless it has a place of its own."""
        return self.audit.guard_url or self.storage.keystore_url

    @property
    def checkpoints_to(self) -> Address | None:
        """The mailbox that keeps public checkpoints; None: none is sent any."""
        return None if self.audit.mail is None else address.parse(self.controller.contact)

    def form_locales(self, form: str) -> tuple[str, ...]:
        """The languages in which every purpose of *form* has a text, in the first one's order."""
        texts = [self.purposes[name].text for name in self.forms[form].purposes]
        return tuple(locale for locale in texts[0] if all(locale in text for text in texts))

    def field_named(self, name: str) -> FormField | None:
        """What the forms ask under that name; None: no form does any more."""
        return merged(form.fields[name] for form in self.forms.values() if name in form.fields)

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
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        way_out = (
            "name yours by --config or GATEWAY_CONFIG; in an empty folder `gateway init` makes one"
        )
        raise ConfigError([f"{path}: cannot be read: {why}; {way_out}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: cannot be read: it is not text in UTF-8"]) from None
    return parse(raw, base=path.absolute().parent, name=str(path))


def embedded_default() -> str:
    """The text of the repository's own `config.toml`, from the wheel or the work tree."""
    installed = resources.files("gateway") / "_data" / "config.toml"
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return Path(__file__).parents[2].joinpath("config.toml").read_text(encoding="utf-8")


_TOML: Final = "text ends in its line, in quotation marks, and each key and table stands once"


def parse(raw: str, *, base: Path, name: str = "it") -> Config:
    """As `load`, from the text of *name*; relative paths are relative to *base*."""
    try:
        tree = tomllib.loads(raw)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{name}: is not TOML: {error}; {_TOML}"]) from None
    fetched = secrets.fetch(tree, base)
    problems = list(fetched.problems.values())
    if isinstance(delivery := tree.get("delivery"), dict):
        delivery.setdefault("inbox", {})  # its default folder is relative to the file
    try:
        # As JSON: strict about kinds, yet an array may become a tuple and text a path.
        config = Config.model_validate_json(json.dumps(tree, default=str), context={"base": base})
    except ValidationError as error:
        raise ConfigError(problems + _lines(error.errors(), fetched)) from None
    # A password that is named, and could not be had, is not missing beside its user name.
    had = ("delivery", "relay", "password") not in fetched.problems
    problems += contradictions.found(config, password_had=had)
    if problems:
        raise ConfigError(problems)
    return config


def _lines(errors: Sequence[Any], fetched: Fetched) -> list[str]:
    """Each once: what was not got is named already, and a table is wrong by what stands in it."""
    places = [tuple(map(str, error["loc"])) for error in errors]
    told = zip(places, errors, strict=True)
    return [
        _line(tuple(part for part in place if part != "[key]"), error, fetched)
        for place, error in told
        if place not in fetched.problems and not any(_within(other, place) for other in places)
    ]


def _within(place: tuple[str, ...], table: tuple[str, ...]) -> bool:
    return len(place) > len(table) and place[: len(table)] == table


_WITHOUT_QUOTES = ("bool_type", "float_type", "int_type")  # TOML has these as they are


def _line(path: tuple[str, ...], error: Any, fetched: Fetched) -> str:
    match error["type"]:
        case "extra_forbidden":
            likely = meant(Config, path)
            said = f"is not a setting; {likely} is" if likely else "is not a setting"
        case "missing":
            said = "is required"
        case "dict_type" | "model_type" | "model_attributes_type":
            said = "must be a table"
        case kind:
            said = wrong_values.in_words(error)
            if kind in _WITHOUT_QUOTES and isinstance(error["input"], str):
                said += ", without quotation marks"
    return f"{fetched.name(path)}: {said}"
