"""Why mail does not move, as an operator is told: facts in, reasons out, each with its way out.

`gateway status`, `/readyz` of `admin_listen`, `/metrics` and the log say what this decides. Pure:
numbers, codes and words of ours; nothing is about anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from consent.model import Reason
from delivery.errors import RelayAway
from delivery.waits import MOST, Waits
from gateway.watch import stuck
from gateway.watch.marketing import Period
from gateway.watch.numbers import counted
from storage.bad_rows import Standing


class Hindrance(StrEnum):
    """What keeps mail back; the first ones all of it, those behind them some."""

    STORE_AWAY = "store_away"
    WORKER_STOPPED = "worker_stopped"
    NO_WORKER = "no_worker"
    RELAY_AWAY = "relay_away"
    SLOW = "slow"
    KEYS_MISSING = "keys_missing"
    CLOCK = "clock"
    MARKETING_HELD = "marketing_held"
    CAMPAIGN_PAUSED = "campaign_paused"
    PUT_OFF = "put_off"
    DNS = "dns"
    QUOTA = "quota"
    FREQUENCY_CAP = "frequency_cap"
    PERSON_PAUSES = "person_pauses"
    CONFIRMATIONS_WAIT = "confirmations_wait"
    CONFIRMATIONS_WITHHELD = "confirmations_withheld"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Hindered:
    """One reason: how much it keeps back, and what to do about it."""

    why: Hindrance
    said: str
    way_out: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at *now*; what this process cannot see is left out."""

    now: datetime
    away: Collection[str] = ()  # data, keys, guard: which does not answer
    stopped: bool = False  # the worker of this process cannot work
    relay: RelayAway | None = None  # how the last try to reach it ended
    waits: Waits = field(default_factory=Waits)
    held: Period | None = None
    lacking: Collection[str] = ()  # keys by which people are found
    ahead: timedelta = timedelta()  # the database's clock, of this machine's
    unpublished: Sequence[str] = ()  # records of keys that sign
    withheld: int = 0  # mailboxes that were asked for, and got no confirmation mail
    parked: Sequence[Standing] = ()


_SOON: Final = timedelta(seconds=30)  # nobody calls that standing still
_OUT_OF_STEP: Final = timedelta(seconds=30)
# Why flows let a mail wait (`gateway/flows/sending/quotas.py`, `pacing.py`).
QUOTA, PAUSED = "quota", "paused"
_STORES: Final[Mapping[str, str]] = {
    "data": "the database is away: nothing is taken or sent",
    "keys": "the key store is away: nothing is taken or sent",
    "guard": "the guard is away: nobody can leave, and no checkpoint is signed",
}
_SETTINGS: Final[Mapping[str, str]] = {
    "data": "storage.url",
    "keys": "storage.keystore_url",
    "guard": "audit.guard_url",
}


def decide(facts: Facts) -> list[Hindered]:
    """Every reason why mail waits, what keeps all of it first; nothing where it moves."""
    return [*_stops(facts), *_all_waits(facts), *_some_waits(facts), *_confirmations(facts)]


def _stops(facts: Facts) -> Iterator[Hindered]:
    for store in facts.away:
        if store in _STORES:
            way_out = f"start it, or mend {_SETTINGS[store]}; it goes on by itself"
            yield Hindered(Hindrance.STORE_AWAY, _STORES[store], way_out)
    if facts.stopped:
        said = "the worker of this process has no lease or cannot write its journal"
        way_out = "see delivery.journal_dir, its disk, and log lines journal_full and lease_lost"
        yield Hindered(Hindrance.WORKER_STOPPED, said, way_out)


