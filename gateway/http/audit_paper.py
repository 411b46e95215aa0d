"""A report about the log as a paper, in sentences, for who reads no tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Final

from babel.numbers import format_decimal

from audit.canonical import encode
from audit.checkpoints import Checkpoint
from gateway.config.config import Config
from gateway.flows.proving.reports import Happening, Report
from gateway.http.fact_words import FactWords
from gateway.look import moments
from gateway.look.event_words import ACTORS, KINDS
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Words
from gateway.look.translations import say, translations

SIGNED: Final = "signed"
LEVELS: Final = {
    SIGNED: say(
        "Signed: all entries lead, by their hashes, to a checkpoint that the log's key signed."
        " Nobody without that key altered, added, removed or reordered anything. Whoever holds it"
        " could have written the whole log anew: what shows that is a checkpoint kept by somebody"
        " else."
    ),
    "held outside": say(
        "Held outside: all entries lead, by their hashes, to a checkpoint that the log's key"
        " signed, and they continue a checkpoint that was kept elsewhere. Entries before that"
        " could be rewritten only together with whoever kept it."
    ),
    "witnessed": say(
        "Witnessed: all entries lead, by their hashes, to a checkpoint that the log's key signed,"
        " and independent witnesses signed one, too. Entries before that could be rewritten only"
        " together with them."
    ),
}
_TITLES: Final = {
    "log": say("Report on the audit log"),
    "period": say("Report on a period of the audit log"),
    "person": say("Report on what the audit log holds of a person"),
}
_EVERYWHERE: Final = frozenset({"sub", "sseq"})
_SAYS_NOTHING: Final = frozenset({"", "null"})


def paper(report: Report, config: Config, locale: str, case: str | None = None) -> Paper:
    """The report, in a language that has a catalogue."""
    return _Writer(report, config, locale, case).paper()


def _root(checkpoint: Checkpoint) -> str:
    """What was signed; the signature is in the bundle, and too long for a line."""
    return f"{checkpoint.origin} · {checkpoint.size} · {encode(checkpoint.root)}"


class _Writer:
    def __init__(self, report: Report, config: Config, locale: str, case: str | None) -> None:
        self._report = report
        self._controller = config.controller
        self._locale = locale
        self._case = case
        self._words = translations(locale)
        self._zone = report.export.order.zone
        self._said = FactWords(config, locale, self._zone)
        self._is_one_log = len(report.logs) == 1

    def paper(self) -> Paper:
        controller, checked = self._controller, self._report.checked
        by = f"{controller.name}, {controller.postal_address}"
        blocks: list[Block] = [Words(f"{by}\n{controller.contact}"), Facts(list(self._about()))]
        for part in (self._meaning(), self._check(), self._numbers(), self._story()):
            blocks += part
        title = self._words.gettext(_TITLES[self._report.export.order.wanted.kind])
        foot = f"{controller.name} · {checked.name} · SHA-256 {checked.digest}"
        return Paper(title, self._locale, controller.name, foot, blocks)

    def _about(self) -> Iterator[tuple[str, str]]:
        say, order, report = self._words.gettext, self._report.export.order, self._report
        yield say("Log"), report.origin
        if order.wanted.since is not None:
            yield say("From"), self._both(order.wanted.since)
        if order.wanted.until is not None:
            yield say("Until before"), self._both(order.wanted.until)
        yield say("As of"), self._both(order.made_at)
        for part in report.logs:
            name = "" if self._is_one_log else f" {part.generation}"
            yield say("Entries signed") + name, self._number(part.size)
        yield say("Events in this report"), self._number(len(report.happenings))
        if self._case is not None:
            yield say("Case"), self._case

    def _meaning(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What this report is"))
        if self._report.export.order.wanted.person is None:
            yield Words(
                say(
                    "It retells in sentences what the audit log holds, in the order of the log."
                    " Entries name nobody: what they say about people is sealed, and is opened only"
                    " in an export about one person, for a reason that is recorded."
                )
            )
        else:
            yield Words(
                say(
                    "It retells in sentences what the audit log holds of one person, with the facts"
                    " that were opened for it. That they were opened, by whom and why, stands in"
                    " the log itself. These are personal data: keep them safe."
                )
            )
        yield Words(
            say(
                "This paper is for reading, and proves nothing by itself. What proves is the bundle"
                " named below: it brings its own verifier, which needs nothing of ours but the"
                " log's public key, and that you should have from elsewhere."
            )
        )

    def _check(self) -> Iterator[Block]:
        say, report = self._words.gettext, self._report
        checked = report.checked
        yield Heading(say("What was checked, and what that is worth"))
        if checked.fault is not None:
            failed = say("The check FAILED: the log was altered, or is damaged. The first fault:")
            yield Words(f"{failed}\n{checked.fault}")
        else:
            yield Words(say("The bundle of the same entries was made and checked: it is sound."))
            level = LEVELS[checked.level or SIGNED]
            yield Words(say(level))
        if report.unreadable:
            many = say("Entries that cannot be read, and are not told of here: %(number)s.")
            yield Words(many % {"number": self._number(report.unreadable)})
        yield Facts(
            [
                (say("Bundle"), checked.name),
                (say("Its SHA-256"), checked.digest),
                *((say("Checkpoint"), _root(part.newest.checkpoint)) for part in report.logs),
            ]
        )
        yield Words(
            say(
                "That something happened which was never written down, no log can rule out; and"
                " what was erased, as the law demands, cannot be opened any more."
            )
        )

    def _numbers(self) -> Iterator[Block]:
        say, report = self._words.gettext, self._report
        yield Heading(say("How much happened of what"))
        counts = Counter(one.kind for one in report.happenings)
        yield Facts([(say(KINDS[k]), self._number(n)) for k, n in counts.most_common()])
        if report.covers:
            line = say(
                "Beside these there are %(number)s cover entries, which tell of nothing: they hide"
                " from strangers how much happens."
            )
            yield Words(line % {"number": self._number(report.covers)})

    def _story(self) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What happened, in the order of the log"))
        zone = say("Times are those of %(zone)s, with UTC in brackets.")
        utc = say("Times are UTC.")
        yield Words(utc if self._zone is UTC else zone % {"zone": str(self._zone)})
        for day, events in groupby(self._report.happenings, self._day):
            yield Heading(moments.weekday(day, self._locale), 2)
            if self._report.facts:
                for one in events:
                    yield from self._with_facts(one)
            else:
                yield Listing([self._line(one) for one in events])

    def _with_facts(self, one: Happening) -> Iterator[Block]:
        yield Words(self._line(one))
        if found := list(self._facts(one)):
            yield Facts(found)

    def _facts(self, one: Happening) -> Iterator[tuple[str, str]]:
        """What it says, under words of ours, without whom it is about and what says nothing."""
        for name, value in self._report.facts.get((one.generation, one.index), ()):
            if name not in _EVERYWHERE and value not in _SAYS_NOTHING:
                yield self._said.label(one.kind, name), self._value(one, name, value)

    def _value(self, one: Happening, name: str, value: str) -> str:
        return self._said.value(one.kind, name, value, one.actor)

    def _line(self, one: Happening) -> str:
        say = self._words.gettext
        said = {
            "time": self._time(one.at),
            "what": say(KINDS[one.kind]),
            "who": say(ACTORS[one.actor]),
            "number": self._place(one),
        }
        line = say("%(time)s: %(what)s. By %(who)s. Entry %(number)s.") % said
        if one.items:
            many = self._words.ngettext("%(number)s message.", "%(number)s messages.", one.items)
            line = f"{line} {many % {'number': self._number(one.items)}}"
        named = [
            (self._said.label(one.kind, n), self._value(one, n, v)) for n, v in one.refs.items()
        ]
        refs = "; ".join(f"{label}{say(':')} {value}" for label, value in named)
        return f"{line} ({refs})" if refs else line

    def _place(self, one: Happening) -> str:
        number = self._number(one.index)
        return number if self._is_one_log else f"{one.generation}/{number}"

    def _day(self, one: Happening) -> date:
        return one.at.astimezone(self._zone).date()

    def _time(self, at: datetime) -> str:
        utc = f"{at:%H:%M:%S} UTC"
        return utc if self._zone is UTC else f"{at.astimezone(self._zone):%H:%M:%S} ({utc})"

    def _both(self, at: datetime) -> str:
        said = f"{moments.second(at.astimezone(UTC), self._locale)} UTC"
        if self._zone is UTC:
            return said
        local = moments.second(at.astimezone(self._zone), self._locale)
        return f"{local} ({said})"

    def _number(self, count: int) -> str:
        return format_decimal(count, locale=self._locale.replace("-", "_"))
