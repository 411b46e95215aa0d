"""Mail templates: one folder per mail; ours in every language through gettext.

Templates are the operator's, data is a stranger's: the sandbox keeps templates
from reaching into the process, autoescaping keeps data from becoming markup,
and a variable that is missing is an error, not an empty place in a mail. Those of
the operator's own directory are rendered from the version that was accepted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from gettext import NullTranslations
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Final

import jinja2

from delivery import markup, template_language, template_source
from delivery.errors import NoSuchTemplate, TemplateError, VersionAway
from delivery.folding import FRAME, Constant, FoldingEnvironment, leaves
from delivery.mime import Content
from delivery.own_templates import NAME, Shelf
from delivery.plain_text import plain_text
from delivery.printable import TESTS, NotWords, path_of, printable_data
from delivery.template_language import OwnEnvironment, Reads
from delivery.template_source import PARTS, Source

LONGEST_PART: Final = 512 * 1024  # characters
LONGEST_TIME: Final = 0.25  # seconds of CPU for a try at one part: a permit lives for two
_MOST_KEPT: Final = 64  # environments
_MOST_VERSIONS: Final = 256
_AT_ONCE: Final = 16  # pieces of a part between two looks at its size and at the clock
_MISSING: Final = re.compile(r"'([A-Za-z_]\w{0,63})' is undefined|attribute '([A-Za-z_]\w{0,63})'")
_OF_ONE_MAIL: Final = ("links", "consents")  # what in the frame is not the sender's
_PLACEHOLDERS: Final = {
    "links": {
        name: "https://example.invalid/"
        for name in ("confirm", "unsubscribe", "why", "preferences")
    },
    "consents": [{"title": "-", "text": "-"}],
}

Values = Mapping[str, Any]


Pieces = Sequence[str]  # of a template, and between them `Value`s of one mail


@dataclass(frozen=True, slots=True)
class Said:
    """What a template said: a subject, and one or both of the others."""

    subject: str
    text: Pieces | None
    html: Pieces | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail, what of it a template *said*, and what was *read* of the HTML in that, if any."""

    content: Content
    said: Content
    read: markup.Read | None


