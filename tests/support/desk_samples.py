"""Facts for the desk's pages beside those of one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from babel.numbers import format_decimal

from consent.coverage import Lack
from consent.resting import Resting
from consent.texts import PublishedNotice, Text
from delivery.authorship import Why
from gateway.flows.proving.agreed import Noticed
from gateway.flows.proving.defend import Reach
from gateway.http import audit_paper, defence_words
from gateway.look import moments
from gateway.look.translations import translations
from gateway.watch.wordings import Listed

AT: Final = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
CASE: Final = "req_00000000000000000000000000"
ERASURE: Final = "era_00000000000000000000000000"
Samples = dict[str, tuple[str, dict[str, Any]]]


def case_samples(locale: str) -> Samples:
    """The list of cases, one of them, and the first step of each decision."""
    say = translations(locale).gettext
    case = {
        "id": CASE,
        "right": "access",
        "what": say("Access"),
        "state": say("Waits"),
        "waits": True,
        "channel": say("by letter"),
        "asked_by": "letter",
        "received_at": AT,
        "due_at": AT,
        "days": 12,
        "decided_at": None,
    }
    over = {**case, "right": "erasure", "what": say("Erasure"), "days": -3}
    today = {**case, "right": "objection", "what": say("Objection"), "days": 0}
    answered = {**case, "state": say("Answered"), "waits": False, "decided_at": AT}
    empty = dict.fromkeys(("email", "kind", "received_on", "channel"), "")
    listed = {
        "cases": [over, today, {**case, "days": 1}, case],
        "further": None,
        "rights": [("access", say("Access")), ("erasure", say("Erasure"))],
        "today": "2026-03-03",
        "typed": empty,
        "problem": None,
        "may_act": True,
        "csrf": "csrf",
    }
    one = {
        "case": case,
        "subject": "sub_00000000000000000000000000",
        "handed_out": True,
        "steps": ["answer", "extend", "refuse"],
        "erasure": None,
        "did": None,
        "problem": None,
        "may_act": True,
        "csrf": "csrf",
    }
    ended = {**one, "case": answered, "steps": []}
    to_do = {**one, "handed_out": False, "steps": ["refuse"]}
    step = {"case": case, "later": None, "unsaid": False, "csrf": "csrf"}
    typed = {**empty, "email": "ada", "kind": "erasure", "channel": "letter"}
    return {
        "desk-cases": ("desk_cases", dict(listed)),
        "desk-cases-none": ("desk_cases", {**listed, "cases": [], "may_act": False}),
        "desk-cases-wrong": ("desk_cases", {**listed, "typed": typed, "problem": "email"}),
        "desk-cases-nobody": (
            "desk_cases",
            {**listed, "problem": "nobody", "further": {"due": AT.isoformat(), "after": CASE}},
        ),
        "desk-cases-decided": (
            "desk_cases_decided",
            {"cases": [answered, {**answered, "decided_at": None}], "further": CASE},
        ),
        "desk-cases-decided-none": ("desk_cases_decided", {"cases": [], "further": None}),
        "desk-case": ("desk_case", dict(one)),
        "desk-case-erasure": ("desk_case", {**to_do, "case": over}),
        "desk-case-objection": ("desk_case", {**to_do, "case": today}),
        "desk-case-restriction": ("desk_case", {**to_do, "case": {**case, "right": "restriction"}}),
        "desk-case-correction": (
            "desk_case",
            {**to_do, "case": {**case, "right": "rectification"}},
        ),
        "desk-case-erasing": (
            "desk_case",
            {**to_do, "case": over, "erasure": {"id": ERASURE, "done": False}},
        ),
        "desk-case-erased": ("desk_case", {**ended, "erasure": {"id": ERASURE, "done": True}}),
        "desk-case-auditor": ("desk_case", {**one, "may_act": False}),
        **{
            f"desk-case-did-{did}": ("desk_case", {**ended, "did": did})
            for did in ("recorded", "answer", "extend", "refuse")
        },
        **{
            f"desk-case-not-{why.replace(' ', '-')}": ("desk_case", {**one, "problem": why})
            for why in ("decided", "too late", "by erasure", "reason")
        },
        "desk-case-answer": ("desk_case_step", {**step, "step": "answer"}),
        "desk-case-extend": ("desk_case_step", {**step, "step": "extend", "later": AT}),
        "desk-case-refuse": ("desk_case_step", {**step, "step": "refuse", "unsaid": True}),
    }


def log_samples(locale: str) -> Samples:
    """A day of the log, and what people agreed to."""
    say = translations(locale).gettext
    checked = {
        "at": AT,
        "ok": True,
        "entries": 1204,
        "whole_at": AT,
        "faults": 0,
        "first_bad": None,
        "level": say(audit_paper.LEVELS[audit_paper.SIGNED]),
    }
    event = {
        "at": AT,
        "what": say("A consent was confirmed"),
        "who": say("the person"),
        "said": [],
        "index": 17,
        "id": "evt_00000000000000000000000000",
    }
    looked = {**event, "what": say("The data of a person was looked at"), "index": 18}
    looked |= {"who": say("an operator"), "said": [(say("Which operator"), "privacy-1")]}
    log = {
        "day": AT.date(),
        "said": moments.day(AT, locale),
        "before": AT.date(),
        "behind": AT.date(),
        "at": "",
        "kind": "",
        "kinds": [("consent.confirmed", say("A consent was confirmed"))],
        "events": [event, looked],
        "further": 18,
        "unknown": False,
        "checked": checked,
        "may_export": True,
        "typed": dict.fromkeys(("since", "until", "case", "format", "scope"), ""),
        "problem": None,
        "csrf": "csrf",
    }
    failed = {**checked, "ok": False, "faults": 2, "first_bad": 17}
    bare: dict[str, Any] = {
        "events": [],
        "further": None,
        "behind": None,
        "before": None,
        "may_export": False,
    }
    text = Text(
        f"sha256:{'5e' * 32}",
        "newsletter",
        locale,
        {
            "title": "Newsletter",
            "text": {"de": "Ja, bitte.", "fr": "Oui, volontiers."}.get(locale, "Yes, please."),
        },
        current=True,
        published_at=AT,
        retired_at=None,
    )
    resting = Resting(1204, 3, AT, AT)
    former = replace(text, current=False)
    texts = [
        Listed(text, resting, ()),
        Listed(former, Resting(), (Lack.WORDING,)),
        Listed(replace(former, retired_at=AT), Resting(1), ()),
    ]
    notice = PublishedNotice(text.hash, locale, b"", AT)
    return {
        "desk-log": ("desk_log", dict(log)),
        "desk-log-failed": ("desk_log", {**log, **bare, "checked": failed}),
        "desk-log-new": ("desk_log", {**log, "checked": {**checked, "at": None}, "unknown": True}),
        **{
            f"desk-log-{why}": ("desk_log", {**log, "problem": why})
            for why in ("case", "format", "until")
        },
        "desk-wordings": (
            "desk_wordings",
            {"texts": texts, "notices": [Noticed(notice, resting)]},
        ),
        "desk-wordings-none": ("desk_wordings", {"texts": [], "notices": []}),
    }


def export_samples(locale: str) -> Samples:
    """Exports that were asked for, in each of their states."""
    say = translations(locale).gettext
    one: dict[str, Any] = {
        "id": "exp_" + "0" * 26,
        "what": "period",
        "case": None,
        "days": [moments.day(AT, locale), None],
        "file": say("Bundle that checks itself (zip)"),
        "asked_at": AT,
        "state": "waits",
        "reason": None,
        "done": 0,
        "whole": 0,
        "said": {"done": "0", "whole": "0"},
        "megabytes": "0",
        "until": AT,
        "fetched_at": AT,
        "stands": True,
    }
    half = {**one, "state": "making", "done": 61_440, "whole": 120_000, "reason": "resumed"}
    half["said"] = {n: format_decimal(half[n], locale=locale) for n in ("done", "whole")}
    may = {"what": "authority", "case": "17/2026", "days": [moments.day(AT, locale)] * 2}
    ready = {
        **one,
        **may,
        "state": "ready",
        "megabytes": format_decimal(5.8, locale=locale),
        "reason": "anew",
    }
    fetched = {**one, "what": "person", "days": [None] * 2, "state": "fetched", "stands": False}
    ended = {**one, "days": [None, moments.day(AT, locale)], "state": "failed", "stands": False}
    reasons = ("gone", "large", "paper", "fault")
    over = [{**ended, "state": state} for state in ("over", "cancelled")]
    page: dict[str, Any] = {
        "exports": [one, half, {**half, "whole": 0, "reason": None}, ready, fetched],
        "waits": True,
        "still": False,
        "problem": None,
        "most": 4,
        "missed": None,
        "who": "privacy-1",
        "csrf": "csrf",
    }
    none = {**page, "exports": [], "waits": False}
    return {
        "desk-exports": ("desk_exports", dict(page)),
        "desk-exports-still": ("desk_exports", {**page, "still": True}),
        "desk-exports-none": ("desk_exports", none),
        "desk-exports-many": ("desk_exports", {**page, "problem": "many"}),
        "desk-exports-room": ("desk_exports", {**none, "problem": "room"}),
        "desk-exports-fetched": (
            "desk_exports",
            {**none, "exports": [fetched], "missed": fetched},
        ),
        "desk-exports-ended": (
            "desk_exports",
            {
                **none,
                "exports": [*over, *({**ended, "reason": why} for why in reasons)],
                "missed": over[0],
            },
        ),
    }


def sent_samples(locale: str) -> Samples:
    """What became of a day's messages."""
    say = translations(locale).gettext
    refused = f"{say('Not permitted, not sent')}: {say('withdrawn')}"
    message = {"id": "msg_" + "0" * 26, "at": AT, "ended_at": AT, "what": "Newsletter"}
    parked = {"what": say("messages"), "rows": 2, "why": say("Its key is missing."), "since": AT}
    sent = {
        "day": AT.date(),
        "said": moments.day(AT, locale),
        "before": AT.date(),
        "behind": AT.date(),
        "purpose": "",
        "state": "",
        "purposes": [("newsletter", "Newsletter")],
        "states": [("sent", say("Sent")), ("refused", say("Not permitted, not sent"))],
        "counts": [
            {"what": "Newsletter", "became": say("Sent"), "messages": 1204},
            {"what": "Newsletter", "became": refused, "messages": 1},
        ],
        "messages": [
            {**message, "became": say("Sent")},
            {**message, "became": say("Waits"), "ended_at": None},
        ],
        "further": message["id"],
        "queue": 1,
        "longest_due": AT,
        "csrf": "csrf",
        "parked": [parked, {**parked, "rows": 1, "since": None}],
        "unknown": False,
    }
    bare: dict[str, Any] = {"counts": [], "messages": [], "further": None, "parked": [], "queue": 0}
    return {
        "desk-sent": ("desk_sent", dict(sent)),
        "desk-sent-none": (
            "desk_sent",
            {**sent, **bare, "longest_due": None, "behind": None, "unknown": True},
        ),
    }


