"""Papers of the running gateway: what its configuration and stores have at this moment.

The record of processing (Art. 30 GDPR), technical and organisational measures (Art. 32), who else
handles the data (Art. 28), and the privacy notice (Art. 13 and 14).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from gateway.config.config import Config
from gateway.http import pages
from gateway.look import code_words, generated_notices, measures, moments, notices, terms, written
from gateway.look.measures import Running
from gateway.look.papers import Paper
from gateway.look.translations import choose_locale, translations

NONE: Final = "–"
_OWN: Final = "none"
_LINK: Final = re.compile(r"\[([^\]]+)\]\((?:mailto:)?([^)]+)\)")
_MARK: Final = re.compile(r"\*\*|\\(?=[\\`*_\[\]<>&])")


class Live(StrEnum):
    """Which papers there are, by the names of their templates."""

    RECORD = "record"
    MEASURES = "measures"
    PROCESSORS = "processors"
    NOTICE = "notice"


def paper(which: Live, config: Config, now: Running, locale: str) -> Paper:
    """The paper in *locale*; raises ConfigError where the notice may not be published."""
    author = config.controller.name
    foot = f"{author} · {moments.moment(now.at, locale)}"
    if which is Live.NOTICE:
        title, *lines = _lines(notices.notice(config, locale))
        blocks = list(written.blocks_of(lines))
        return Paper(title.removeprefix("# "), _language(locale), author, foot, blocks)
    return written.paper(which, locale, facts(config, now, locale), author, foot)


def facts(config: Config, now: Running, locale: str) -> dict[str, Any]:
    """What the templates name."""
    language = _language(locale)
    known = generated_notices.processors(config.processors, language)
    relay = config.processors.get(config.delivery.relay.processor)
    return {
        "controller": config.controller,
        "public_url": config.server.public_url,
        "made_at": moments.moment(now.at, locale),
        "can": measures.said_of(now),
        "gaps": _gaps(now),
        "witnesses": now.witnesses,
        "rotate_every": _spell(config.keys.rotate_every, language),
        "backup_at": _moment(now.backup_at, locale),
        "verified_at": _moment(now.verified_at, locale),
        "nights_at": _moment(now.verified_at, locale),
        "key_since": _moment(now.key_since, locale) or NONE,
        "kept": generated_notices.kept_for(config, language),
        "staff": _spell(config.retention.staff, language),
        "purposes": list(_purposes(config, language)),
        "forms": list(_forms(config, language)),
        "processors": known,
        "outside": [one for one in known if one["is_outside"]],
        "relayed": now.transport == "relay" and relay is not None,
        "relay": relay.name if relay is not None else "",
        "receivers": list(_receivers(config, language)),
    }


def _gaps(now: Running) -> dict[str, bool]:
    """What is not so, and should be."""
    can = measures.said_of(now)
    found = {
        "https": not now.https,
        "relay": now.transport == "relay" and not (can["relay_tls"] or can["relay_here"]),
        "guard": not now.guard_apart,
        "backup_none": now.backup_at is None,
        "backup_old": now.backup_at is not None and not now.has_backup,
        "night": not now.is_verified,
        "key": not now.key_is_young,
        "copies": now.copies_read,
        "limits": not now.limits,
        "numbers": not now.admin_here,
    }
    return found | {"any": any(found.values())}


def _purposes(config: Config, language: str) -> Iterator[Mapping[str, str]]:
    for _, one in sorted(config.purposes.items()):
        yield {
            "title": one.title[choose_locale(None, language, tuple(one.title))],
            "sender": config.senders[one.sender].name,
            "ends": _spell(one.expires_after, language) if one.expires_after else NONE,
            "unused": _spell(one.unused_after, language) if one.unused_after else NONE,
        }


def _forms(config: Config, language: str) -> Iterator[Mapping[str, str]]:
    """By their labels, as people see them."""
    email = translations(language).gettext("Email address")
    for name, form in sorted(config.forms.items()):
        labels = [
            one.label[choose_locale(None, language, tuple(one.label))] if one.label else field
            for field, one in form.fields.items()
        ]
        yield {"name": terms.quoted(name, language), "asks": ", ".join([email, *labels])}


def _receivers(config: Config, language: str) -> Iterator[Mapping[str, str]]:
    say = translations(language).gettext
    for key, one in sorted(config.webhooks.items()):
        name = key if one.processor == _OWN else config.processors[one.processor].name
        yield {"name": name, "kinds": ", ".join(say(code_words.NEWS[told]) for told in one.kinds)}


def _lines(notice: str) -> Iterator[str]:
    """The Markdown of a notice as lines of a paper: what is marked in it is said plainly."""
    whole = ""
    for line in [*notice.splitlines(), ""]:
        if whole and (not line.strip() or not line.startswith("  ")):
            yield _plain(whole)
            whole = ""
        whole = f"{whole} {line.strip()}".strip()
    if whole:
        yield _plain(whole)


def _plain(line: str) -> str:
    def told(found: re.Match[str]) -> str:
        return found[1] if found[1] == found[2] else f"{found[1]} ({found[2]})"

    return _MARK.sub("", _LINK.sub(told, line))


def _language(locale: str) -> str:
    return choose_locale(None, locale, pages.languages())


def _spell(length: timedelta, language: str) -> str:
    return generated_notices.spell(length, language)


def _moment(at: datetime | None, locale: str) -> str:
    return "" if at is None else moments.moment(at, locale)
