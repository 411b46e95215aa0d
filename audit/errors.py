"""Why the audit log stops.

AuditError
├── EntryError      bytes that are no entry of ours
├── KeyDamaged      what is sealed cannot be opened, though its key was not destroyed
├── NoteError       a signed note or checkpoint that is malformed or not signed by the key
│   └── SignerUnknown   signed in the log's name, by a key that is not known here
├── LogMissing      the log was never opened here
├── LogDamaged      stored hashes are missing or wrong, so nothing can be proved
├── RowDamaged      a row that the log rests on cannot be read
├── LogForged       an entry that no gateway wrote; nothing more is signed
├── LogRefuted      the last verification found that what was signed is not there; nothing is signed
├── BadPending      a staged row that was not staged by a gateway; sequencing stands still
└── GuardError      the last published checkpoint and the log do not belong together
    ├── GuardMissing    no guard beside the log
    ├── GuardAhead      the guard knows more entries than the log holds: a restored or cut log
    │   ├── LogClosed   this process began before the log was closed, and its successor opened
    │   └── SuccessorUnknown  the guard tells of a successor, and the data do not (yet)
    ├── GuardBehind     the log knows a younger checkpoint: a restored guard
    ├── AllOlder        both stand before what this machine saw published: put back together
    └── GuardConflict   the log does not continue what was published, or the guard was forged
        └── KeyUnknown      a key signed what was published last that this keyring lacks
"""

from __future__ import annotations

from datetime import datetime


class AuditError(Exception):
    """Anything this package raises on purpose."""


class EntryError(AuditError):
    """The bytes do not follow the grammar of an entry."""


class KeyDamaged(AuditError):
    """An `Opener` has the key and cannot use it: neither erased nor altered, and not readable."""


class NoteError(AuditError):
    """Not a note that this key signed."""


class SignerUnknown(NoteError):
    """Signed in the log's name: by its next key, or by somebody."""

    def __init__(self) -> None:
        super().__init__("not signed by a key that is known here")


class LogMissing(AuditError):
    """The database holds no log of this origin; `gateway init` opens one."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"no audit log {origin} in this database")
        self.origin = origin


class LogDamaged(AuditError):
    """A hash that a proof needs is not stored, or not the one that the entries give."""

    def __init__(self, level: int, position: int) -> None:
        super().__init__(f"the audit tree lacks the node at level {level}, position {position}")
        self.level = level
        self.position = position


class RowDamaged(AuditError):
    """A row without which the log cannot go on holds what no gateway writes, or is there twice."""

    def __init__(self, table: str) -> None:
        super().__init__(f"the row in {table} cannot be used: `gateway audit verify` says more")
        self.table = table


class LogForged(AuditError):
    """An entry that was never signed is not what a gateway wrote at its index, or is gone."""

    def __init__(self, index: int) -> None:
        super().__init__(
            f"entry {index} of the audit log is not what a gateway wrote, or is missing. From"
            " there on nothing is signed; `gateway audit verify` says more. Restore the data"
            " database from before that, or close the log before it: `gateway audit recover`."
        )
        self.index = index


class LogRefuted(AuditError):
    """Entries are not what was signed, as the last verification of the live log found."""

    def __init__(self, at: datetime, index: int | None) -> None:
        where = "" if index is None else f", the first at index {index}"
        super().__init__(
            f"the verification of {at:%Y-%m-%d %H:%M} UTC found entries of the audit log that are"
            f" not what was signed{where}. Nothing is signed on top of them. Put them right and"
            " run `gateway audit verify` until it says ok; or close the log before the first of"
            " them: `gateway audit recover`."
        )
        self.at = at
        self.index = index


class BadPending(AuditError):
    """A staged row whose MAC or id is wrong; it stays where it is, and so do those behind it."""

    def __init__(self, n: int | None, problem: str) -> None:
        super().__init__(f"staged audit row {n}: {problem}")
        self.n = n
        self.problem = problem


class GuardError(AuditError):
    """Nothing is served, sent or signed until an operator has found out what happened."""

    what = "the audit log and its guard do not belong together"
    todo = "Find out which of the two stores was changed."

    def __init__(self, log_size: int, guard_size: int | None) -> None:
        known = [f"the log has {log_size} entries"] if log_size else []
        known += [] if guard_size is None else [f"the guard stands at {guard_size}"]
        sizes = f" ({', '.join(known)})" if known else ""
        super().__init__(f"{self.what}{sizes}. Nothing is served or sent. {self.todo}")
        self.log_size = log_size
        self.guard_size = guard_size


class GuardMissing(GuardError):
    """No guard row; only `gateway init` makes one, and never beside a log with entries."""

    what = "there is no guard beside the audit log"
    todo = (
        "Put the store of the guard back (audit.guard_url, by default the key store), or go on"
        " without it: `gateway restore` says what that means."
    )


class GuardAhead(GuardError):
    """Entries that were published are not in the log."""

    what = "the audit log lacks entries that were published: an older backup, or it was cut off"
    todo = (
        "Put back a data database that holds them: the newest backup, or the one that was"
        " replaced. Where there is none, `gateway restore` brings in order what there is."
    )


class LogClosed(GuardAhead):
    """The log that this process works with was closed below it; the data know the successor."""

    what = "the audit log was closed while this process ran, and goes on in its successor"
    todo = (
        "Start it again, and whatever else ran meanwhile: it goes on with the successor, and works"
        " off what was accepted."
    )


class SuccessorUnknown(GuardAhead):
    """Who closed the log is at it still, or was ended; or the data are from before that."""

    what = "the guard tells of a successor of the audit log that the data do not know"
    todo = (
        "Where somebody closes the log just now, start again once that is done; where it broke"
        " off, run the same command again (`gateway restore`, `gateway audit recover`). Else the"
        " data are an older backup: put back the newest one, or let `gateway restore` bring in"
        " order what there is."
    )


class GuardBehind(GuardError):
    """A checkpoint was published that the guard does not know."""

    what = "the guard is older than the audit log: an older backup of its store"
    todo = (
        "Put back the newest backup of the store of the guard (audit.guard_url, by default the"
        " key store), or go on with this one: `gateway restore` says what that means."
    )


class AllOlder(GuardError):
    """The guard, and the data that agree with it, stand before what this machine saw published."""

    what = "this machine saw more published: data and guard are older backups of one moment"
    todo = (
        "Put back the newest backup of each, or go on with these: `gateway restore` says what that"
        " means."
    )


class GuardConflict(GuardError):
    """The tree of the guard's size has another root, or its note is not ours."""

    what = "the audit log does not continue what was published, or the guard was forged"
    todo = (
        "Somebody wrote to one of the two, or they belong to different gateways. `gateway audit"
        " verify` names the first bad entry; restore the database from before that, or close the"
        " log before it: `gateway audit recover`."
    )


class KeyUnknown(GuardConflict):
    """The log's key was followed by one that is not here, or somebody wrote to the guard."""

    what = "this keyring lacks the key that signed the guard's checkpoint"
    todo = (
        "Copy the newest keyring to this machine. Where no machine has a newer one, somebody wrote"
        " to the guard: `gateway audit verify` says more, `gateway audit recover` goes on."
    )
