"""What a verification opens: payloads and items against what their entries commit to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from audit import reading
from audit.canonical import decode
from audit.check import Commitments
from audit.entry import EVIDENCE, Opener, batch_root, committed, item_place, payload_place
from audit.losses import Losses, read_erased, read_staged
from audit.report import Findings, Problem
from audit.rowmac import RowMacs
from audit.trail import FLAWS, Opening, open_one
from storage.database import Database

# Gives, for these subjects, somebody who opens what is sealed for them.
Openers = Callable[[Sequence[str]], Awaitable[Opener]]
# Says of which of these subjects the keys may be gone while their rows are still there.
Ending = Callable[[Collection[str]], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class _Keyless:
    """A row whose key is gone, and how it counts unless an erasure is on its way."""

    subject: str
    leaf_index: int
    lose: Callable[[int], None]


class Openings:
    """The facts of one verification, of all its logs, and what of them is gone."""

    def __init__(self, data: Database, opener: Openers | None, ending: Ending | None) -> None:
        self._data = data
        self._opener = opener
        self._ending = ending
        self._losses = Losses()

    async def check(self, commitments: Sequence[Commitments], findings: Findings) -> None:
        """Check what some entries of one log commit to, in their order."""
        for group in reading.groups(commitments):
            await self._open(group, findings)

    async def account(self, macs: RowMacs, findings: Findings) -> None:
        """Compare what is gone with what was erased; the last thing."""
        # Staged rows first: an event that gets its index meanwhile is then seen twice, not never.
        erased = await read_staged(self._data, macs, findings)
        if self._losses.at:
            await read_erased(self._data, macs, erased)
            self._losses.report(erased, findings)

    async def _open(self, group: Sequence[Commitments], findings: Findings) -> None:
        """Check the payloads and items of some entries, in their order."""
        async with self._data.read() as connection:
            payloads = await reading.payloads(connection, group) if self._opener else {}
            items = await reading.items(connection, group, sealed=self._opener is not None)
        opener = None
        if self._opener is not None:
            rows = [*payloads.values(), *items.values()]
            subjects = {row.subject for part in rows for row in part} - {None}
            opener = await self._opener(sorted(subjects))
        keyless: list[_Keyless] = []
        for one in group:
            if one.items:
                keyless += self._check_items(one, items.get(one.eid, []), opener, findings)
            if opener is not None:
                keyless += self._check_payloads(one, payloads.get(one.eid, []), opener, findings)
        if keyless:
            await self._lose(keyless)

    async def _lose(self, keyless: Sequence[_Keyless]) -> None:
        """Count what no key opens, except where an erasure is on its way."""
        subjects = {one.subject for one in keyless}
        ending = await self._ending(subjects) if self._ending is not None else ()
        for one in keyless:
            if one.subject not in ending:
                one.lose(one.leaf_index)

    def _check_items(
        self, one: Commitments, rows: Sequence[Any], opener: Opener | None, findings: Findings
    ) -> Iterator[_Keyless]:
        commitments = [row.commitment for row in rows]
        if [row.position for row in rows] != list(range(one.items)):
            text = f"{one.items} items are counted, others are there"
            findings.add(Problem.ITEMS, one.leaf_index, text)
        elif batch_root(commitments) != one.root:
            findings.add(Problem.ITEMS, one.leaf_index, "the items do not give the root")
        for row in rows:
            if row.sealed is None:
                if opener is not None:  # else the statement leaves it out
                    self._losses.item(one.leaf_index)
                continue
            if row.subject is None:
                fits = committed(row.sealed) == row.commitment
                opening = Opening.OPENED if fits else Opening.ALTERED
            else:
                assert opener is not None  # noqa: S101 else the statement leaves sealed out
                place = item_place(one.eid, row.position)
                opening, _ = open_one(
                    opener, row.subject, EVIDENCE, place, row.sealed, row.commitment
                )
            if opening is Opening.ERASED:
                yield _Keyless(row.subject, one.leaf_index, self._losses.item)
            _check_opening(one, opening, f"item {row.position}", findings)

    def _check_payloads(
        self, one: Commitments, rows: Sequence[Any], opener: Opener, findings: Findings
    ) -> Iterator[_Keyless]:
        commitments = json.loads(one.payloads or b"{}")
        place = payload_place(one.eid)
        if EVIDENCE in commitments and EVIDENCE not in {row.compartment for row in rows}:
            self._losses.payload(one.leaf_index)
        for row in rows:
            text = commitments.get(row.compartment)
            commitment = decode(text) if text else None
            opening, _ = open_one(
                opener, row.subject, row.compartment, place, row.sealed, commitment
            )
            if opening is Opening.ERASED and row.compartment == EVIDENCE:
                yield _Keyless(row.subject, one.leaf_index, self._losses.payload)
            _check_opening(one, opening, f"payload {row.compartment}", findings)


def _check_opening(one: Commitments, opening: Opening, name: str, findings: Findings) -> None:
    flaw = FLAWS.get(opening)
    if flaw is not None:
        findings.add(Problem.PAYLOAD, one.leaf_index, f"{name} {flaw}")
