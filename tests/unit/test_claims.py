from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import pytest

from gateway.config import config as configuration
from gateway.config.config import Config
from gateway.config.relays import relay_of
from gateway.errors import ConfigError
from gateway.look import resources
from gateway.look.claims import (
    CLAIMS,
    Capability,
    Marks,
    Statement,
    capabilities,
    statements,
    unfounded,
    without_marks,
)
from gateway.look.generated_notices import generate
from gateway.look.notices import notice, problems
from gateway.look.translations import languages

RELAY = ('transport = "inbox"    ', 'transport = "relay"    ')
OWN_RELAY = ('processor = "relay"', 'processor = "none"')
NO_LIMITS = ("enabled = true", "enabled = false")
NO_EVIDENCE = ('evidence_after_withdrawal = "3y"', 'evidence_after_withdrawal = "0d"')
# Each may be there or not, in any combination.
NOBODY_ANEW = ('suppress_after_erasure = "objection"', 'suppress_after_erasure = "always"')
ANYBODY_ANEW = (NOBODY_ANEW[0], 'suppress_after_erasure = "none"')
TOLD = ("# acknowledge = true", "acknowledge = true  #")
CHANGES = ((RELAY, OWN_RELAY), (NO_LIMITS,), (NO_EVIDENCE,), (NOBODY_ANEW,))
VARIANTS = [
    [pair for pairs, there in zip(CHANGES, chosen, strict=True) if there for pair in pairs]
    for chosen in product((False, True), repeat=len(CHANGES))
]


def configured(base: Path, *changes: tuple[str, str]) -> Config:
    raw = configuration.embedded_default()
    for old, new in changes:
        assert raw.count(old) == 1, old
        raw = raw.replace(old, new)
    return configuration.parse(raw, base=base)


def said(config: Config, locale: str = "en") -> dict[str, str]:
    return {one.claim: one.text for one in statements(generate(config, locale))}


@pytest.mark.parametrize("locale", languages())
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_the_built_in_notice_claims_what_the_gateway_does_and_all_of_it(
    changes: list[tuple[str, str]], locale: str, tmp_path: Path
) -> None:
    config = configured(tmp_path, *changes)
    able = capabilities(config)

    found = said(config, locale)

    assert problems(config) == []
    assert {CLAIMS[claim] for claim in found} == able
    assert "\x02" not in notice(config, locale)


def test_every_capability_is_there_under_some_configuration(tmp_path: Path) -> None:
    inbox, relay = configured(tmp_path), configured(tmp_path, RELAY, OWN_RELAY, NOBODY_ANEW)
    tells = configured(tmp_path, TOLD)

    able = capabilities(inbox) | capabilities(relay) | capabilities(tells)
    assert able == set(Capability) == set(CLAIMS.values())


@pytest.mark.parametrize(
    ("change", "gone", "instead"),
    [
        (NO_LIMITS, {"network_limited"}, set()),
        (NOBODY_ANEW, {"blocked_objection"}, {"blocked_erasure"}),
        (ANYBODY_ANEW, {"blocked_objection"}, set()),
        (NO_EVIDENCE, {"proof_after_end", "proof_kept", "proof_held", "locked"}, {"proof_ends"}),
        (TOLD, set(), {"withdrawal_told"}),
    ],
    ids=["no limits", "nobody is asked anew", "anybody is", "no evidence", "withdrawals told"],
)
def test_what_is_off_is_not_said(
    change: tuple[str, str], gone: set[str], instead: set[str], tmp_path: Path
) -> None:
    before, after = said(configured(tmp_path)), said(configured(tmp_path, change))

    assert before.keys() - after.keys() == gone
    assert after.keys() - before.keys() == instead


@pytest.mark.parametrize(
    ("changes", "where", "claim", "other"),
    [
        ([], ("127.0.0.1", 2525), "stays_here", "mailbox_provider"),
        ([RELAY, OWN_RELAY], ("127.0.0.1", 25), "mailbox_provider", "stays_here"),
    ],
    ids=["inbox", "relay"],
)
def test_mails_go_where_the_notice_says(
    changes: list[tuple[str, str]], where: tuple[str, int], claim: str, other: str, tmp_path: Path
) -> None:
    config = configured(tmp_path, *changes)

    there = relay_of(config)

    assert (there.host, there.port) == where
    assert claim in said(config)
    assert other not in said(config)


def test_a_claim_is_what_stands_behind_its_mark_up_to_the_next_or_the_line() -> None:
    claim = Marks()
    marked = (
        f"# Title\n- {claim['one']}First. {claim['two']}Second.\nNo claim.\n{claim['one']}Third."
    )

    found = list(statements(marked))

    assert found == [
        Statement("one", "First."),
        Statement("two", "Second."),
        Statement("one", "Third."),
    ]
    assert without_marks(marked) == "# Title\n- First. Second.\nNo claim.\nThird."


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        (
            "mailbox_provider",
            'says "X.", and as it is configured the gateway is none that hands mails to a relay',
        ),
        ("export_by_link", 'says "X.", and the gateway can do nothing by the name export_by_link'),
        ("proof", None),
    ],
)
def test_a_claim_without_its_capability_is_named(
    claim: str, problem: str | None, tmp_path: Path
) -> None:
    able = capabilities(configured(tmp_path))

    assert list(unfounded([Statement(claim, "X.")], able)) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{{ claim.mailbox_provider }}Your provider gets it.", "none that hands mails to a relay"),
        ("{{ claim.erase_by_link }}You erase it by link.", "by the name erase_by_link"),
    ],
    ids=["off", "does not exist"],
)
def test_a_notice_with_such_a_claim_is_published_by_nobody(
    line: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(resources.templates(), tmp_path / "templates")
    with (tmp_path / "templates/notice/de.md").open("a") as file:
        file.write(f"\n{line}\n")
    monkeypatch.setattr(resources, "templates", lambda: tmp_path / "templates")
    config = configured(tmp_path)

    with pytest.raises(ConfigError) as refused:
        notice(config, "de")

    assert problem in str(refused.value)
    assert refused.value.problems[0].startswith("controller.notice: ")
    assert problems(config) == list(refused.value.problems)
    assert notice(config, "en")
