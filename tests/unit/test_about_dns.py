"""SPF and DMARC as receivers would read them; DKIM records are in `test_examination.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.keyfiles.dkim_rotation import Resolver
from gateway.watch import about_dns
from gateway.watch.findings import Level
from tests.unit.test_examination import OWN_RELAY, RELAYED, config


@pytest.mark.parametrize(
    ("published", "level", "said"),
    [
        pytest.param(["v=spf1 include:relay.example -all", "x"], "ok", "has a record", id="one"),
        pytest.param([], "warn", "has no record", id="none"),
        pytest.param(["v=spf10 -all"], "warn", "has no record", id="another version"),
        pytest.param(["v=spf1 -all", "v=spf1 ~all"], "fail", "2 records", id="two"),
        pytest.param(["v=spf1 +all"], "fail", "lets everybody send", id="everybody"),
        pytest.param(["v=spf1 a all"], "fail", "lets everybody send", id="everybody, unsaid"),
        pytest.param(None, "warn", "no resolver answers", id="offline"),
    ],
)
def test_who_may_send_for_a_domain(published: Sequence[str] | None, level: str, said: str) -> None:
    found = about_dns.about_spf("acme.example", published)

    assert (found.level, said in found.text) == (level, True)
    assert bool(found.fix) is (level != "ok")


def answers(records: Mapping[str, Sequence[str]]) -> Resolver:
    return lambda name: records.get(name, [])


@pytest.mark.parametrize(
    ("records", "signs_as", "level", "said"),
    [
        pytest.param({"": "p=reject"}, "news.acme.example", "ok", "p=reject", id="its own"),
        pytest.param({"up": "p=none"}, "acme.example", "ok", "p=none", id="of the name above"),
        pytest.param({}, "news.acme.example", "warn", "has no policy", id="none"),
        pytest.param({"": "p=maybe"}, "news.acme.example", "fail", "p=maybe", id="no such policy"),
        pytest.param({"": "p=none"}, "relay.example", "fail", "signed by relay", id="not aligned"),
        pytest.param({"": "adkim=s"}, "acme.example", "fail", "signed by acme", id="strictly"),
        pytest.param({"": "p=none; pct=50"}, "acme.example", "warn", "pct", id="of RFC 7489"),
    ],
)
def test_what_receivers_do_with_mails_that_we_sign(
    records: Mapping[str, str], signs_as: str, level: str, said: str
) -> None:
    places = {"": "_dmarc.news.acme.example", "up": "_dmarc.acme.example"}
    dns = {places[where]: [f"v=DMARC1; {tags}"] for where, tags in records.items()}

    found = about_dns.about_dmarc("news.acme.example", signs_as, answers(dns))

    assert (found.level, said in found.text) == (level, True)
    assert bool(found.fix) is (level != "ok")


def test_two_policies_are_none_and_a_long_name_is_not_asked_for_at_every_label() -> None:
    asked: list[str] = []

    def resolver(name: str) -> Sequence[str]:
        asked.append(name)
        return []

    two = {"_dmarc.acme.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}
    assert about_dns.about_dmarc("acme.example", "acme.example", answers(two)).level is Level.FAIL

    about_dns.about_dmarc("a.b.c.d.e.f.g.h.i.acme.example", "acme.example", resolver)

    assert len(asked) == 7
    assert asked[0] == "_dmarc.a.b.c.d.e.f.g.h.i.acme.example"
    assert asked[-1] == "_dmarc.acme.example"


def test_the_local_inbox_asks_nobody(tmp_path: Path) -> None:
    def resolver(name: str) -> Sequence[str]:
        raise AssertionError(name)

    assert list(about_dns.about_policies(config(tmp_path), resolver)) == []
    given = config(tmp_path, RELAYED, OWN_RELAY)
    told = list(about_dns.about_policies(given, lambda name: None))
    assert [one.about for one in told] == ["spf", "dmarc"]
