"""A mail that somebody came with, as a paper: whose it is, what allowed it, what proves that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final
from zoneinfo import ZoneInfo

from audit import succession
from consent.model import GroundKind
from delivery.authorship import NotOurs, Signed, Why
from delivery.outcome import Outcome
from gateway.config.config import Config
from gateway.flows.proving.consent_proof import ConsentEvidence
from gateway.flows.proving.defend import Defended
from gateway.flows.proving.transmissions import Transmission
from gateway.http import defences, evidence_paper, fact_words
from gateway.look import moments
from gateway.look.code_words import OTHER_GROUND
from gateway.look.papers import Block, Facts, Heading, Listing, Paper, Words
from gateway.look.translations import say, translations

_FIELDS: Final = (
    (b"from", say("From")),
    (b"to", say("To")),
    (b"subject", say("Subject")),
    (b"date", say("Date")),
    (b"message-id", say("Message-ID")),
)
_GROUNDS: Final[Mapping[str, str]] = {
    GroundKind.CONSENT: say("A confirmed consent"),
    GroundKind.CONFIRMATION: say("A request that had to be confirmed"),
    GroundKind.SERVICE: say("A service mail: something was asked for, withdrawn, or is to be kept"),
}
_OUTCOMES: Final[Mapping[str, str]] = {
    Outcome.SENT: say("The mail server we handed it to accepted it"),
    Outcome.DEFERRED: say("The mail server took it later, or not at all"),
    Outcome.UNCERTAIN: say("It was handed over, and the connection broke off before the answer"),
    Outcome.BOUNCED: say("The mail server refused it"),
}
_OTHERWISE: Final = say("It was not handed over")


@dataclass(frozen=True, slots=True)
class Handed:
    """What was checked, by the hash of the file, and when."""

    digest: str
    at: datetime


def paper(found: Defended | NotOurs, handed: Handed, config: Config, locale: str) -> Paper:
    """Of a mail that is ours, or is not."""
    return _Writer(config, locale).paper(found, handed)


def permitted(found: Defended, config: Config, locale: str) -> list[tuple[str, str]]:
    """What allowed the newest try of it, as the paper has it; nothing where that is not here."""
    return _Writer(config, locale).permit(found.sent[-1]) if found.sent else []


class _Writer:
    def __init__(self, config: Config, locale: str) -> None:
        self._config = config
        self._locale = locale
        self._words = translations(locale)
        zone = config.rights.time_zone
        self._zone = None if zone is None else ZoneInfo(zone)

    def paper(self, found: Defended | NotOurs, handed: Handed) -> Paper:
        say, controller = self._words.gettext, self._config.controller
        by = f"{controller.name}, {controller.postal_address}\n{controller.contact}"
        blocks: list[Block] = [Words(by)]
        blocks += map(Words, defences.meaning(found, self._locale))
        blocks.append(Facts(list(self._handed(handed, found))))
        if isinstance(found, Defended):
            title, foot = say("A mail of ours, and what allowed it"), found.case
            blocks += self._ours(found)
        else:
            altered = found.why is Why.ALTERED
            title = say("Not as we signed it") if altered else say("Not a mail of ours")
            foot = say("Nobody's data was looked at for this.")
            blocks += self._not_ours(found)
        foot = f"{controller.name} · {foot}"
        return Paper(title, self._locale, controller.name, foot, blocks)

    def _handed(self, handed: Handed, found: Defended | NotOurs) -> Iterator[tuple[str, str]]:
        say = self._words.gettext
        yield say("Checked"), self._moment(handed.at)
        yield say("File (SHA-256)"), handed.digest
        if isinstance(found, Defended):
            yield say("Number"), found.case
            yield say("Log"), self._config.audit.origin

    def _not_ours(self, found: NotOurs) -> Iterator[Block]:
        say = self._words.gettext
        facts = [(say("Signatures in it, by their domains"), ", ".join(found.signed_by) or "–")]
        if found.selector is not None:
            facts.append((say("Selector of the key"), found.selector))
        yield Facts(facts)

    def _ours(self, found: Defended) -> Iterator[Block]:
        yield from self._mail(found.signed)
        yield from self._signature(found)
        if found.sent:
            yield from self._permits(found.sent)
        if found.consent is not None:
            yield from self._consent(found.consent, found)
        yield from self._check(found)

    def _mail(self, signed: Signed) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("The mail, as far as its signature covers it"))
        facts = [(say(label), _decoded(signed.said(name))) for name, label in _FIELDS]
        yield Facts([(label, value) for label, value in facts if value is not None])

    def _signature(self, found: Defended) -> Iterator[Block]:
        say, one = self._words.gettext, found.signed
        covered = [name.decode() for name, count in one.signature.counts().items() if count]
        yield Heading(say("The signature"))
        facts = [
            (say("Domain and selector"), f"{one.key.domain}, {one.key.selector}"),
            (say("Public key (SHA-256)"), one.key.fingerprint.removeprefix("sha256:")),
            (say("Covers the body and these fields"), ", ".join(covered)),
        ]
        if one.signature.signed_at is not None:
            facts.append((say("Signed for a permit of"), self._moment(one.signature.signed_at)))
        others = [name for name in one.signed_by if name != one.key.domain]
        if others:
            facts.append((say("Signed on its way, too, by"), ", ".join(others)))
        yield Facts(facts)
        if found.as_it_was_sent:
            yield Words(say("The log has the signature of the mail that was sent: it is this one."))

    def _permits(self, sent: Sequence[Transmission]) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("What allowed it"))
        yield Facts(self.permit(sent[-1]))
        yield Heading(say("What became of it"))
        yield Listing([self._became(one) for one in sent])

    def permit(self, last: Transmission) -> list[tuple[str, str]]:
        say, (kind, name) = self._words.gettext, last.ground
        return [
            (say("Permitted"), self._moment(last.permit.at)),
            (say("What for"), fact_words.purpose(self._config, last.purpose, self._locale)),
            (say("Ground"), f"{say(_GROUNDS.get(kind, OTHER_GROUND))} ({name})"),
            (say("Place in the log"), self._place(last)),
        ]

    def _place(self, one: Transmission) -> str:
        say, of, batch = self._words.gettext, one.permit.of, one.permit.of.entry.batch
        item = {"item": one.permit.position + 1, "of": "?" if batch is None else batch.count}
        if of.place is None:
            return say("Waits for its place") + f", {item['item']}/{item['of']}"
        said = say("Entry %(index)s of log %(log)s, item %(item)s of %(of)s")
        at = {"index": succession.index_of(of.place), "log": succession.generation_of(of.place)}
        return said % (at | item)

    def _became(self, one: Transmission) -> str:
        say, end = self._words.gettext, one.outcome
        if end is None:
            at = self._moment(one.permit.at)
            return f"{at}{say(':')} " + say("Permitted; the log has no outcome of this try")
        said = say(_OUTCOMES.get(str(end.facts.get("outcome")), _OTHERWISE))
        codes = [str(end.facts[name]) for name in ("code", "enhanced") if end.facts.get(name)]
        return f"{self._moment(end.at)}{say(':')} {said}" + (
            f" ({' '.join(codes)})" if codes else ""
        )

    def _consent(self, consent: ConsentEvidence, found: Defended) -> Iterator[Block]:
        yield Heading(self._words.gettext("The consent behind it"))
        yield from self._address(found.to_its_address)
        # One level below: a paper of its own says the same.
        for block in evidence_paper.proof(consent, self._config, self._locale):
            yield Heading(block.text, block.level + 1) if isinstance(block, Heading) else block

    def _address(self, to_its_address: bool | None) -> Iterator[Block]:
        say = self._words.gettext
        if to_its_address:
            yield Words(say("The mail went to the address that the consent names."))
        elif to_its_address is False:
            yield Words(say("The mail did not go to an address that the consent names."))

    def _check(self, found: Defended) -> Iterator[Block]:
        say = self._words.gettext
        yield Heading(say("How to check this"))
        if found.sent:
            yield Words(
                say(
                    "The bundle that goes with this paper (a zip) has the mail, the entries of the"
                    " log and what they commit to. Whoever distrusts us checks it alone, offline,"
                    " with the program in it and the log's key from elsewhere: python"
                    " verify_audit.py BUNDLE.zip --keys KEYS.txt"
                )
            )
        yield Words(
            say(
                "The signature is checked by any DKIM verifier with the public key named above; the"
                " DNS had it under %(name)s."
            )
            % {"name": f"{found.signed.key.selector}._domainkey.{found.signed.key.domain}"}
        )

    def _moment(self, at: datetime) -> str:
        return moments.here_and_utc(at, self._locale, self._zone)


def _decoded(said: str | None) -> str | None:
    """What a field says, in letters."""
    try:
        return None if said is None else str(make_header(decode_header(said)))
    except (HeaderParseError, ValueError, LookupError):
        return said