class Templates:
    """The mails under *directory*: `<name>/{subject.txt,body.txt,body.html}`.

    Compiled once per language and frame, and kept; a changed file is seen after a
    restart. Templates see the data by its names, and as `frame` who writes (the
    same for all mails of a sender), the `links` and the `consents` of this one.
    *own* are the operator's, of which a version is taken when a mail is accepted.
    """

    def __init__(
        self,
        directory: Path,
        translations: Callable[[str], NullTranslations],
        own: Shelf | None = None,
    ) -> None:
        self._directory = directory
        self._translations = translations
        self.own = own
        self._versions: dict[str, Source] = {}
        self._environment = lru_cache(maxsize=_MOST_KEPT)(self._make_environment)
        self._own_environment = lru_cache(maxsize=_MOST_KEPT)(self._make_own_environment)
        # The last frame in each language: that it is the same is seen sooner than which it is.
        self._last: dict[tuple[str, bool], tuple[Values, jinja2.Environment]] = {}
        self.shapes = markup.Shapes()
        # Everything in it but `dark` is the same for all mails of a frame, and put in already.
        self._footer_style = lru_cache(maxsize=128)(
            lambda environment, dark, framed: "\n".join(
                _render(environment, file, {"dark": dark})
                for file in ("_footer.css", *(["_frame.css"] if framed else []))
            )
        )
        self._has = lru_cache(maxsize=512)(lambda file: (self._directory / file).is_file())
        self._reads = lru_cache(maxsize=64)(self._read_by_ours)

    def current(self, name: str) -> str | None:
        """The version of an operator's template that is sent from now on; None: there is none.

        Raises `TemplateError` where there is one, and nothing of it was ever sound.
        """
        source = None if self.own is None else self.own.current(name)
        return None if source is None else self.take(template_source.write(source))

    def take(self, raw: bytes) -> str:
        """Take in what a version was written as; it is known by the hash of just these bytes."""
        version, source = template_source.version_of(raw), template_source.read(raw)
        if version not in self._versions:
            while len(self._versions) >= _MOST_VERSIONS:
                self._versions.pop(next(iter(self._versions)), None)
            self._versions[version] = source
        return version

    def source(self, version: str) -> Source:
        """Raises `VersionAway` for one that this process has not read yet."""
        source = self._versions.get(version)
        if source is None:
            raise VersionAway(version)
        return source

    def reads(self, name: str, version: str | None) -> Reads:
        """The data that a template looks at."""
        if version is None:
            return self._reads(name)
        return template_language.reads(self.source(version))

    def render(
        self,
        name: str,
        locale: str,
        data: Values,
        frame: Values,
        *,
        footer: bool,
        version: str | None = None,
    ) -> Content:
        """Render a mail; *footer* adds what every marketing mail ends with.

        Without a `body.html` it is a text mail; without a `body.txt` the text
        is taken from the HTML. A *version* is of an operator's template.
        """
        parts = self.parts(name, version, locale, data, frame)
        return self.finished(parts, locale, frame, footer=footer).content

    def parts(
        self, name: str, version: str | None, locale: str, data: Values, frame: Values
    ) -> Said:
        """What a template says of *data*, in pieces; no footer yet."""
        values = {**printable_data(data), FRAME: frame}
        if version is None:
            return self._ours(name, locale, values)
        return self._owns(name, version, locale, values)

    def finished(self, parts: Said, locale: str, frame: Values, *, footer: bool) -> Rendered:
        """A whole mail of what a template said."""
        text, html = (None if one is None else "".join(one) for one in (parts.text, parts.html))
        read = None
        if html is not None and (text is None or footer):
            read = markup.read(html, self.shapes)
            text = plain_text(read.page) if text is None else text
        page = read.page if read is not None and footer else html
        mail = said = Content(parts.subject, text or "", page)
        if footer:
            mail = self.inline(said, locale=locale, frame=frame)
        return Rendered(mail, said, read)

    def _ours(self, name: str, locale: str, values: Values) -> Said:
        self._require(name)
        environment = self.environment_for(locale, values[FRAME])
        subject = _render(environment, f"{name}/subject.txt", values)
        text, html = (
            _pieces(environment, file, values) if self._has(file) else None
            for file in (f"{name}/body.txt", f"{name}/body.html")
        )
        return Said(subject.strip(), text, html)

    def _owns(self, name: str, version: str, locale: str, values: Values) -> Said:
        source = self.source(version)
        environment = self.environment_for(locale, values[FRAME], own=True)
        subject = _render(environment, f"{version}/subject.txt", values, name)
        text, html = (
            None
            if source.part(file) is None
            else _pieces(environment, f"{version}/{file}", values, name)
            for file in ("body.txt", "body.html")
        )
        return Said(" ".join(subject.split()), text, html)  # one line, whatever data holds

    def check(
        self,
        name: str,
        locale: str,
        data: Values,
        frame: Values,
        *,
        footer: bool,
        version: str | None = None,
    ) -> Rendered:
        """Render for a recipient without a profile and with links that lead nowhere.

        Whatever is missing then is a `TemplateError` now, while the caller can
        still be told, and not when the mail is due; so is HTML that nobody would
        see whole.
        """
        frame, data = {**_PLACEHOLDERS, **frame}, {"profile": {}, **data}
        parts = self.parts(name, version, locale, data, frame)
        made = self.finished(parts, locale, frame, footer=footer)
        if made.read is not None and made.read.flaw is not None:
            raise TemplateError(name, "body.html", made.read.flaw)
        return made

    def inline(self, said: Content, *, locale: str, frame: Values) -> Content:
        """Marketing content that came ready-made, its HTML as `markup.read` writes it."""
        environment = self.environment_for(locale, frame)
        text = with_text_footer(said.text, self.footer(environment, "txt", frame))
        if said.html is None:
            return replace(said, subject=said.subject.strip(), text=text)
        pieces = markup.cut(said.html, frame["locale"])
        style = self.style(environment, said.html)
        page = markup.with_footer(pieces, style, self.footer(environment, "html", frame))
        return Content(said.subject.strip(), text, page)

    def try_inline(self, said: Content, *, locale: str, frame: Values) -> Content:
        """As `inline`, for a recipient whose links lead nowhere."""
        return self.inline(said, locale=locale, frame={**_PLACEHOLDERS, **frame})

    def footer(self, environment: jinja2.Environment, form: str, frame: Values) -> str:
        """What every marketing mail ends with, as `txt` or `html`."""
        return _render(environment, f"_footer.{form}", {FRAME: frame})

    def style(self, environment: jinja2.Environment, page: str) -> str:
        """The style of what is ours in the mail of a *page* that `markup.read` wrote."""
        dark, framed = markup.is_dark(page), markup.has_our_frame(page)
        return self._footer_style(environment, dark, framed)

    def environment_for(
        self, locale: str, frame: Values, *, own: bool = False
    ) -> jinja2.Environment:
        same = {name: value for name, value in frame.items() if name not in _OF_ONE_MAIL}
        before, environment = self._last.get((locale, own), ({}, None))
        if environment is None or same != before:
            make = self._own_environment if own else self._environment
            environment = make(locale, frozenset(leaves(same)))
            if len(self._last) >= _MOST_KEPT:
                self._last.clear()
            self._last[locale, own] = same, environment
        return environment

    def _make_own_environment(
        self, _locale: str, constants: frozenset[tuple[str, Constant]]
    ) -> jinja2.Environment:
        return OwnEnvironment(
            dict(constants),
            loader=jinja2.FunctionLoader(self._load),
            autoescape=lambda file: file is not None and file.endswith(".html"),
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def _load(self, path: str) -> tuple[str, str, Callable[[], bool]] | None:
        """A part of a version, under the name of its file, which errors then say."""
        version, _, file = path.partition("/")
        held = self.source(version).part(file) if file in PARTS else None
        return None if held is None else (held, file, lambda: True)

    def _require(self, name: str) -> None:
        if not NAME.fullmatch(name) or not self._has(f"{name}/subject.txt"):
            raise NoSuchTemplate(name if NAME.fullmatch(name) else "?")

    def _read_by_ours(self, name: str) -> Reads:
        self._require(name)
        environment = self._environment("en", frozenset())
        found = [
            template_language.reads_of(environment.parse((self._directory / file).read_text()))
            for file in (f"{name}/{part}" for part in PARTS)
            if self._has(file)
        ]
        return {key: within for one in found for key, within in one.items()}

    def _make_environment(
        self, locale: str, constants: frozenset[tuple[str, Constant]]
    ) -> jinja2.Environment:
        translations = self._translations(locale)
        environment = FoldingEnvironment(
            dict(constants),
            translations.gettext,
            loader=jinja2.FileSystemLoader(self._directory),
            autoescape=lambda file: file is not None and file.endswith(".html"),
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.tests.update(TESTS)
        i18n: Any = environment
        i18n.install_gettext_translations(translations, newstyle=True)
        return environment


def with_text_footer(text: str, footer: str) -> str:
    return f"{text.rstrip()}\n\n{footer.lstrip()}"


def _render(
    environment: jinja2.Environment, file: str, values: Values, called: str | None = None
) -> str:
    return "".join(_pieces(environment, file, values, called))


def _pieces(
    environment: jinja2.Environment, file: str, values: Values, called: str | None = None
) -> Pieces:
    name, _, part = file.rpartition("/")
    name = called or name or part
    try:
        template = environment.get_template(file)
        # Again: the first time may have compiled what it includes, or met a collection of garbage.
        for _ in range(2):
            rendered = _bounded(template.generate(values), name, part)
            if rendered is not None:
                return rendered
        raise TemplateError(name, part, "takes too long")
    except (NotWords, jinja2.UndefinedError) as error:
        raise _of_data(error, name, part, values) from None
    except jinja2.TemplateSyntaxError as error:
        place = f"{Path(error.name or part).name}:{error.lineno}"
        raise TemplateError(name, place, "is no template") from None
    except jinja2.TemplateNotFound as error:
        raise TemplateError(name, str(error.name), "does not exist") from None
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        # What data of an unexpected kind does to a filter or an operator.
        raise TemplateError(name, _place(error, part), type(error).__name__) from None
    except jinja2.TemplateRuntimeError as error:
        raise TemplateError(name, _place(error, part), "cannot be rendered") from None


def _of_data(
    error: NotWords | jinja2.UndefinedError, name: str, part: str, values: Values
) -> TemplateError:
    """What is wrong with the data, and which of it."""
    place = _place(error, part)
    if isinstance(error, NotWords):
        data = {key: value for key, value in values.items() if key != FRAME}
        at = path_of(error.value, data) or ""
        return TemplateError(name, place, "prints a value that is no text", unprintable=at)
    found = _MISSING.search(str(error))
    missing = next(filter(None, found.groups()), None) if found else None
    return TemplateError(name, place, "a variable is missing", missing)


def _bounded(pieces: Iterator[str], name: str, part: str) -> Pieces | None:
    """Stop a rendering that grows beyond measure, as loops over data can; None: that lasts."""
    rendered: list[str] = []
    size, ends_at = 0, inf
    # The thread's own clock, which does not run while others do, is dear: it is asked once
    # half the time went by on the other one, and measures the second half.
    suspect_from = time.perf_counter() + LONGEST_TIME / 2
    while some := list(islice(pieces, _AT_ONCE)):
        size += sum(map(len, some))
        if size > LONGEST_PART:
            raise TemplateError(name, part, "makes too long a mail")
        if time.perf_counter() > suspect_from:
            used = time.thread_time()
            ends_at = min(ends_at, used + LONGEST_TIME / 2)
            if used > ends_at:
                return None
        rendered += some
    return rendered


def _place(error: BaseException, part: str) -> str:
    """File and line of the template where *error* arose, as Jinja rewrote its traceback."""
    place, step = part, error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.suffix in (".txt", ".html"):
            place = f"{file.name}:{step.tb_lineno}"
        step = step.tb_next
    return place
