"""What a doctor asks DNS: the keys that sign (DKIM), who may send (SPF), what receivers do (DMARC).

SPF is RFC 7208, DMARC is RFC 9989. Which addresses a relay sends from is not known here: that a
record stands, is one, and lets not everybody in is what can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from delivery import dkim
from delivery.dkim import Signer
from delivery.errors import SigningError
from gateway.config.config import Config, Sender
from gateway.errors import KeyFileError
from gateway.keyfiles import dkim_keys, dkim_rotation
from gateway.keyfiles.dkim_rotation import Resolver
from gateway.watch.findings import Finding, fail, ok, warn

_LABELS: Final = 8  # asked of a long name (RFC 9989, section 4.10)
_POLICIES: Final = ("none", "quarantine", "reject")
_GONE: Final = ("pct", "rf", "ri")  # tags of RFC 7489 that nobody reads any more


def about_dkim(config: Config, resolver: Resolver) -> Iterator[Finding]:
    try:
        signers = dkim_keys.load(config)
        _probe(signers.values())
    except KeyFileError as error:
        yield fail("dkim", error.what, error.way_out)
        return
    yield ok("dkim", f"every sender signs ({len(signers)}), and dkimpy verifies it")
    if config.delivery.transport == "inbox":
        return  # nobody outside will ask DNS
    for record in dkim_keys.records(config):
        yield _about_record(record, resolver(record.name))
    for record, until in dkim_rotation.records_before(config, datetime.now(UTC)):  # noqa: TID251
        if record.value not in (resolver(record.name) or (record.value,)):
            said = f"{record.name} is not published, and mails that it signed are on their way"
            yield fail("dns", said, f"publish it until {until:%Y-%m-%d}")
    for one in dkim_rotation.waiting(config, resolver):
        said = f"{one.record.name} waits to sign, and is {'' if one.seen else 'not '}published"
        fix = "publish what `gateway dkim show` prints, then run `gateway dkim rotate`"
        yield warn("dkim", said, fix)


def _probe(signers: Iterable[Signer]) -> None:
    try:
        for signer in signers:
            dkim.probe(signer)
    except SigningError as error:
        raise KeyFileError(str(error), "put the backup of its key back") from None


def _about_record(record: dkim_keys.Record, published: Sequence[str] | None) -> Finding:
    if published is None:
        return warn("dns", f"{record.name}: no resolver answers", "look again when online")
    if record.value in published:
        return ok("dns", f"{record.name} is published")
    said = "holds another key" if published else "is not published"
    return fail("dns", f"{record.name} {said}", "publish what `gateway dkim show` prints")


def about_policies(config: Config, resolver: Resolver) -> Iterator[Finding]:
    """SPF and DMARC of each domain that mails come from; nothing where none leave."""
    if config.delivery.transport == "inbox":
        return
    domains = {_domain(one): one for one in config.senders.values()}
    for domain, sender in sorted(domains.items()):
        yield about_spf(domain, resolver(domain))
        yield about_dmarc(domain, sender.dkim_domain, resolver)


def _domain(sender: Sender) -> str:
    return sender.from_address.rpartition("@")[2].lower()


def about_spf(domain: str, published: Sequence[str] | None) -> Finding:
    """Whether receivers can tell who may send for a domain."""
    about = "spf"
    if published is None:
        return warn(about, f"{domain}: no resolver answers", "look again when online")
    found = [one for one in published if one.lower().split(" ")[0] == "v=spf1"]
    if not found:
        said, fix = f"{domain} has no record", f'publish TXT {domain} "v=spf1 include:… -all"'
        return warn(about, said, f"{fix}, as whoever runs the relay says")
    if len(found) > 1:
        said = f"{domain} has {len(found)} records, which counts as none (RFC 7208, section 4.5)"
        return fail(about, said, "make one of them")
    words = found[0].lower().split()
    if "+all" in words or "all" in words:
        said = f"{domain} lets everybody send for it"
        return fail(about, said, "end the record with -all or ~all")
    return ok(about, f"{domain} has a record")


def about_dmarc(domain: str, signs_as: str, resolver: Resolver) -> Finding:
    """Whether the policy that stands lets pass what we sign."""
    about = "dmarc"
    for place in _walk(domain):
        published = resolver(f"_dmarc.{place}")
        if published is None:
            return warn(about, f"{domain}: no resolver answers", "look again when online")
        found = [tags for one in published if (tags := _tags(one)).get("v") == "DMARC1"]
        if len(found) > 1:
            said = f"_dmarc.{place} has {len(found)} records, which counts as none"
            return fail(about, said, "make one of them")
        if found:
            return _about_policy(domain, signs_as, place, found[0])
    fix = f'publish TXT _dmarc.{domain} "v=DMARC1; p=none", and p=quarantine once all is well'
    return warn(about, f"{domain} has no policy: large mailbox providers want one", fix)


def _walk(domain: str) -> Iterator[str]:
    """The name, then those above it, as section 4.10 has it; never a last label alone."""
    labels = domain.split(".")
    if len(labels) > _LABELS:
        yield domain
        labels = labels[1 - _LABELS :]
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])


def _tags(record: str) -> dict[str, str]:
    pairs = (one.partition("=") for one in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def _about_policy(domain: str, signs_as: str, place: str, tags: dict[str, str]) -> Finding:
    about, policy = "dmarc", tags.get("p", "none").lower()
    if policy not in _POLICIES:
        said = f"_dmarc.{place} has p={policy}, which is none of {', '.join(_POLICIES)}"
        return fail(about, said, "mend p=")
    if not _aligned(domain, signs_as, strictly=tags.get("adkim", "r").lower() == "s"):
        said = f"mails from {domain} are signed by {signs_as}, which does not count for it"
        return fail(about, said, "set dkim_domain of that sender to the domain of its from_address")
    if gone := [name for name in _GONE if name in tags]:
        said = f"_dmarc.{place} has {', '.join(gone)}, which RFC 9989 has no more"
        return warn(about, said, "take that out")
    return ok(about, f"{domain} has p={policy}, and our signatures count for it")


def _aligned(domain: str, signs_as: str, *, strictly: bool) -> bool:
    """Under one roof, as far as that is told without the roof: one is, or is above, the other."""
    if strictly or domain == signs_as:
        return domain == signs_as
    return domain.endswith(f".{signs_as}") or signs_as.endswith(f".{domain}")
