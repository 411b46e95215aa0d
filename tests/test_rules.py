"""House rules that no tool knows."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.watch.logs import ALLOWED
from tests.support import house

ROOT = Path(__file__).parents[1]
PACKAGES = ("storage", "audit", "consent", "delivery", "gateway")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
PURE = [
    "audit/canonical.py",
    "audit/entry.py",
    "audit/checkpoints.py",
    "audit/gaps.py",
    "audit/succession.py",
    "audit/tree.py",
    "consent/acknowledging.py",
    "consent/coverage.py",
    "consent/deadlines.py",
    "consent/evidence.py",
    "consent/mail_evidence.py",
    "consent/frequency_cap.py",
    "consent/held_evidence.py",
    "consent/keys/blind.py",
    "consent/honesty.py",
    "consent/link_meter.py",
    "consent/model.py",
    "consent/moving.py",
    "consent/policy.py",
    "consent/re_permission.py",
    "consent/retention.py",
    "consent/rights.py",
    "consent/keys/seal.py",
    "consent/sign_ups.py",
    "consent/stop_proofs.py",
    "consent/stored.py",
    "consent/subject_evidence.py",
    "consent/tokens.py",
    "delivery/alterations.py",
    "delivery/authorship.py",
    "delivery/blemishes.py",
    "delivery/folding.py",
    "delivery/handed_in.py",
    "delivery/hand.py",
    "delivery/hidden.py",
    "delivery/lanes.py",
    "delivery/mime.py",
    "delivery/outcome.py",
    "delivery/remaking.py",
    "delivery/schedule.py",
    "delivery/fitting.py",
    "delivery/plan.py",
    "delivery/sharing.py",
    "delivery/template_language.py",
    "delivery/template_source.py",
    "delivery/transfer.py",
    "gateway/config/advertising.py",
    "gateway/config/countries.py",
    "delivery/relaxed.py",
    "delivery/signatures.py",
    "gateway/flows/breaches/readable.py",
    "gateway/flows/restoring/signs.py",
    "gateway/oidc/handshake.py",
    "gateway/oidc/id_token.py",
    "gateway/oidc/metadata.py",
    "gateway/flows/sending/pacing.py",
    "gateway/look/claims.py",
    "gateway/look/measures.py",
    "storage/domains.py",
]

# Limits of the house; `python -m tests.support.house` shows where it stands. Never raise one.
MODULES_AT_THE_TOP = 5  # of gateway/; __init__ and __main__ are no place to put things
LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 52
TAKING_PARTS = 40  # functions that are handed everything that a process has


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("name", PURE)
def test_decisions_do_no_io(name: str) -> None:
    roots = {module.split(".")[0] for module in imports(ROOT / name)}

    assert not roots & {"aiohttp", "aiosmtplib", "sqlalchemy", "asyncio", "socket", "os", "time"}


def names_from(path: Path, module: str) -> set[str]:
    """What a file imports by name from *module*."""
    found = (
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
    )
    return {one.name for node in found if node.module == module for one in node.names}


def test_only_the_smtp_module_knows_aiosmtplib() -> None:
    knowing = [path for path in SOURCES if "aiosmtplib" in set(imports(path))]

    assert [path.relative_to(ROOT).as_posix() for path in knowing] == ["delivery/smtp.py"]


def test_only_the_grammar_of_domains_knows_idna() -> None:
    """Two readings of `straße.example` are two domains: mail signed by one, sent from another."""
    knowing = [
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if "idna" in set(imports(path)) or re.search(r"code\([\"']idna", path.read_text())
    ]

    assert knowing == ["storage/domains.py"]


def test_only_the_worker_transmits() -> None:
    others = [path for path in SOURCES if path.name != "transmission.py"]
    transmitting = [
        path for path in others if "transmit" in names_from(path, "delivery.transmission")
    ]
    whole = [path for path in others if "transmission" in names_from(path, "delivery")]

    assert [path.relative_to(ROOT).as_posix() for path in transmitting] == ["delivery/worker.py"]
    assert whole == []


def facts_of_log_lines(path: Path) -> Iterator[str]:
    """The names of what a file's log lines say, besides the event."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if re.fullmatch(r"log\.(debug|info|warning|error)|logs\.(event|failed)", called):
            yield from (one.arg for one in node.keywords if one.arg is not None)


