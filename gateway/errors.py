"""Why the gateway stops, or answers something else than what was asked for.

GatewayError
├── ConfigError             the configuration; nothing was started
├── KeyFileError            a file with keys cannot be read, or must not be written
├── SchemaError             a database has tables that this release cannot work on
├── BackupError             a backup cannot be made, read, or put back
│   └── TargetInUse         there is something where it was to be put
├── StoresApart             data and key store are not of one moment: one was restored
├── OthersRun               what needs every process stopped was asked for beside one
├── AnotherServes           a second process was started on SQLite
├── CannotListen            an address of ours is taken or not this machine's
├── CannotListenAnywhere    several of them are
└── RequestError            a request; `problems.py` has the answer to each
    ├── MalformedJson
    ├── WrongContentType
    ├── BodyTooLarge
    ├── TooManyValues       in one body
    ├── BodyLost            it did not arrive whole
    ├── TooSlow             it did not arrive in time
    ├── Invalid             fields, named by pointer
    ├── NotAuthenticated
    ├── ScopeMissing
    ├── OutsideKey          the key is bound to other senders or purposes
    ├── PermissionRefused   a decision, with its reason
    ├── Forged              a form that is not of this person's session
    ├── NotFound
    ├── NotPublished        an event that no checkpoint covers yet
    ├── Conflict            what was asked for is over
    ├── RequestDecided      a rights request that waits for nothing more
    ├── TooLateToExtend     a rights request whose first month is over
    ├── AnsweredByErasure   a rights request that an erasure answers, and nothing else
    ├── KeyReused           the idempotency key stands for another body
    ├── InFlight            the first request with this idempotency key runs
    ├── Busy                as much as can be read at once is being read
    └── TooMany             a limit of network, form or key; never of an address
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path


class GatewayError(Exception):
    """Anything this package raises on purpose."""


class ConfigError(GatewayError):
    """Everything that is wrong with the configuration, each line `key.path: problem`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class KeyFileError(GatewayError):
    """A file with keys is missing, open to others, damaged, or already there.

    Apart for whoever says by themselves what to do: `gateway doctor` would say it twice.
    """

    def __init__(self, what: str, way_out: str = "") -> None:
        super().__init__(f"{what}: {way_out}" if way_out else what)
        self.what = what
        self.way_out = way_out


class SchemaError(GatewayError):
    """A database has nothing in it, or tables of a release that this one does not go with."""

    def __init__(
        self,
        behind: Sequence[str],
        beyond: Sequence[str],
        *,
        void: Sequence[str] = (),
        between: Sequence[str] = (),
    ) -> None:
        self.behind = tuple(behind)
        self.beyond = tuple(beyond)
        if void:
            super().__init__(
                f"there is nothing in {', '.join(void)}: `gateway init` makes what a new gateway"
                " needs; where it was lost, `gateway restore DIR` puts a backup back"
            )
            return
        if between:
            super().__init__(
                f"the tables of {', '.join(between)} lack what this release has in them: a version"
                " between two releases made them, and nothing changes such ones. Run the version"
                " that made them, or begin anew with empty databases"
            )
            return
        said = []
        if behind:
            said.append(f"older than this release: {', '.join(behind)}; run `gateway db upgrade`")
        if beyond:
            said.append(f"of a later release: {', '.join(beyond)}; run that release")
        super().__init__(f"the tables are {', and '.join(said)}")


class StoresLost(GatewayError):
    """`gateway init` where a gateway lived, as *kept* in a store of it that is there tells.

    A new log would begin beside the guard of the old, or be signed as the old was.
    """

    def __init__(self, stores: Sequence[str], store: str, kept: str) -> None:
        super().__init__(
            f"there is nothing in {', '.join(stores)}, but the {store} holds {kept}: a gateway"
            " lived here. `gateway restore DIR` puts a backup back; a new gateway needs a"
            f" {store} of its own"
        )


class StoresApart(GatewayError):
    """One of the stores is an older backup; nothing is served or sent until that was dealt with."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}: an older backup of it was put back. Nothing is served or sent."
            " Put back its newest backup, or run `gateway restore`: it says first what it does."
        )


class KeyringLetGo(GatewayError):
    """The data are from before a look-up key was let go; nobody in them would be found."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"people in these data are found by look-up key {number}, which this keyring let go of:"
            " nobody would be found, and everybody admitted anew. Put a newer backup of the data in"
            " their place; or, with the key store of that day, the copy of the keyring that was"
            " kept with this backup, and run `gateway restore` again."
        )


