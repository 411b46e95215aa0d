"""The kinds of value that the configuration has, beyond text and numbers."""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from audit.errors import NoteError
from audit.witnesses import Witness
from gateway.config.countries import parse_country
from gateway.config.durations import Cap, parse_cap, parse_duration, parse_lasting
from storage import domains, patterns
from storage.domains import DomainError
from storage.secret import Secret


class Variable(NamedTuple):
    """A secret that the environment holds."""

    name: str

    def __str__(self) -> str:
        return f"the variable {self.name}"


class Listen(NamedTuple):
    """Where a server listens; port 0 takes any free one."""

    host: str
    port: int


def parse_listen(raw: object) -> Listen:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s\[\]]+)):([0-9]{1,5})", str(raw))
    if match is None or int(match[3]) > 65535:
        raise ValueError('write host and port, such as "127.0.0.1:8080" or "[::1]:8080"')
    return Listen(match[1] or match[2], int(match[3]))


def parse_admin_listen(raw: object) -> Listen | None:
    try:
        return None if raw == "off" else parse_listen(raw)
    except ValueError:
        raise ValueError('write host and port, such as "127.0.0.1:9180", or "off"') from None


def parse_network(raw: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(raw))
    except ValueError:
        raise ValueError('write a network such as "10.0.0.0/8"') from None


def parse_page(raw: str) -> str:
    """A web address with the host in ASCII: headers that name it can hold nothing else."""
    parts = _split(raw)
    if parts is None or re.search(r"[\s\x00-\x1f\x7f]", raw):
        raise ValueError("write an absolute http or https URL without a user name")
    return parts._replace(netloc=_netloc(parts)).geturl()


def parse_origin(raw: str) -> str:
    """Scheme, host and port as a browser says them: compared with what it says, byte by byte."""
    parts = _split(raw)
    if parts is None or raw != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError("write scheme, host and port alone, such as https://www.example.org")
    return f"{parts.scheme}://{_netloc(parts)}"


def parse_public_url(raw: str) -> str:
    try:
        return parse_origin(raw.removesuffix("/"))
    except ValueError:
        raise ValueError(
            "write scheme and host without a path, such as https://mail.example.org"
        ) from None


def parse_issuer(raw: str) -> str:
    """An identity provider's name, byte by byte as it writes it: answers are compared with it."""
    parts = _split(raw)
    if parts is None or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\x7f?#]", raw):
        raise ValueError("write the provider's issuer as its documents have it: an https URL")
    if not is_private_way(raw):
        raise ValueError("must be https; http is for this machine alone")
    return raw


def is_private_way(url: str) -> bool:
    """Whether nobody on the way reads or changes what goes there: https, or this machine."""
    parts = _split(url)
    if parts is None:
        return False
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether that is this machine, by an address or by the one name for it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_domain(raw: str) -> str:
    """The domain in its A-label form, lower case."""
    try:
        return domains.to_ascii(raw)
    except DomainError:
        raise ValueError("write a domain name") from None


def parse_host(raw: str) -> str:
    """Where to connect to: an IP address, or a name, which may be one label or end with a dot."""
    try:
        return _host(raw)
    except DomainError:
        raise ValueError("write a host name or an IP address") from None


def parse_mailbox(raw: str) -> str:
    local, _, domain = raw.rpartition("@")
    try:
        if re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local):
            return f"{local}@{domains.to_ascii(domain)}"
    except DomainError:
        pass
    raise ValueError("write an address such as news@example.org")


def parse_former(raw: str) -> str:
    """A former name, or an address in the form in which wordings have it."""
    try:
        return parse_mailbox(raw)
    except ValueError:
        return raw


def parse_witness(text: str) -> str:
    """The key of a witness, as C2SP writes it."""
    try:
        return Witness(text).vkey
    except NoteError:
        raise ValueError("is no key of a witness: name+id+base64, of type 4") from None


def parse_note_name(raw: str) -> str:
    if re.search(r"[\s+]", raw):
        raise ValueError("must hold neither spaces nor a plus sign (C2SP signed-note)")
    return raw


def refuse_direct(raw: object) -> object:
    if raw == "direct":
        raise ValueError("direct delivery is not in this release; use a relay")
    return raw


def parse_database_url(raw: str, info: ValidationInfo) -> str:
    url = _database_url(raw)
    if url is not None and url.drivername == "postgresql" and url.database:
        return raw
    if url is not None and url.drivername == "sqlite" and url.database not in (None, ":memory:"):
        path = parse_path(str(url.database), info)
        return url.set(database=str(path)).render_as_string(hide_password=False)
    raise ValueError("write sqlite:///path or postgresql://user@host/name")


def parse_path(raw: object, info: ValidationInfo) -> Path:
    """A relative path is relative to the file that names it."""
    if not isinstance(raw, str | Path) or str(raw) in ("", "."):
        raise ValueError("write a path")
    return Path((info.context or {})["base"], Path(raw).expanduser())


def parse_authorities(raw: object, info: ValidationInfo) -> Path:
    """A file of certificates, read once: a worker would only find out when it connects."""
    path = parse_path(raw, info)
    try:
        ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        is_other = isinstance(error, ssl.SSLError) or not error.strerror
        why = "it holds no certificate" if is_other else error.strerror
        raise ValueError(f"{path} cannot be read: {why}") from None
    return path


