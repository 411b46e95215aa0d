"""What somebody types at the terminal, or pipes in: an answer, and one line of personal data."""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from gateway.cli.talk import fail, is_text

if TYPE_CHECKING:
    from consent.address import Address
    from gateway.flows.sending.permission import Question

_MOST_READ: Final = 64 * 1024  # characters of what is piped in, whose first line is wanted
_NO_TEXT: Final = "stdin is no text in UTF-8: give one line of it"
_WHY: Final = {
    "empty": "it is empty",
    "too_long": "the line has more than 254 characters",
    "control_character": "in the line are characters that nobody sees",
    "non_ascii_local_part": "before the @ are letters that not every mail server takes",
    "malformed": "the line is not of the form ada@example.org",
}


def agrees(question: str) -> bool:
    """Ask whoever sits at the terminal; nobody there, or anything but yes, is a no.

    On stderr alone: a blank on stdout would be the first letter of a result that a shell keeps.
    What was typed before the question is no answer to it: of lines pasted together the next one
    would be.
    """
    _forget_typed()
    with _interruptible():  # from the question on: it is answered as soon as it is seen
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        answer = _line()
    if not answer:
        sys.stderr.write("\n")
    return answer.strip().lower() in ("y", "yes")


def _forget_typed() -> bool:
    """Discard what waits at a terminal, and say whether anything did.

    A pipe was written to be read, and is left whole.
    """
    import termios

    if sys.stdin is None or not sys.stdin.isatty():
        return False
    waits = bool(select.select([sys.stdin], [], [], 0)[0])
    with suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return waits


def _line() -> str:
    """The next line; nothing at the end, and where a process was begun with its stdin closed."""
    return "" if sys.stdin is None else sys.stdin.readline()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Around what waits for somebody to type: a loop would take the first ctrl-c for later."""
    before = signal.getsignal(signal.SIGINT)
    if callable(before):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)


def line_of_stdin() -> str:
    """The one line that is typed or piped in, such as an address, which stands in no argument.

    A pipe is read to its end. Of several lines none is taken: whoever gave two addresses meant
    two people, and would believe that both were seen to.
    """
    try:
        with _interruptible():
            lines, are_all = _lines()
    except UnicodeDecodeError:
        raise fail(_NO_TEXT) from None
    if not all(map(is_text, lines)):  # so in a C locale, where nothing is raised
        raise fail(_NO_TEXT)
    if len(lines) > 1:
        there = f"{len(lines)} lines" if are_all else "more than one line"
        said = f"stdin has {there}, and one is asked for: nothing was done with any of them"
        raise fail(f"{said}; give one at a time, alone")
    return lines[0] if lines else ""


def _lines() -> tuple[list[str], bool]:
    """Those with something in them, and whether there are no others."""
    if sys.stdin is None:  # the process was begun with it closed
        return [], True
    if sys.stdin.isatty():
        line, more = sys.stdin.readline().strip(), _forget_typed()
        return [line, *[""] * more], not more
    read = sys.stdin.read(_MOST_READ)
    lines = [line.strip() for line in read.split("\n")]
    return [line for line in lines if line], len(read) < _MOST_READ


def address_of_stdin() -> Address:
    """One address alone; else it is said what is wrong with the line, which is not quoted."""
    return address_of(line_of_stdin())


def address_of(typed: str, otherwise: str = "") -> Address:
    from consent import address
    from consent.errors import AddressError

    try:
        return address.parse(typed)
    except AddressError as error:
        said = f"stdin has no address: {_WHY[error.problem]}"
        raise fail(f"{said}; give one alone, with nothing around it{otherwise}") from None


def person_of_stdin() -> Question:
    """Whom a command is about: by an address, or by the id that callers know."""
    from gateway.flows.sending.permission import Question

    typed = line_of_stdin()
    if typed.startswith("sub_"):
        return Question("", subject=typed)
    return Question("", address_of(typed, ", or an id that begins with sub_"))
