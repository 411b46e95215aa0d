"""Mail templates: one folder per mail, in every language through gettext.

Templates are the operator's, data is a stranger's: the sandbox keeps templates
from reaching into the process, autoescaping keeps data from becoming markup,
and a variable that is missing is an error, not an empty place in a mail.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from gettext import NullTranslations
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Final

import jinja2

from delivery import markup
from delivery.errors import TemplateError
from delivery.folding import FRAME, Constant, FoldingEnvironment, leaves
from delivery.mime import Content
from delivery.plain_text import plain_text
from delivery.printable import TESTS, NotWords, path_of, printable_data

LONGEST_PART: Final = 512 * 1024  # characters
LONGEST_TIME: Final = 0.25  # seconds of CPU for a try at one part: a permit lives for two
_MOST_KEPT: Final = 64  # environments
_AT_ONCE: Final = 16  # pieces of a part between two looks at its size and at the clock
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
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


class Templates:
    """The mails under *directory*: `<name>/{subject.txt,body.txt,body.html}`.

    Compiled once per language and frame, and kept; a changed file is seen after a
    restart. Templates see the data by its names, and as `frame` who writes (the
    same for all mails of a sender), the `links` and the `consents` of this one.
    """

    def __init__(self, directory: Path, translations: Callable[[str], NullTranslations]) -> None:
        self._directory = directory
        self._translations = translations
        self._environment = lru_cache(maxsize=_MOST_KEPT)(self._make_environment)
        # The last frame in each language: that it is the same is seen sooner than which it is.
        self._last: dict[str, tuple[Values, jinja2.Environment]] = {}
        self._shapes = markup.Shapes()
        # Everything in it but `dark` is the same for all mails of a frame, and put in already.
        self._footer_style = lru_cache(maxsize=128)(
            lambda environment, dark: _render(environment, "_footer.css", {"dark": dark})
        )
        self._has = lru_cache(maxsize=512)(lambda file: (self._directory / file).is_file())

    def render(
        self,
        name: str,
        locale: str,
        data: Values,
        frame: Values,
        *,
        footer: bool,
        whole: bool = False,
    ) -> Content:
        """Render a mail; *footer* adds what every marketing mail ends with.

        Without a `body.html` it is a text mail; without a `body.txt` the text
        is taken from the HTML. With *whole*, HTML that nobody would see whole
        is a `TemplateError` too.
        """
        if not _NAME.fullmatch(name) or not self._has(f"{name}/subject.txt"):
            raise TemplateError(name if _NAME.fullmatch(name) else "?", "-", "does not exist")
        values = {**printable_data(data), FRAME: frame}
        environment = self._environment_for(locale, frame)
        subject = _render(environment, f"{name}/subject.txt", values)
        text, html = (
            _render(environment, file, values) if self._has(file) else None
            for file in (f"{name}/body.txt", f"{name}/body.html")
        )
        if html is None or (text is not None and not footer):
            page = html
        else:
            read = markup.read(html, self._shapes)
            if whole and read.flaw is not None:
                raise TemplateError(name, "body.html", read.flaw)
            page, text = read.page, plain_text(read.page) if text is None else text
        said = Content(subject.strip(), text or "", page if footer else html)
        return self._with_footer(said, environment, frame) if footer else said

    def check(self, name: str, locale: str, data: Values, frame: Values, *, footer: bool) -> None:
        """Render for a recipient without a profile and with links that lead nowhere.

        Whatever is missing then is a `TemplateError` now, while the caller can
        still be told, and not when the mail is due.
        """
        frame = {**_PLACEHOLDERS, **frame}
        self.render(name, locale, {"profile": {}, **data}, frame, footer=footer, whole=True)

    def inline(self, said: Content, *, locale: str, frame: Values) -> Content:
        """Marketing content that came ready-made, its HTML as `markup.read` writes it."""
        return self._with_footer(said, self._environment_for(locale, frame), frame)

    def _with_footer(
        self, said: Content, environment: jinja2.Environment, frame: Values
    ) -> Content:
        values: Values = {FRAME: frame}
        text = f"{said.text.rstrip()}\n\n{_render(environment, '_footer.txt', values).lstrip()}"
        if said.html is None:
            return replace(said, subject=said.subject.strip(), text=text)
        footer = _render(environment, "_footer.html", values)
        style = self._footer_style(environment, markup.is_dark(said.html))
        return Content(said.subject.strip(), text, markup.with_footer(said.html, style, footer))

    def _environment_for(self, locale: str, frame: Values) -> jinja2.Environment:
        same = {name: value for name, value in frame.items() if name not in _OF_ONE_MAIL}
        before, environment = self._last.get(locale, ({}, None))
        if environment is None or same != before:
            environment = self._environment(locale, frozenset(leaves(same)))
            if len(self._last) >= _MOST_KEPT:
                self._last.clear()
            self._last[locale] = same, environment
        return environment

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


def _render(environment: jinja2.Environment, file: str, values: Values) -> str:
    name, _, part = file.rpartition("/")
    name = name or part
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


def _bounded(pieces: Iterator[str], name: str, part: str) -> str | None:
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
    return "".join(rendered)


def _place(error: BaseException, part: str) -> str:
    """File and line of the template where *error* arose, as Jinja rewrote its traceback."""
    place, step = part, error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.suffix in (".txt", ".html"):
            place = f"{file.name}:{step.tb_lineno}"
        step = step.tb_next
    return place