def _all_waits(facts: Facts) -> Iterator[Hindered]:
    """The first of these that holds; none while nothing has waited for long."""
    waits, since = facts.waits, facts.waits.due_since
    if waits.due and not waits.workers:
        said = f"no worker runs, and {_mails(waits.due)}"
        yield Hindered(Hindrance.NO_WORKER, said, "start `gateway worker`", waits.due)
    elif facts.relay is not None:
        yield Hindered(
            Hindrance.RELAY_AWAY,
            f"the relay does not take us: {_answer(facts.relay)}",
            "run `gateway doctor`, which tries it and says what to change",
            max(waits.due, 1),
        )
    elif waits.due and since is not None and facts.now - since > _SOON:
        said = f"{_mails(waits.due)}: more come than go"
        way_out = "see docs/operations.md, Load: more connections, more workers, or a faster relay"
        yield Hindered(Hindrance.SLOW, said, way_out, waits.due)
    if facts.lacking:
        said = f"the keyring lacks {', '.join(sorted(facts.lacking))}: no sign-ups are worked off"
        way_out = "copy the newest keyring to this machine, and restart"
        yield Hindered(Hindrance.KEYS_MISSING, said, way_out, len(facts.lacking))
    if abs(facts.ahead) > _OUT_OF_STEP:
        seconds = f"{abs(facts.ahead).total_seconds():.0f} s"
        said = f"the clocks of database and this machine differ by {seconds}"
        yield Hindered(Hindrance.CLOCK, said, "run NTP on both machines")


def _some_waits(facts: Facts) -> Iterator[Hindered]:
    waits = facts.waits
    if facts.held is not None:
        said = "marketing is held: a restore could not learn who left"
        way_out = "see Restore in docs/operations.md: --accept-period"
        yield Hindered(Hindrance.MARKETING_HELD, said, way_out)
    if waits.paused:
        said = f"{counted(waits.paused, 'campaign')} paused"
        way_out = "`gateway campaign list` names them, `gateway campaign resume` lets one go on"
        yield Hindered(Hindrance.CAMPAIGN_PAUSED, said, way_out, waits.paused)
    if number := waits.later.get("", 0):
        said = f"{counted(number, 'mail')} put off by whoever was to take them{_replies(waits)}"
        way_out = "they go again by themselves; find the codes in the relay's log"
        yield Hindered(Hindrance.PUT_OFF, said, way_out, number)
    if facts.unpublished:
        said = f"not in DNS, so that receivers cannot verify us: {', '.join(facts.unpublished)}"
        way_out = "publish what `gateway dkim show` prints"
        yield Hindered(Hindrance.DNS, said, way_out, len(facts.unpublished))
    for reason, (why, told, way_out) in _LATER.items():
        if number := waits.later.get(reason, 0):
            yield Hindered(why, f"{_mails(number)} {told}", way_out, number)
    for one in facts.parked:
        said = f"{one.rows} of {one.table} parked: {one.reason}"
        yield Hindered(Hindrance.PARKED, said, stuck.way_out(one.reason), one.rows)


_LATER: Final[Mapping[str, tuple[Hindrance, str, str]]] = {
    QUOTA: (
        Hindrance.QUOTA,
        "for their turn",
        "none, or raise delivery.relay.at_most, per_domain, or a sender's warm_up",
    ),
    Reason.FREQUENCY_CAP: (
        Hindrance.FREQUENCY_CAP,
        "until their recipients may have one more",
        "none: purposes.….at_most, or what people chose, says so",
    ),
    PAUSED: (
        Hindrance.PERSON_PAUSES,
        "until their recipients want mails again",
        "none: they chose a pause",
    ),
}


def _confirmations(facts: Facts) -> Iterator[Hindered]:
    if number := facts.waits.asking:
        waits = "waits" if number == 1 else "wait"
        said = (
            f"{counted(number, 'confirmation mail')} {waits} for a turn at the recipient's domain"
        )
        way_out = "none: many of one domain signed up, and each goes within a day"
        yield Hindered(Hindrance.CONFIRMATIONS_WAIT, said, way_out, number)
    if number := facts.withheld:
        said = (
            f"{counted(number, 'mailbox', 'mailboxes')} signed up in seven days, and got no"
            " confirmation mail: asked too often, or it said that it was not them"
        )
        way_out = "none, unless a form is flooded: see gateway_limited, and /my-data for them"
        yield Hindered(Hindrance.CONFIRMATIONS_WITHHELD, said, way_out, number)


def _mails(number: int) -> str:
    more = " or more" if number >= MOST else ""
    return f"{counted(number, 'mail')}{more} {'waits' if number == 1 else 'wait'}"


def _replies(waits: Waits) -> str:
    told = [one or "no reply" for one in waits.replies][:3]
    return f" ({', '.join(told)})" if told else ""


def _answer(away: RelayAway) -> str:
    answer = " ".join(filter(None, [str(away.code or ""), away.said]))
    return f"{away.problem}: {answer}" if answer else away.problem
