"""What is wrong with what a caller wants to say, and what recipients would suffer from.

Told now, while the caller listens, and not when the mail is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from consent.specimens import Specimen, What
from delivery import blemishes, markup, template_language, template_source
from delivery.blemishes import Blemish
from delivery.errors import NoSuchTemplate, TemplateError
from delivery.mime import Content
from delivery.plain_text import plain_text
from delivery.template_language import Reads
from delivery.templates import Templates
from gateway.config.config import Config
from gateway.flows.sending.composing import frame
from gateway.look.resources import SERVICE

_FILES: Final = {part: file for file, part in template_source.PARTS.items()}
_PROFILE: Final = "profile"  # what a template is given without a caller's word


class ContentFlaw(StrEnum):
    """Why a content cannot be sent."""

    RESERVED = "reserved"  # a template of the gateway's own mails
    NOWHERE = "nowhere"  # a template of a name that none has
    TEMPLATE = "template"  # one that cannot be rendered
    VARIABLE = "variable"  # one that asks for more than was said
    PART = "part"  # one that asks for more of a part of what was said
    UNREAD = "unread"  # one that does not ask for what was said
    VALUE = "value"  # one that prints what is no text
    MARKUP = "markup"  # HTML of which nobody would see all


@dataclass(frozen=True, slots=True)
class ContentProblem:
    """What is wrong with a content.

    *about* names the variable, points to the value, or says what the template lacks;
    *nearest* is what the template does ask for, where that was most likely meant.
    """

    flaw: ContentFlaw
    about: str = ""
    nearest: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a caller says, ready to be composed, as `content.of_caller` takes it.

    *kept* is the version of an operator's template that it names.
    """

    content: Mapping[str, Any] = field(repr=False)
    kept: Specimen | None = field(default=None, repr=False)
    blemishes: Sequence[Blemish] = ()


def examine(
    config: Config, templates: Templates, purpose: str, given: Mapping[str, Any]
) -> Said | ContentProblem:
    """Make ready what is *given*, or say what is wrong.

    Renders for a recipient of every language that the purpose has.
    """
    if "template" not in given:
        return _of_parts(config, templates, purpose, given)
    if purpose not in config.purposes:
        return Said({"data": {}, **given})  # it will be refused
    if given["template"] in SERVICE:
        return ContentProblem(ContentFlaw.RESERVED)
    content = {"data": {}, **given}
    version = None
    try:
        version = templates.current(content["template"])
        return _of_template(config, templates, purpose, content, version)
    except NoSuchTemplate:
        return ContentProblem(ContentFlaw.NOWHERE)
    except TemplateError as error:
        if error.missing is not None:
            return _lacking(error, error.missing, templates.reads(error.name, version))
        if error.unprintable is not None:
            return ContentProblem(ContentFlaw.VALUE, error.unprintable)
        return ContentProblem(ContentFlaw.TEMPLATE, told(error))


def _lacking(error: TemplateError, missing: str, known: Reads) -> ContentProblem:
    """What was not said, by its place in the data where that is plain."""
    if missing in known:
        return ContentProblem(ContentFlaw.VARIABLE, missing)
    ends = [one for one in template_language.paths(known) if one.endswith(f".{missing}")]
    if any(one.startswith(f"{_PROFILE}.") for one in ends):
        told = f"{error.place} prints what not every profile has: give it a default"
        return ContentProblem(ContentFlaw.TEMPLATE, told)
    if len(ends) == 1:
        return ContentProblem(ContentFlaw.VARIABLE, ends[0].replace(".", "/"))
    return ContentProblem(ContentFlaw.PART, f"lacks {missing} where {error.place} asks for it")


def told(error: TemplateError) -> str:
    """What is wrong with a template, with file and line where there are any."""
    return error.problem if error.place == "-" else f"{error.place} {error.problem}"


def _of_template(
    config: Config,
    templates: Templates,
    purpose: str,
    content: dict[str, Any],
    version: str | None,
) -> Said | ContentProblem:
    name, data = content["template"], content["data"]
    unread = template_language.unread(data, templates.reads(name, version))
    if unread is not None:
        return ContentProblem(ContentFlaw.UNREAD, _pointer(unread.path), unread.nearest)
    kept = None
    if version is not None:
        content["version"] = version
        kept = Specimen(What.TEMPLATE, template_source.write(templates.source(version)))
    return Said(content, kept, _tried(config, templates, purpose, name, version, data))


def _tried(
    config: Config,
    templates: Templates,
    purpose: str,
    name: str,
    version: str | None,
    data: Mapping[str, Any],
) -> list[Blemish]:
    found: list[Blemish] = []
    for locale, framed in _frames(config, purpose):
        made = templates.check(name, locale, data, framed, footer=True, version=version)
        found += blemishes.of_mail(made.said, made.content, made.read)
    return [
        replace(one, part="template", detail=f"{_FILES[one.part]} {one.detail}")
        for one in _each_once(found)
    ]


def _of_parts(
    config: Config, templates: Templates, purpose: str, given: Mapping[str, Any]
) -> Said | ContentProblem:
    """A caller's HTML as a page in which our footer is seen, and a text, if there is none."""
    content, html, text = dict(given), given.get("html"), given.get("text")
    read = None
    if html is not None:
        read = markup.read(html)  # not once a permit runs
        if read.flaw is not None:
            return ContentProblem(ContentFlaw.MARKUP, read.flaw)
        text = plain_text(read.page) if text is None else text
        content |= {"html": read.page, "whole": True, "text": text}
    said = Content(given["subject"], text or "", None if read is None else read.page)
    found: list[Blemish] = []
    for locale, framed in _frames(config, purpose):
        mail = templates.try_inline(said, locale=locale, frame=framed)
        found += blemishes.of_mail(said, mail, read)
        break  # the same in every language, but for some words of the footer
    # Of a text that we made of the HTML the caller would look for in vain.
    theirs = [one for one in found if one.part != "text" or given.get("text") is not None]
    return Said(content, None, _each_once(theirs))


def _frames(config: Config, purpose: str) -> Iterator[tuple[str, dict[str, Any]]]:
    known = config.purposes.get(purpose)
    if known is not None:
        yield from ((locale, frame(config, known.sender, locale)) for locale in known.text)


def _each_once(found: Iterable[Blemish]) -> list[Blemish]:
    return [*{(one.what, one.part): one for one in found}.values()]


def _pointer(path: Sequence[str]) -> str:
    """Where in the data it stands; a name that is not plainly one is not repeated."""
    named: list[str] = []
    for name in path:
        if not template_language.PLAIN_NAME.fullmatch(name):
            break
        named.append(name)
    return "".join(f"/{name}" for name in named)