def test_the_log_lets_through_what_is_written_and_nothing_more() -> None:
    written = {name for path in SOURCES for name in facts_of_log_lines(path)}
    of_the_log = set(facts_of_log_lines(ROOT / "gateway/watch/logs.py"))
    by_every_line = {"event", "level", "at", "logger", "error", "place"}
    by_the_access_log = {"route", "method", "status", "bytes", "seconds"}

    assert of_the_log == set()
    assert written | by_every_line | by_the_access_log == ALLOWED


# How often each file compares what a stranger may guess, always by `compare_digest`.
GUESSABLE = {
    "audit/rowmac.py": 2,  # the MAC of an entry, staged and sequenced
    "consent/signed.py": 2,  # of a consent, and of what ties a token to it
    "consent/keys/seal.py": 1,  # the commitment of a sealed value
    "gateway/people/sessions.py": 1,  # the token of a session's form
    "gateway/desk/defending.py": 1,  # likewise, of a form with a file
    "gateway/callers/idempotency.py": 2,
    "gateway/oidc/handshake.py": 1,  # which browser an answer is for
    "gateway/oidc/id_token.py": 1,  # the nonce
    "storage/honesty.py": 1,  # the MAC of a row
    "storage/secret.py": 1,
}


def plain_comparisons(path: Path) -> Iterator[str]:
    """Where Python itself compares what a stranger may guess; a database looks up by hashes."""
    secret = re.compile(r"(mac|token_hash|id_hash|fingerprint|signature)(\.hex\(\))?$")
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Compare) or ".c." in ast.unparse(node):
            continue
        compared = [ast.unparse(one) for one in (node.left, *node.comparators)]
        if isinstance(node.ops[0], ast.Eq | ast.NotEq) and any(map(secret.search, compared)):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def calls_of(path: Path, name: str) -> int:
    called = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return sum(ast.unparse(one.func).rpartition(".")[2] == name for one in called)


def test_what_a_stranger_may_guess_is_compared_in_constant_time() -> None:
    counted = {
        path.relative_to(ROOT).as_posix(): calls_of(path, "compare_digest") for path in SOURCES
    }

    assert [place for path in SOURCES for place in plain_comparisons(path)] == []
    assert {name: count for name, count in counted.items() if count} == GUESSABLE


# A name for a moment, where somebody may write a number as "long ago".
MOMENT = re.compile(r"(^|_)(at|ago|since|until|last|begun|began|fetched|deadline|oldest|newest)$")
READS = {"monotonic", "perf_counter", "clock_gettime", "elapsed", "time"}


def moments_given_as_numbers(source: str) -> Iterator[int]:
    """Lines of a module with a running clock where a moment begins as a number of our own."""
    nodes = list(ast.walk(ast.parse(source)))
    called = {ast.unparse(n.func).rpartition(".")[2] for n in nodes if isinstance(n, ast.Call)}
    named = {ast.unparse(n).rpartition(".")[2] for n in nodes if isinstance(n, ast.expr)}
    if not READS & called and "monotonic" not in named:
        return
    for node in nodes:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        is_number = isinstance(node.value, ast.UnaryOp) or (
            isinstance(node.value, ast.Constant) and isinstance(node.value.value, int | float)
        )
        if is_number and any(MOMENT.search(ast.unparse(one)) for one in targets):
            yield node.lineno


def test_no_moment_of_a_clock_begins_as_a_number() -> None:
    """A running clock begins when the machine does: 0.0, or less, may be a moment ago.

    None says "never", and `float("-inf")` is longer ago than anything.
    """
    tests = sorted((ROOT / "tests").rglob("*.py"))
    found = {
        path.relative_to(ROOT).as_posix(): list(moments_given_as_numbers(path.read_text()))
        for path in [*SOURCES, *tests]
    }

    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("first", ["0.0", "-FRESH", "-5.0", "0"])
def test_a_moment_that_begins_as_a_number_would_be_noticed(first: str) -> None:
    reads = f"self._read_at: float = {first}\nage = time.monotonic() - self._read_at\n"

    assert list(moments_given_as_numbers(reads)) == [1]
    assert list(moments_given_as_numbers(reads.replace(first, "None", 1))) == []


# A group that is repeated possessively, or atomic.
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")