def defence_samples(locale: str) -> Samples:
    """Where a mail is dropped, and what was found of one."""
    say = translations(locale).gettext
    drop = {"found": None, "why": "", "problem": None, "csrf": "csrf"}
    ours = {
        "ours": True,
        "meaning": [say(defence_words.REACHES[Reach.WHOLE])],
        "allowed": [(say("What for"), "Newsletter"), (say("Ground"), say("A confirmed consent"))],
        "case": "def_00000000000000000000000000",
        "subject": "sub_00000000000000000000000000",
        "to_its_address": True,
    }
    nobodys = dict.fromkeys(("allowed", "case", "subject", "to_its_address"))
    not_ours = {"ours": False, "meaning": [say(defence_words.NOT_OURS[Why.FOREIGN])], **nobodys}
    return {
        "desk-defence": ("desk_defence", dict(drop)),
        "desk-defence-ours": ("desk_defence", {**drop, "found": ours, "why": "17"}),
        "desk-defence-other": (
            "desk_defence",
            {**drop, "found": {**ours, "to_its_address": False}},
        ),
        "desk-defence-not-ours": ("desk_defence", {**drop, "found": not_ours}),
        **{
            f"desk-defence-no-{what}": ("desk_defence", {**drop, "problem": what})
            for what in ("why", "mail")
        },
    }


def breach_samples(paper: dict[str, Any]) -> Samples:
    """Where a breach is worked out, what came of it, and the papers of the running gateway."""
    names = ("case", "since", "until", "known_on", "known_at", "happened", "done")
    asked = {
        "typed": dict.fromkeys(names, ""),
        "days": {"data": "2026-03-03", "keystore": "", "keyring": ""},
        "took": ["exports", "data"],
        "zone": "Europe/Berlin",
        "problem": None,
        "csrf": "csrf",
    }
    found = {"paper": paper, "typed": [("case", "1"), ("took", "data")], "csrf": "csrf"}
    return {
        "desk-breach": ("desk_breach", dict(asked)),
        **{
            f"desk-breach-{why.replace('_', '-')}": ("desk_breach", {**asked, "problem": why})
            for why in ("case", "took", "until", "known_at", "data_on")
        },
        "desk-breach-found": ("desk_breach_found", found),
        "desk-papers": ("desk_papers", {}),
        "desk-paper": ("desk_paper", {"paper": paper, "which": "record"}),
    }