def parse_told(raw: object) -> Mapping[str, str]:
    """One line for every language, under the name "", or a line for each."""
    told = {"": raw} if isinstance(raw, str) else raw
    if not isinstance(told, dict) or not told:
        raise ValueError('write a line, or one for each language: { en = "…", de = "…" }')
    for locale, line in told.items():
        named = locale == "" or re.fullmatch(_LOCALE, locale)
        if not named or not isinstance(line, str) or not re.fullmatch(f"{_LINE}{{1,500}}", line):
            raise ValueError("write one line of text for each language")
    return told


def parse_time_zone(raw: object) -> str:
    try:
        return ZoneInfo(str(raw)).key
    except (ValueError, KeyError, OSError):  # the name of a folder is no zone either
        raise ValueError('write a time zone that this machine knows, "Europe/Berlin"') from None


def parse_webhook_secrets(raw: object) -> tuple[Secret, ...]:
    """What messages are signed with, as Standard Webhooks writes it: two while it changes."""
    found = str(raw).split()
    made = [_webhook_secret(one) for one in found]
    if not made or len(made) > _MOST_SECRETS:
        raise ValueError("give one secret, or the new and the old one while you change it")
    return tuple(made)


def _webhook_secret(raw: str) -> Secret:
    try:
        key = base64.b64decode(raw.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not raw.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError(
            'each secret is "whsec_" and 24 to 64 random bytes in base64;'
            " to make one: echo whsec_$(head -c 32 /dev/urandom | base64)"
        )
    return Secret(key)


def holds_password(raw: str) -> bool:
    url = _database_url(raw)
    return url is not None and url.password is not None


def _split(raw: str) -> SplitResult | None:
    """The parts of a web address, or None for anything else."""
    try:
        parts = urlsplit(raw)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    usable = parts.scheme in ("http", "https") and parts.username is None
    return parts if usable and _is_host(parts.hostname or "") else None


def _is_host(raw: str) -> bool:
    try:
        _host(raw)
    except DomainError:
        return False
    return True


def _host(raw: str) -> str:
    try:
        return str(ip_address(raw))
    except ValueError:
        return domains.to_ascii(raw, rooted=True)


def _netloc(parts: SplitResult) -> str:
    """Host and port as a browser writes them: the host in ASCII, the usual port left out."""
    host = _host(parts.hostname or "")
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


def _database_url(raw: str) -> URL | None:
    try:
        return make_url(raw)
    except (ArgumentError, ValueError):
        return None


_MOST_SECRETS = 2
_LINE = r"[^\x00-\x1f\x7f\u2028\u2029]"
_LOCALE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=patterns.FILLED_LINE)]
Caption = Annotated[Line, StringConstraints(max_length=60)]
Wording = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=patterns.NAME)]
WebhookName = Annotated[str, StringConstraints(pattern=patterns.SHORT_NAME)]
FieldName = Annotated[str, StringConstraints(pattern=patterns.FIELD_NAME)]
Locale = Annotated[str, StringConstraints(pattern=patterns.LOCALE)]
Colour = Annotated[str, StringConstraints(pattern=patterns.COLOUR)]
Country = Annotated[str, PlainValidator(parse_country)]
Told = Annotated[Mapping[str, str], PlainValidator(parse_told)]
Domain = Annotated[str, AfterValidator(parse_domain)]
Host = Annotated[str, AfterValidator(parse_host)]
Mailbox = Annotated[str, AfterValidator(parse_mailbox)]
PageUrl = Annotated[str, AfterValidator(parse_page)]
Former = Annotated[Line, AfterValidator(parse_former)]
Origin = Annotated[str, AfterValidator(parse_origin)]
Transport = Annotated[Literal["inbox", "relay"], BeforeValidator(refuse_direct)]
IssuerUrl = Annotated[Line, AfterValidator(parse_issuer)]
PublicUrl = Annotated[str, AfterValidator(parse_public_url)]
WitnessKey = Annotated[Line, AfterValidator(parse_witness)]
NoteName = Annotated[Line, AfterValidator(parse_note_name)]
DatabaseUrl = Annotated[str, AfterValidator(parse_database_url)]
FilePath = Annotated[Path, PlainValidator(parse_path)]
Authorities = Annotated[Path, PlainValidator(parse_authorities)]
Endpoint = Annotated[Listen, PlainValidator(parse_listen)]
AdminListen = Annotated[Listen | None, PlainValidator(parse_admin_listen)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(parse_network)]
Duration = Annotated[timedelta, PlainValidator(parse_duration)]
Lasting = Annotated[timedelta | None, PlainValidator(parse_lasting)]
Ceiling = Annotated[Cap | None, PlainValidator(parse_cap)]
Subdivision = Annotated[str, StringConstraints(pattern=patterns.SUBDIVISION)]
TimeZone = Annotated[str, PlainValidator(parse_time_zone)]
WebhookSecrets = Annotated[tuple[Secret, ...], PlainValidator(parse_webhook_secrets)]
Password = Annotated[Secret | None, PlainValidator(lambda raw: Secret(str(raw).encode()))]
