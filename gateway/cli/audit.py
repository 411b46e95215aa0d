"""`gateway audit`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import evidencing, exporting
from gateway.cli.exporting import held_notes
from gateway.cli.talk import configuration, named, progress, read_file, result, result_json, run
from gateway.watch.numbers import counted

if TYPE_CHECKING:
    from audit.checkpoints import Verifier
    from audit.report import Report
    from audit.signers import Span
    from gateway.config.config import Config
    from gateway.flows.proving.verify import Verification

_WRITTEN = "give --bundle a file that `gateway audit export -o` wrote"
_LONGEST_LINE = 1 << 20  # of an export; a file without line ends must not fill the memory

app = typer.Typer(help="The audit log.", no_args_is_help=True)


_Bundle = Annotated[
    Path | None, typer.Option(help="An export to check offline, instead of the live log.")
]
_Checkpoint = Annotated[
    list[Path] | None,
    typer.Option(
        help="A checkpoint that you kept, or the mail that brought it; the log must continue"
        " it. Repeatable."
    ),
]
_Key = Annotated[
    list[str] | None,
    typer.Option(
        help="A public key (vkey) for a bundle; default: those of our own log, each as far as"
        " it counts. Repeatable, oldest first, for a log whose key was followed, and for witnesses."
    ),
]
_KeysFile = Annotated[
    Path | None,
    typer.Option(
        "--keys", help="Instead, your own file of such keys, as verify_audit.py takes it."
    ),
]
_Witnesses = Annotated[
    int | None,
    typer.Option(
        metavar="K",
        help="So many witnesses, of those whose keys you gave, must have signed one checkpoint"
        " of a bundle; default: it is said who did.",
    ),
]
_Newer = Annotated[
    bool,
    typer.Option(
        "--newer",
        help="Of the live log what came since the last verification; of what was there before"
        " its tree, and some entries.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="For a machine.")]


@app.command()
def verify(
    context: typer.Context,
    bundle: _Bundle = None,
    checkpoint: _Checkpoint = None,
    key: _Key = None,
    keys_file: _KeysFile = None,
    witnesses: _Witnesses = None,
    newer: _Newer = False,
    as_json: _Json = False,
) -> None:
    """Check that nothing in the log was altered, and say how much that is worth.

    On the live log also that every consent and every permit fits its event, and
    that a gateway wrote every row that grants something; it may run meanwhile, and
    remembers what came of it: where entries are not what was signed, nothing more is
    signed until this says ok, or `gateway audit recover` closed the log. The same runs
    by itself every night.
    Exits 1 and names the first bad index, or "cut off after n", when something
    is wrong.
    """
    _require_sense(bundle, key, keys_file, witnesses, newer=newer)
    held = held_notes(checkpoint)
    key = _all_keys(key, keys_file)
    if bundle is not None and not _has_lines(bundle):
        _verify_zip(context, bundle, key, held, witnesses, as_json=as_json)
        return
    if witnesses is not None or keys_file is not None:
        raise typer.BadParameter("are for a bundle (zip)", param_hint="--keys, --witnesses")
    if bundle is None:
        verdict = run(_verify_live(configuration(context), held, newer=newer))
        report, rows = verdict.report, verdict.rows
    else:
        report, rows = _verify_bundle(context, bundle, key, held), ()
    if as_json:
        result_json(_document(report, rows))
    else:
        _tell(report, rows)
    if not report.ok or rows:
        raise typer.Exit(1)


def _all_keys(key: list[str] | None, file: Path | None) -> list[str] | None:
    """Those that were given one by one, and the lines of a file."""
    if file is None:
        return key
    raw = read_file(file, "give --keys a file with a key on each line")
    return [*(key or ()), *raw.decode("utf-8", "replace").splitlines()]


def _require_sense(
    bundle: Path | None,
    key: list[str] | None,
    keys_file: Path | None,
    witnesses: int | None,
    *,
    newer: bool,
) -> None:
    if bundle is None and (keys_file is not None or witnesses is not None):
        raise typer.BadParameter("are for a --bundle", param_hint="--keys, --witnesses")
    if key and bundle is None:
        raise typer.BadParameter(
            "the live log has our own key: give a --bundle", param_hint="--key"
        )
    if newer and bundle is not None:
        raise typer.BadParameter("a bundle is checked whole", param_hint="--newer")


@app.command()
def keys(context: typer.Context) -> None:
    """Print the log's public keys (C2SP vkey lines), for whoever verifies elsewhere.

    Those that were closed, oldest first, and the one that works now, each with its keys one after
    the other. Above each stands from which size of the log until which it signs; one that was
    followed counts for nothing larger, so keep those lines with it. For an export the keys of
    the first log are enough: its successors have the same.
    """
    for line in _lines(run(_keys(configuration(context)))):
        result(line)


@app.command()
def recover(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
) -> None:
    """Close a log in which entries were altered or are missing, and open its successor.

    It is closed at the last entry before the first bad one, which is named. What stands
    behind that stays where it is, and proves nothing. Every process must be stopped; killed
    anywhere, run it again. Find out first who did it: `gateway audit verify` says what.
    """
    from gateway.cli import recover as recovery

    recovery.recover(configuration(context), yes=yes)


app.command()(exporting.export)
app.command()(evidencing.evidence)


async def _verify_live(config: Config, held: Sequence[str], *, newer: bool) -> Verification:
    from gateway.flows.proving.remembering import Verifying
    from gateway.process.lifespan import open_parts

    async with open_parts(config) as parts:
        with progress("checking the log", None) as move:
            verifying = Verifying(parts)
            return await verifying.verify(held, lambda done, _: move(done), newer=newer)


def _verify_bundle(
    context: typer.Context, bundle: Path, keys: Sequence[str] | None, held: Sequence[str]
) -> Report:
    from audit.checkpoints import Verifier
    from audit.export.jsonl import check_jsonl

    verifier = Verifier(*keys) if keys else run(_own_verifier(configuration(context)))
    with named(bundle, "read", _WRITTEN), bundle.open("rb") as file:
        lines = iter(partial(file.readline, _LONGEST_LINE), b"")
        return check_jsonl(lines, verifier, held)


def _has_lines(bundle: Path) -> bool:
    """Whether it is an export as lines; what a file is that is neither, the zip's check says."""
    from gateway.look import verifying

    with named(bundle, "read", _WRITTEN), bundle.open("rb") as file:
        return verifying.has_lines(file)


