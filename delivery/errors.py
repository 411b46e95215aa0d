"""Why delivery stops.

DeliveryError
├── ComposeError    a value that has no safe form in a mail; nothing was composed
├── TemplateError   a template that is not there (NoSuchTemplate) or cannot be rendered
├── VersionAway     a version of a template that this process has not read yet
├── SpecimenError   bytes that no mail was ever taken apart into
├── SigningError    a key that cannot sign, or a mail that must not leave as it is
├── RelayAway       no connection to the relay; nothing was sent
└── JournalError    the journal cannot take a line; nothing may pass the final dot
"""

from __future__ import annotations


class DeliveryError(Exception):
    """Anything this package raises on purpose."""


class ComposeError(DeliveryError):
    """A value that has no safe form in a mail; *field* says where, never what."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} cannot be written safely")
        self.field = field


class TemplateError(DeliveryError):
    """A template that is not there or cannot be rendered.

    *place* is file and line; *missing* the name of the variable that is not
    there, *unprintable* where in the data a value is that would be printed and
    is no text, when that is the reason. No value of a variable is kept.
    """

    def __init__(
        self,
        name: str,
        place: str,
        problem: str,
        missing: str | None = None,
        unprintable: str | None = None,
    ) -> None:
        super().__init__(f"template {name}, {place}: {problem}")
        self.name = name
        self.place = place
        self.problem = problem
        self.missing = missing
        self.unprintable = unprintable


class NoSuchTemplate(TemplateError):
    """No template has this name; what is no name at all is not repeated."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "-", "does not exist")


class VersionAway(DeliveryError):
    """A *version* of an operator's template that this process has not read yet."""

    def __init__(self, version: str) -> None:
        super().__init__("a version of a template is not here")
        self.version = version


class SpecimenError(DeliveryError):
    """What is no specimen of a mail, or lacks a value to be filled with."""


class SigningError(DeliveryError):
    """A key that cannot sign, or a mail that must not leave as it is."""


class RelayAway(DeliveryError):
    """No connection to the relay: refused, lost, untrusted, or turned away with *code*.

    What it *said* then is for whoever looks at it on a terminal, and for no log.
    """

    def __init__(self, problem: str, code: int | None = None, said: str = "") -> None:
        super().__init__(f"the relay is away: {problem}")
        self.problem = problem
        self.code = code
        self.said = said


class JournalError(DeliveryError):
    """The journal cannot take a line; the cause is attached, and nothing half-written stays."""