def test_only_single_characters_are_repeated_possessively() -> None:
    """Python before 3.11.5, as Debian 12 has it, matches such groups wrongly (gh-106052).

    A sender's style sheet was let out of its frame so.
    """
    verifier = ROOT / "templates/bundle/verify_audit.py"
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*SOURCES, verifier]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if POSSESSIVE_GROUP.search(line)
    ]

    assert found == []


def test_files_are_written_durably_in_one_place() -> None:
    syncing = [path for path in SOURCES if calls_of(path, "fsync")]

    assert [path.relative_to(ROOT).as_posix() for path in syncing] == ["storage/files.py"]


def gives_a_state(call: ast.Call) -> bool:
    return ast.unparse(call.func) == "replace" and any(one.arg == "state" for one in call.keywords)


def test_only_changes_gives_a_consent_its_next_state() -> None:
    """Elsewhere a row could get a state that no event in the log tells of."""
    changing = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (gives_a_state(node) or ast.unparse(node.func) == "Consent")
    }

    # `consents.py` makes them of rows; gates, erasures, epochs, keys and campaigns have states of
    # their own.
    others = {"consent/consents.py", "consent/gates.py", "consent/erasures.py"}
    others |= {"consent/keys/epochs.py", "consent/keys/sets.py", "consent/keys/set_phases.py"}
    others |= {"delivery/campaigns.py", "gateway/flows/restoring/campaigns.py"}
    others |= {f"gateway/flows/campaigning/{name}.py" for name in ("expansion", "steering")}
    assert changing == {"consent/changes.py", *others}


def ordered_names(path: Path) -> Iterator[int]:
    """Lines that ask which ids come behind another one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt | ast.GtE | ast.Lt):
            named = [ast.unparse(one) for one in (node.left, *node.comparators)]
            if any(re.search(r"\.c\.(id|subject|hash|message|token_hash)$", one) for one in named):
                yield node.lineno


def test_pages_by_name_are_made_in_one_place() -> None:
    """Of a name that is no text another one is read, and the walk behind that never ends."""
    found = {path.relative_to(ROOT).as_posix(): [*ordered_names(path)] for path in SOURCES}

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_every_exception_that_is_silenced_names_its_rule() -> None:
    bare = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[))")
    found = [path for path in SOURCES if bare.search(path.read_text())]

    assert found == []


HANDLERS = [
    path for door in ("api", "people", "desk") for path in (ROOT / "gateway" / door).glob("*.py")
]


def test_no_name_of_a_module_means_two_things() -> None:
    """The later one would silently stand where the first was meant."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    twice = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*SOURCES, *tests)
        for name, count in Counter(given_by(path)).items()
        if count > 1
    }

    assert twice == set()