def _verify_zip(
    context: typer.Context,
    bundle: Path,
    keys: Sequence[str] | None,
    held: Sequence[str],
    witnesses: int | None,
    *,
    as_json: bool,
) -> None:
    """By the file that lies in every bundle: whoever has it alone gets the same answer."""
    from gateway.look import verifying

    vkeys = "\n".join(keys or _lines(run(_keys(configuration(context)))))
    with named(bundle, "read", _WRITTEN), bundle.open("rb") as file:
        sound, said = verifying.check(file, vkeys, held, needed=witnesses, as_json=as_json)
    result(said)
    if not sound:
        raise typer.Exit(1)


async def _keys(config: Config) -> list[Span]:
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.read() as connection:
        await stores.signers.learn(connection, stores.log)
        generations = range(1, stores.log.generation + 1)
        return [span for one in generations for span in stores.signers.spans(one)]


async def _own_verifier(config: Config) -> Verifier:
    """It knows where each key was followed: an older one vouches for nothing behind that."""
    from gateway.cli.stores import open_stores

    async with open_stores(config) as stores, stores.data.read() as connection:
        await stores.signers.learn(connection, stores.log)
        return stores.signers.told


def _lines(spans: Sequence[Span]) -> Iterator[str]:
    """As a file of keys has them."""
    for span in spans:
        yield f"# from {span.start}" + ("" if span.end is None else f" until {span.end}")
        yield span.vkey


def _tell(report: Report, rows: Sequence[str]) -> None:
    from audit.report import Problem

    for gap in report.gaps:
        result(gap)
    if not report.whole:
        result("looked at: what came since the last verification, and some of what was before")
    if report.ok and not rows:
        result(f"ok: {counted(report.size, 'entry', 'entries')}; level: {report.level}")
        return
    if report.first_bad is not None:
        result(f"FAILED: first bad index {report.first_bad}")
    others = list(report.findings)
    if report.cut_off_after is not None:
        why = [one for one in others if one.problem is Problem.CUT_OFF][:1]
        others = [one for one in others if one not in why]
        result(": ".join([f"FAILED: cut off after {report.cut_off_after}", *(w.text for w in why)]))
    for finding in others[:20]:
        place = "" if finding.index is None else f" at index {finding.index}"
        result(f"  {finding.problem}{place}: {finding.text}")
    for row in rows[:20]:
        result(f"FAILED: {row}")


def _document(report: Report, rows: Sequence[str]) -> dict[str, object]:
    return {
        "ok": report.ok and not rows,
        "size": report.size,
        "level": report.level,
        "whole": report.whole,
        "gaps": list(report.gaps),
        "first_bad": report.first_bad,
        "cut_off_after": report.cut_off_after,
        "findings": [
            {"problem": finding.problem, "index": finding.index, "text": finding.text}
            for finding in report.findings
        ],
        "rows": list(rows),
    }
