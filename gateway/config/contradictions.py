"""What of a configuration is well-formed and does not fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.config import advertising, form_fields, logos
from gateway.config.countries import EEA
from gateway.config.fields import is_loopback

if TYPE_CHECKING:
    from gateway.config.config import Audit, Config
    from storage.secret import Secret

_DAY = timedelta(days=1)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
OWN_SERVER = "none"  # as the relay's processor: it is nobody else's


def found(config: Config, *, password_had: bool = True) -> Iterator[str]:
    yield from _about_senders(config)
    yield from _about_purposes(config)
    yield from _about_words(config)
    yield from _about_forms(config)
    yield from _about_delivery(config)
    if password_had:
        yield from _about_name(config.delivery.relay.username, config.delivery.relay.password)
    yield from _about_relay(config)
    yield from _about_processors(config)
    yield from _about_rights(config)
    yield from _about_webhooks(config)
    yield from _about_audit(config.audit)
    yield from _about_places(config)
    if config.storage.url in (config.storage.keystore_url, config.guard_url):
        yield "storage.url: the data must not share a database with the key store or the guard"
    for locale, path in config.controller.notice.items():
        if problem := _problem_of_text(path):
            yield f"controller.notice.{locale}: {problem}"
    if config.retention.network_data > timedelta(days=30):
        yield "retention.network_data: at most 30d"


def _about_places(config: Config) -> Iterator[str]:
    """Servers of one process at one place: a start that says no more than that something broke."""
    server, inbox = config.server, config.delivery.inbox
    places = {"server.listen": server.listen, "server.admin_listen": server.admin_listen}
    if config.delivery.transport == "inbox":
        places |= {"delivery.inbox.listen": inbox.listen, "delivery.inbox.smtp": inbox.smtp}
    for first, second in combinations(places, 2):
        place = places[first]
        if place is not None and place == places[second] and place.port:
            yield f"{second}: is where {first} is; give each a port of its own"


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
            yield (
                f"senders.{name}.dkim_domain: does not align with from_address (DMARC): write the"
                " domain of that, or one above it"
            )
        if sender.logo is not None and (problem := logos.problem_of(sender.logo)):
            yield f"senders.{name}.logo: {problem}"
        for other, theirs in config.senders.items():
            # Addresses may be shared or passed on; a name is whose a consent is.
            taken = {theirs.name, *(one for one in theirs.was if "@" not in one)}
            if other != name and taken & set(sender.was):
                yield f"senders.{name}.was: names {other}, who is another sender"


def _none_of(table: str, name: str, known: Iterable[str]) -> str:
    others = ", ".join(known)
    return f"there is no [{table}.{name}]" + (f", only {others}" if others else "")


def _about_purposes(config: Config) -> Iterator[str]:
    for name, purpose in config.purposes.items():
        if purpose.sender not in config.senders:
            yield f"purposes.{name}.sender: {_none_of('senders', purpose.sender, config.senders)}"
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
            yield f"forms.{name}.purposes: {_none_of('purposes', purpose, config.purposes)}"
        if len(set(form.purposes)) != len(form.purposes):
            yield f"forms.{name}.purposes: names a purpose twice"
        if missing:
            continue
        locales = config.form_locales(name)
        if not locales:
            yield f"forms.{name}.purposes: have no language in common"
        for key, field in form.fields.items():
            for of, flaw in form_fields.flaws(field, locales):
                yield f"forms.{name}.fields.{key}.{of}: {flaw}"
    yield from _about_kinds(config)


def _about_kinds(config: Config) -> Iterator[str]:
    """One name is one question: a profile and a campaign know it by nothing else."""
    seen: dict[str, tuple[str, str]] = {}
    for name, form in config.forms.items():
        for key, field in form.fields.items():
            first, kind = seen.setdefault(key, (name, field.kind))
            if kind != field.kind:
                yield (
                    f"forms.{name}.fields.{key}.kind: is {field.kind}, and {kind} in forms.{first};"
                    " give one of them another name"
                )


def _about_delivery(config: Config) -> Iterator[str]:
    delivery = config.delivery
    if delivery.permit_ttl < timedelta(seconds=1):
        yield "delivery.permit_ttl: at least 1s"
    if delivery.lease <= delivery.permit_ttl:
        yield "delivery.lease: must be longer than permit_ttl"


def _about_name(username: str | None, password: Secret | None) -> Iterator[str]:
    if (username is None) != (password is None):
        yield (
            "delivery.relay.username: user name and password come together:"
            " set password_file or password_env"
        )


def _about_relay(config: Config) -> Iterator[str]:
    relay = config.delivery.relay
    if relay.auth and relay.username is None:
        yield "delivery.relay.auth: nobody signs in without username and password"
    if relay.ca_file and relay.tls == "none":
        yield "delivery.relay.ca_file: there is no certificate without tls"
    if relay.tls != "none" or relay.host in _LOOPBACK:
        return
    if relay.username:
        yield "delivery.relay.tls: the password would travel in clear; use starttls or implicit"
    elif config.delivery.transport == "relay" and not relay.unencrypted:
        yield (
            "delivery.relay.tls: mails would travel in clear; use starttls or implicit, or say "
            "unencrypted = true where nobody listens on the way"
        )


def _about_rights(config: Config) -> Iterator[str]:
    """Which holidays there are is asked at a start alone: knowing them takes a second."""
    rights = config.rights
    if rights.subdivision is not None and rights.country is None:
        yield "rights.country: is missing; say of which country the subdivision is"
    if rights.country is not None and rights.time_zone is None:
        yield "rights.time_zone: is missing; say by which time days are counted there"


def _about_webhooks(config: Config) -> Iterator[str]:
    """Whoever is told receives data, and is named; what is told travels in the clear nowhere."""
    for name, one in config.webhooks.items():
        url = urlsplit(one.url)
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            yield f"webhooks.{name}.url: must be https; http is for this machine alone"
        if one.processor not in {*config.processors, OWN_SERVER}:
            yield (
                f"webhooks.{name}.processor: there is no processor {one.processor}: whoever is"
                " told receives data; say who (name, role, country, safeguard), or set it to"
                f' "{OWN_SERVER}" where it is a server of your own'
            )


def _about_audit(audit: Audit) -> Iterator[str]:
    """What cannot be had, or would be counted twice."""
    if audit.mail is not None and (audit.mail.every % _DAY or not audit.mail.every):
        yield "audit.mail.every: whole days, such as 1d or 7d: a checkpoint is public once a day"
    names = [one.vkey.partition("+")[0] for one in audit.witnesses.values()]
    for name, one in audit.witnesses.items():
        url = urlsplit(one.url)
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            yield f"audit.witnesses.{name}.url: must be https; http is for this machine alone"
        if names.count(one.vkey.partition("+")[0]) > 1:
            yield f"audit.witnesses.{name}.vkey: another witness has the same name"
    if audit.quorum > len(names):
        yield f"audit.witnesses_needed: {audit.quorum} of {len(names)} cannot be had"


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