def given_by(path: Path) -> Iterator[str]:
    """What a module defines at its top."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (one.id for one in targets if isinstance(one, ast.Name))


def test_handlers_write_no_sql() -> None:
    for path in HANDLERS:
        assert "sqlalchemy" not in {module.split(".")[0] for module in imports(path)}, path


def test_handlers_open_no_transaction() -> None:
    opens = re.compile(r"\.(data|key_database|guard)\.(read|begin)\(")

    assert [path.name for path in HANDLERS if opens.search(path.read_text())] == []


def test_addresses_in_the_project_are_reserved_ones() -> None:
    """Invented people live at reserved domains (RFC 2606)."""
    address = re.compile(r"[A-Za-z0-9._+-]+@([A-Za-z0-9-]+\.)+([A-Za-z]{2,})")
    allowed = {"example", "test", "invalid", "localhost"}
    for path in [*SOURCES, *sorted((ROOT / "docs").rglob("*.md"))]:
        for found in address.finditer(path.read_text()):
            host = found[0].rpartition("@")[2].split(".")
            reserved = host[-1] in allowed or host[-2:-1] == ["example"]
            assert reserved, f"{path}: {found[0]}"


@pytest.fixture(scope="module")
def measured() -> house.House:
    return house.measure(ROOT)


def test_pictures_are_in_few_colours() -> None:
    """As `tests/support/pictures.py` makes them: else each clone fetches thrice as much."""
    palette = 3  # the colour type of a PNG (RFC 2083, section 4.1.1)
    pictures = [*(ROOT / "docs/screenshots").glob("*.png")]

    assert pictures
    assert [one.name for one in pictures if one.read_bytes()[25] != palette] == []


def test_what_belongs_together_stands_in_a_folder(measured: house.House) -> None:
    assert len(measured.at_the_top) <= MODULES_AT_THE_TOP, measured.at_the_top


def test_a_file_is_read_in_one_sitting(measured: house.House) -> None:
    assert [str(one) for one in measured.files if one.lines > LINES_OF_A_FILE] == []


def test_a_function_is_one_thought(measured: house.House) -> None:
    assert [str(one) for one in measured.functions if one.lines > LINES_OF_A_FUNCTION] == []


def test_signatures_say_what_may_be_touched(measured: house.House) -> None:
    """A function takes what it needs: then nobody has to read it to know what it cannot do."""
    assert len(measured.taking_parts) <= TAKING_PARTS, measured.taking_parts


DECLARING = {"errors", "tables"}  # modules of such a name say what there is, and do nothing
LINES_WITHOUT_A_TEST = 80  # shorter ones are tested with what uses them

# Longer modules that no test is named after: one step of something that only shows as a whole.
TESTED_FROM_OUTSIDE = {
    "consent/audience.py": "contract/test_campaigns.py",
    "consent/shares.py": "attacks/test_asked_while_erased.py",
    "delivery/campaigns.py": "contract/test_campaigns.py",
    "gateway/flows/leaving/asked_there.py": "attacks/test_asked_elsewhere.py",
    "gateway/flows/leaving/same_mailbox.py": "attacks/test_spellings_under_newer_keys.py",
    "gateway/api/campaigns.py": "contract/test_campaigns.py",
    "gateway/flows/proving/campaigns.py": "contract/test_campaigns.py",
    "consent/keys/content_keys.py": "contract/test_campaigns.py",
    "delivery/campaign_mails.py": "contract/test_campaigns.py",
    "delivery/changing.py": "contract/test_campaigns.py",
    "delivery/tally.py": "contract/test_campaigns.py",
    "gateway/flows/campaigning/expansion.py": "contract/test_campaigns.py",
    "gateway/flows/campaigning/launch.py": "contract/test_campaigns.py",
    "gateway/flows/campaigning/reach.py": "contract/test_campaigns.py",
    "gateway/flows/campaigning/standing.py": "contract/test_campaigns.py",
    "gateway/flows/campaigning/steering.py": "contract/test_campaigns.py",
    "audit/within.py": "contract/test_defend.py",
    "gateway/desk/acts.py": "http/test_dpo.py",
    "gateway/desk/case_pages.py": "http/test_dpo_cases.py",
    "gateway/desk/log_pages.py": "http/test_dpo_log.py",
    "gateway/desk/taking_out.py": "http/test_dpo_exports.py",
    "gateway/callers/desk_exports.py": "http/test_dpo_exports.py",
    "gateway/flows/desk/fetching.py": "http/test_dpo_exports.py",
    "gateway/flows/desk/making.py": "http/test_dpo_exports.py",
    "gateway/desk/sent.py": "http/test_dpo_sent.py",
    "delivery/listing.py": "http/test_dpo_sent.py",
    "gateway/desk/defending.py": "http/test_dpo_defence.py",
    "gateway/flows/breaches/assessing.py": "http/test_dpo_breach.py",
    "gateway/http/breach_papers.py": "http/test_dpo_breach.py",
    "audit/takers.py": "http/test_dpo_breach.py",
    "gateway/desk/entrance.py": "http/test_dpo.py",
    "gateway/desk/questions.py": "http/test_dpo.py",
    "gateway/desk/people.py": "http/test_dpo.py",
    "gateway/desk/seated.py": "http/test_dpo.py",
    "gateway/desk/sessions.py": "http/test_dpo.py",
    "gateway/desk/story.py": "http/test_dpo.py",
    "gateway/flows/desk/sign_in.py": "http/test_dpo.py",
    "gateway/flows/desk/sitting.py": "http/test_dpo.py",
    "gateway/callers/operators.py": "contract/test_staff.py",
    "gateway/callers/visits.py": "contract/test_staff.py",
    "gateway/flows/proving/desk_rows.py": "attacks/test_planted_operators.py",
    "delivery/own_templates.py": "unit/test_template_files.py",
    "gateway/flows/sending/content_check.py": "http/test_contents.py",
    "delivery/alterations.py": "unit/test_authorship.py",
    "delivery/handed_in.py": "unit/test_authorship.py",
    "delivery/signatures.py": "unit/test_authorship.py",
    "gateway/api/defences.py": "contract/test_defend.py",
    "gateway/cli/defending.py": "contract/test_defend.py",
    "gateway/flows/proving/defence_bundle.py": "contract/test_defend.py",
    "gateway/flows/proving/mail_trail.py": "contract/test_defend.py",
    "gateway/api/evidence.py": "http/test_evidence_forms.py",
    "gateway/http/defences.py": "contract/test_defend.py",
    "gateway/http/defence_forms.py": "contract/test_defend.py",
    "gateway/http/defence_words.py": "contract/test_defend.py",
    "audit/roll.py": "contract/test_takings_away.py",
    "consent/keys/nodes.py": "attacks/test_rotations_held_up.py",
    "consent/keys/verified.py": "attacks/test_rotations_held_up.py",
    "consent/feed.py": "attacks/test_planted_news.py",
    "gateway/flows/proving/exports.py": "http/test_api_exports.py",
    "gateway/flows/proving/consent_bundle.py": "http/test_evidence_forms.py",
    "gateway/http/evidences.py": "contract/test_consent_evidence.py",
    "gateway/http/evidence_linked.py": "http/test_evidence_forms.py",
    "gateway/cli/evidencing.py": "promises/test_every_consent_can_be_proven.py",
    "gateway/flows/proving/certificate.py": "contract/test_cli_erase.py",
    "gateway/http/certificates.py": "contract/test_telling.py",
    "consent/address_links.py": "http/test_people_rectify.py",
    "consent/changes.py": "contract/test_intake.py",
    "gateway/flows/rights/address_mails.py": "http/test_people_rectify.py",
    "gateway/flows/rights/lifted.py": "http/test_people_lifted.py",
    "gateway/flows/rights/lifted_links.py": "http/test_people_lifted.py",
    "gateway/flows/rights/move.py": "http/test_people_rectify.py",
    "gateway/flows/rights/rectify.py": "http/test_people_rectify.py",
    "gateway/flows/keeping/proofs.py": "promises/test_nothing_is_kept_longer.py",
    "audit/histories.py": "unit/test_history.py",
    "gateway/flows/joining/answering.py": "http/test_confirmations.py",
    "gateway/flows/leaving/acknowledging.py": "promises/test_withdrawal_is_told.py",
    "audit/forgetting.py": "promises/test_nothing_is_kept_longer.py",
    "audit/check.py": "contract/test_audit_verify.py",  # its checks, row by row
    "audit/export/columns.py": "contract/test_export_forms.py",
    "audit/export/people.py": "contract/test_export_forms.py",
    "audit/export/records.py": "contract/test_export_forms.py",
    "gateway/look/event_words.py": "http/test_audit_paper.py",
    "gateway/http/fact_words.py": "unit/test_code_words.py",
    "audit/export/selection.py": "contract/test_bundle.py",
    "audit/export/workbook.py": "unit/test_sheets.py",
    "gateway/flows/proving/reports.py": "http/test_audit_paper.py",
    "audit/export/disclosed.py": "contract/test_bundle.py",
    "audit/export/jsonl.py": "contract/test_audit_verify.py",  # on the same altered logs
    "audit/export/spans.py": "contract/test_bundle.py",
    "audit/export/zipping.py": "contract/test_bundle.py",
    "audit/kinds.py": "unit/test_audit_document.py",
    "audit/losses.py": "contract/test_audit_verify.py",
    "audit/nodes.py": "contract/test_proof.py",
    "audit/strays.py": "attacks/test_swollen_erasures.py",
    "audit/report.py": "contract/test_audit_verify.py",
    "audit/numbers.py": "contract/test_log.py",
    "audit/openings.py": "contract/test_audit_verify.py",
    "audit/published.py": "contract/test_successor.py",
    "gateway/cli/set_rotating.py": "contract/test_keys.py",
    "gateway/cli/putting.py": "faults/test_restored_from.py",
    "gateway/flows/restoring/brought_back.py": "promises/test_restore.py",
    "gateway/flows/restoring/older.py": "promises/test_restore.py",
    "gateway/flows/restoring/replay.py": "promises/test_restore.py",
    "gateway/flows/restoring/restoration.py": "promises/test_restore.py",
    "consent/consents.py": "attacks/test_rows_of_permission.py",
    "consent/erasures.py": "promises/test_erased_is_erased.py",
    "consent/external_ids.py": "contract/test_following.py",
    "consent/facts.py": "unit/test_policy.py",  # what decisions are made from
    "consent/fresh_links.py": "contract/test_fresh_link.py",
    "consent/holds.py": "contract/test_holds.py",
    "consent/links.py": "http/test_recipients.py",
    "consent/keys/epochs.py": "contract/test_rotation.py",
    "consent/keys/rewrap.py": "contract/test_rotation.py",
    "consent/reindex.py": "contract/test_reindexing.py",
    "consent/keys/sets.py": "contract/test_set_rotation.py",
    "consent/marks.py": "attacks/test_left_before.py",
    "consent/keys/own_sessions.py": "attacks/test_pages_put_back.py",
    "consent/model.py": "unit/test_policy.py",  # words that only decisions give a meaning
    "consent/people.py": "promises/test_nothing_is_kept_longer.py",
    "consent/rights_requests.py": "contract/test_rights_requests.py",
    "consent/subject_evidence.py": "unit/test_evidence.py",
    "consent/stored.py": "unit/test_evidence.py",
    "consent/suppressions.py": "promises/test_it_is_no_weapon.py",
    "consent/taken_away.py": "contract/test_takings_away.py",
    "consent/telling_tables.py": "contract/test_telling.py",
    "consent/trail.py": "unit/test_changes.py",
    "delivery/due.py": "contract/test_claim.py",
    "delivery/account.py": "attacks/test_every_table.py",
    "delivery/attempts.py": "contract/test_lock_protocol.py",
    "delivery/desk.py": "smtp/test_worker.py",  # what a worker asks of its desk
    "delivery/dialogue.py": "smtp/test_transmission.py",
    "delivery/leases.py": "contract/test_lock_protocol.py",
    "delivery/outbox.py": "contract/test_lock_protocol.py",
    "delivery/own_messages.py": "http/test_message_list.py",
    "gateway/backups/age.py": "unit/test_stream.py",
    "gateway/backups/folders.py": "contract/test_backup.py",
    "gateway/backups/taking.py": "contract/test_putting_back.py",
    "gateway/api/cases.py": "contract/test_locked_evidence.py",
    "gateway/api/changes.py": "contract/test_following.py",
    "gateway/cli/__init__.py": "contract/test_commands.py",
    "gateway/cli/audit.py": "promises/test_log_cannot_lie.py",
    "gateway/cli/drill.py": "contract/test_drill.py",
    "gateway/cli/rotating.py": "contract/test_keys.py",
    "gateway/cli/run.py": "http/test_operations.py",
    "gateway/demo/demo.py": "http/test_landing.py",
    "gateway/cli/cases.py": "contract/test_cli_erase.py",
    "gateway/config/contradictions.py": "unit/test_config.py",
    "gateway/config/fields.py": "unit/test_config.py",
    "gateway/flows/bad_rows.py": "attacks/test_poison.py",
    "gateway/flows/joining/asking.py": "contract/test_ask_anew.py",
    "gateway/flows/joining/asking_limits.py": "promises/test_it_is_no_weapon.py",
    "gateway/flows/joining/confirm.py": "http/test_recipients.py",
    "gateway/flows/proving/messages.py": "attacks/test_every_table.py",
    "gateway/flows/proving/people.py": "attacks/test_every_table.py",
    "gateway/flows/keeping/retention.py": "promises/test_nothing_is_kept_longer.py",
    "gateway/flows/leaving/preferences.py": "http/test_recipients.py",
    "gateway/flows/leaving/stop.py": "attacks/test_service_mails.py",
    "gateway/flows/leaving/withdraw.py": "promises/test_withdrawal_is_final.py",
    "gateway/flows/proving/witnessing.py": "promises/test_witnesses.py",
    "gateway/flows/proving/verify.py": "promises/test_log_cannot_lie.py",
    "gateway/api/rights_requests.py": "contract/test_rights_requests.py",
    "gateway/flows/rights/erase.py": "promises/test_erased_is_erased.py",
    "gateway/flows/rights/holds.py": "contract/test_holds.py",
    "gateway/flows/proving/takings.py": "contract/test_takings_away.py",
    "gateway/flows/rights/overview.py": "http/test_my_data.py",
    "gateway/flows/rights/stops.py": "http/test_people_rights.py",
    "gateway/flows/rights/erasing.py": "promises/test_nothing_is_kept_longer.py",
    "gateway/flows/sending/enqueue.py": "http/test_group_commit.py",
    "gateway/flows/sending/bad_messages.py": "attacks/test_poison.py",
    "gateway/flows/sending/messages.py": "http/test_message_list.py",
    "gateway/flows/sending/permission.py": "attacks/test_unseen_looks.py",
    "gateway/flows/sending/recover.py": "promises/test_accepted_is_kept.py",
    "gateway/flows/sending/settle.py": "contract/test_lock_protocol.py",
    "gateway/http/fields.py": "unit/test_api_messages.py",
    "gateway/http/openings.py": "contract/test_locked_evidence.py",
    "gateway/http/parsing.py": "http/test_frame.py",
    "gateway/keyfiles/dkim_keys.py": "contract/test_commands.py",
    "gateway/keyfiles/key_files.py": "unit/test_keyring.py",
    "gateway/config/secrets.py": "unit/test_config.py",
    "gateway/people/sessions.py": "http/test_my_data.py",
    "gateway/process/adoption.py": "faults/test_stored_lives.py",
    "gateway/process/drill.py": "contract/test_drill.py",
    "gateway/process/lifespan.py": "faults/test_start.py",
    "gateway/process/nightly.py": "contract/test_audit_verified.py",
    "gateway/process/processes.py": "faults/test_drain.py",
    "gateway/process/routes.py": "http/test_openapi.py",
    "audit/mailed.py": "promises/test_checkpoint_mails.py",
    "gateway/watch/running.py": "http/test_live_papers.py",
    "gateway/watch/posted.py": "promises/test_checkpoint_mails.py",
    "gateway/watch/about_keys.py": "contract/test_keys.py",
    "gateway/watch/metrics.py": "http/test_frame.py",
    "gateway/watch/overview.py": "contract/test_status.py",
    "gateway/watch/stuck.py": "attacks/test_poison.py",
    "gateway/watch/webhooks.py": "contract/test_telling.py",
    "delivery/past.py": "contract/test_dossier.py",
    "gateway/api/erasures.py": "http/test_certificate_paper.py",
    "gateway/flows/rights/handing_out.py": "http/test_export.py",
    "gateway/flows/rights/pace.py": "http/test_people_pace.py",
    "gateway/flows/rights/past_mails.py": "contract/test_dossier.py",
    "gateway/http/dossier_paper.py": "http/test_export.py",
    "gateway/http/webhooks.py": "unit/test_webhooks.py",
    "gateway/process/app.py": "http/test_openapi.py",
    "storage/bad_rows.py": "attacks/test_poison.py",
    "storage/locks.py": "contract/test_lock_protocol.py",
    "storage/signed.py": "attacks/test_planted_rows.py",
    "storage/types.py": "contract/test_database.py",
}


def names_of_its_test(module: str, stems: Sequence[str]) -> set[str]:
    """`test_x_z.py` or `test_y_z.py` for `x/y/z.py`, or `test_z.py` where no other is called z."""
    *folders, stem = module.removesuffix(".py").split("/")
    alone = {f"test_{stem}.py"} if stems.count(stem) == 1 else set()
    return alone | {f"test_{folder}_{stem}.py" for folder in folders}


def test_the_test_of_a_module_is_found_by_its_name() -> None:
    """Whoever changes a module must not have to search for what holds it."""
    long = {
        path.relative_to(ROOT).as_posix(): path.stem
        for path in SOURCES
        if "migrations" not in path.parts and path.stem not in DECLARING
        if path.read_text().count("\n") > LINES_WITHOUT_A_TEST
    }
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    nameless = {one for one in long if not names_of_its_test(one, [*long.values()]) & tests}

    assert nameless == TESTED_FROM_OUTSIDE.keys()
    assert all((ROOT / "tests" / one).exists() for one in TESTED_FROM_OUTSIDE.values())