class OthersRun(GatewayError):
    """Somebody else is connected to the data."""

    def __init__(self) -> None:
        super().__init__(
            "other processes are connected to the data: stop every `serve` and `worker`, on every"
            " machine, and whatever else has it open"
        )


class AnotherServes(GatewayError):
    """The data are a file of SQLite, and another process serves or delivers from it."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"another gateway process has {data}: on SQLite there is one, which does everything."
            " Stop that one first; for more than one move the data to PostgreSQL"
            " (docs/operations.md)"
        )


class BackupError(GatewayError):
    """A backup cannot be made or read, or does not hold what it must; nothing was changed."""


class TargetInUse(BackupError):
    """A store has tables already, which a backup was to be put in the place of."""

    def __init__(self, store: str, holds: str, backup: str) -> None:
        super().__init__(
            f"the {store} store is not empty ({holds}; the backup: {backup}):"
            " give --replace to put the backup in its place"
        )
        self.store = store


class CannotListen(GatewayError):
    """A server cannot be opened where *setting* wants it; None: nothing sets it."""

    def __init__(
        self, host: str, port: int, why: str, setting: str | None, *, used: bool = False
    ) -> None:
        ways = ["stop what listens there"] if used else []
        ways += [f"set another address: {setting}"] if setting else []
        super().__init__(f"cannot listen on {host}:{port}: {why}; {', or '.join(ways)}")
        self.host = host
        self.port = port


class CannotListenAnywhere(GatewayError):
    """Several servers cannot be opened: each is named, so that one look mends them all."""

    def __init__(self, refused: Sequence[CannotListen]) -> None:
        super().__init__("\n".join(map(str, refused)))


class RequestError(GatewayError):
    """A request that is not served as asked; its facts are safe to show to the caller."""


class MalformedJson(RequestError):
    """The body is not JSON."""


class WrongContentType(RequestError):
    """The body is of a type that this endpoint does not read."""


class BodyTooLarge(RequestError):
    """The body is larger than the gateway reads."""


class TooManyValues(RequestError):
    """The body holds more values than the gateway reads at once."""


class BodyLost(RequestError):
    """The connection or its framing broke before the body was whole."""


class TooSlow(RequestError):
    """The body did not arrive in the time that one may take."""


class Flaw(StrEnum):
    """What is wrong with a field, as far as a page has words of its own for it."""

    MISSING = "missing"
    TOO_LONG = "too long"
    NOT_OFFERED = "not offered"
    NO_NUMBER = "no number"
    NO_DATE = "no date"
    OUT_OF_RANGE = "out of range"
    OTHER = "other"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, without quoting it; *detail* is for who writes code."""

    pointer: str
    detail: str
    flaw: Flaw = Flaw.OTHER


class Invalid(RequestError):
    """The body is well-formed and says what it must not."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(f"{len(errors)} fields")
        self.errors = tuple(errors)

    @classmethod
    def at(cls, pointer: str, detail: str) -> Invalid:
        return cls([FieldError(pointer, detail)])


class NotAuthenticated(RequestError):
    """No API key, or none that we know."""


class ScopeMissing(RequestError):
    """The API key may not do this."""

    def __init__(self, scope: str) -> None:
        super().__init__(scope)
        self.scope = scope


class OutsideKey(RequestError):
    """The API key is bound to other senders or purposes."""


class PermissionRefused(RequestError):
    """The person must not be mailed for this purpose; decided, not failed."""

    def __init__(self, reason: str, refusal_class: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refusal_class = refusal_class


class Forged(RequestError):
    """A post that did not come from a page of ours, in this person's session."""


class NotFound(RequestError):
    """There is nothing of that name, or not for this caller; *what* is told to them."""

    def __init__(self, what: str | None = None) -> None:
        super().__init__(what)
        self.what = what


class NotPublished(RequestError):
    """The event exists, and the next checkpoint will cover it."""


class Conflict(RequestError):
    """The thing is in a state that does not allow this any more."""


class RequestDecided(RequestError):
    """The rights request was decided, or has had its more time."""


class TooLateToExtend(RequestError):
    """The month is over in which the person must be told of more time."""


class AnsweredByErasure(RequestError):
    """Who asked to be forgotten is answered by an erasure, and by nothing else."""


class KeyReused(RequestError):
    """The same idempotency key came with another body."""


class InFlight(RequestError):
    """The first request with this idempotency key has not been answered yet."""


class Busy(RequestError):
    """Callers have handed in as much as is read at once; nothing of this request was done."""


class TooMany(RequestError):
    """The caller's network or key, or the form, is over its limit."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("over the limit")
        self.retry_after = retry_after
