"""`gateway status`: one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import keys
from gateway.cli.talk import configuration, result_json, run, table
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from consent.keys.verified import VerifiedBackup
    from consent.rights_requests import Due
    from gateway.config.config import Config
    from gateway.watch.hindrances import Hindered
    from gateway.watch.overview import Overview
    from gateway.watch.posted import Posted
    from gateway.watch.verification import Nights


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Show how the gateway stands: queues, workers, audit log, keys."""
    seen, waits = run(_look(configuration(context)))
    if as_json:
        result_json(_document(seen) | {"waits": [asdict(one) for one in waits]})
    else:
        table([*_lines(seen), *_waits(waits)])


async def _look(config: Config) -> tuple[Overview, Sequence[Hindered]]:
    from gateway.cli.doctor import txt_records
    from gateway.process.lifespan import open_parts
    from gateway.watch import held_up, hindrances, overview

    async with open_parts(config) as parts:
        seen = await overview.look(parts)
    return seen, hindrances.decide(await held_up.closer(config, seen.facts, txt_records))


def _waits(found: Sequence[Hindered]) -> Iterator[tuple[str, str]]:
    for number, one in enumerate(found):
        yield "" if number else "MAIL WAITS", one.said
        yield "", f"→ {one.way_out}"


def _lines(seen: Overview) -> Iterator[tuple[str, str]]:
    from gateway.watch import webhooks

    yield "Outbox", _counts(seen.outbox)
    yield "  longest due", _age(seen.oldest_due, seen.at)
    yield "  ended in a day", _counts(seen.ended)
    yield "Intake", f"{seen.intake} waiting"
    for number, one in enumerate(seen.parked):
        since = f", first {_age(one.since, seen.at)}" if one.since else ""
        yield "" if number else "PARKED", f"{one.rows} of {one.table}: {one.reason}{since}"
    if not seen.workers:
        yield "Workers", "none: nothing is delivered"
    for number, worker in enumerate(seen.workers):
        left = worker.lease_until - seen.at
        lease = f"lease for {_length(left)}" if left > timedelta() else "LEASE RAN OUT"
        yield (
            "" if number else "Workers",
            f"{worker.id}: {counted(worker.messages, 'message')}, {lease}",
        )
    yield "Rights requests", _rights(seen.rights_requests)
    for number, late in enumerate(seen.webhooks):
        yield "" if number else "Webhooks", webhooks.said(late)
    yield from _of_log(seen)
    if seen.held is not None:
        told = (
            f"nobody knows who left from {seen.held.since:%Y-%m-%d} to {seen.held.until:%Y-%m-%d}"
        )
        yield "MARKETING IS HELD", told
    for number, epoch in enumerate(seen.epochs):
        remark = keys.remark(epoch)
        line = f"epoch {epoch.epoch} {epoch.state}, {epoch.keys} data keys"
        yield "" if number else "Keys", f"{line}; {remark}" if remark else line
    for number, flaw in enumerate(seen.templates):
        yield "" if number else "TEMPLATES", flaw
    yield "Backup", "none verified" if seen.backup is None else _backup(seen.backup, seen.at)


def _of_log(seen: Overview) -> Iterator[tuple[str, str]]:
    audit = seen.audit
    yield "Audit log", f"{audit.size} published, {audit.pending} pending"
    yield "  last checkpoint", _age(audit.checkpoint_at, seen.at)
    yield "  last verified", _last_night(audit.nights, seen.at)
    if audit.witnesses is not None:
        yield "  witnesses", audit.witnesses
    if audit.mail is not None:
        yield "  checkpoint mail", audit.mail.said(seen.at)


def _backup(one: VerifiedBackup, now: datetime) -> str:
    return f"newest verified one taken {_age(one.taken_at, now)}"


def _last_night(nights: Nights, now: datetime) -> str:
    last = nights.last
    return nights.said() if last is None else f"{_age(last.at, now)}: {nights.said()}"


def _rights(due: Due) -> str:
    overdue = f", {due.overdue} OVERDUE" if due.overdue else ""
    return f"{due.waiting} waiting, {due.soon} due within 7 days{overdue}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"


def _age(moment: datetime | None, now: datetime) -> str:
    return "none" if moment is None else f"{_length(now - moment)} ago"


def _length(length: timedelta) -> str:
    """In its largest whole unit."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _document(seen: Overview) -> dict[str, object]:
    return {
        "at": seen.at.isoformat(),
        "outbox": {
            "by_status": dict(seen.outbox),
            "ended_in_a_day": dict(seen.ended),
            "oldest_due_at": _moment(seen.oldest_due),
        },
        "intake_waiting": seen.intake,
        "parked": [
            {"table": one.table, "reason": one.reason, "rows": one.rows, "since": since}
            for one, since in ((parked, _moment(parked.since)) for parked in seen.parked)
        ],
        "workers": [
            {
                "id": worker.id,
                "lease_until": _moment(worker.lease_until),
                "messages": worker.messages,
            }
            for worker in seen.workers
        ],
        "rights_requests": {
            "waiting": seen.rights_requests.waiting,
            "due_within_7_days": seen.rights_requests.soon,
            "overdue": seen.rights_requests.overdue,
        },
        "webhooks": [
            {
                "webhook": one.webhook,
                "waiting": one.changes,
                "since": one.since.isoformat(),
                **{"tries": one.tries, "why": one.why},
            }
            for one in seen.webhooks
        ],
        "audit": {
            "size": seen.audit.size,
            "pending": seen.audit.pending,
            "checkpoint_at": _moment(seen.audit.checkpoint_at),
            "verified": _verification(seen.audit.nights),
            "witnesses": seen.audit.witnesses,
            "checkpoint_mail": _posted(seen.audit.mail, seen.at),
        },
        "marketing_held": None if seen.held is None else dict(seen.held.refs),
        "keys": [keys.row(epoch) for epoch in seen.epochs],
        "templates": list(seen.templates),
        "verified_backup": seen.backup and _verified(seen.backup),
    }


def _posted(one: Posted | None, now: datetime) -> dict[str, object] | None:
    if one is None:
        return None
    late = int(one.late(now).total_seconds())
    return {"last": one.state, "accepted_at": _moment(one.accepted_at), "late_seconds": late}


def _verified(one: VerifiedBackup) -> dict[str, object]:
    return {
        "id": one.id,
        "taken_at": _moment(one.taken_at),
        "verified_at": _moment(one.verified_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _verification(nights: Nights) -> dict[str, object] | None:
    if (last := nights.last) is None:
        return None
    return {
        "at": last.at.isoformat(),
        "ok": last.ok,
        "scope": last.scope,
        "size": last.since.size,
        "findings": last.findings,
        "rows": last.rows,
        "first_bad": last.first_bad,
        "whole_at": _moment(nights.whole_at),
    }
