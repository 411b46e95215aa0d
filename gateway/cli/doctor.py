"""`gateway doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.talk import configuration, result, result_json, run
from gateway.cli.typed import address_of_stdin

if TYPE_CHECKING:
    from consent.address import Address
    from gateway.watch.findings import Finding

_PATIENCE = 3.0  # seconds for one DNS question


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also send a mail to an operator's mailbox, whose address is on stdin.",
        ),
    ] = False,
) -> None:
    """Look at everything that this machine can see, and say what to fix; exits 1 on a failure.

    With --probe a mail goes the way of every mail: permit, log, signature, worker. Waits up to
    a minute for the relay's last word, and repeats it.
    """
    from gateway.watch.findings import Level

    email = address_of_stdin() if probe else None
    found = [*_examine(context), *_probed(context, email)]
    if as_json:
        result_json([_row(finding) for finding in found])
    else:
        _tell(found)
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)


def _examine(context: typer.Context) -> Sequence[Finding]:
    from gateway.errors import ConfigError
    from gateway.watch import examination, findings

    try:
        config = configuration(context)
    except ConfigError as error:
        fix = "mend it in the configuration, or what that names; config.toml explains each key"
        return [findings.fail("configuration", problem, fix) for problem in error.problems]
    return run(examination.examine(config, txt_records))


def _probed(context: typer.Context, email: Address | None) -> Sequence[Finding]:
    from gateway.cli.probing import probe
    from gateway.errors import ConfigError

    if email is None:
        return []
    try:
        return run(probe(configuration(context), email))
    except ConfigError:
        return []  # said already


def txt_records(name: str) -> Sequence[str] | None:
    """What DNS holds under *name*; None when no resolver answers."""
    import dns.exception
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError):
        return None
    return [b"".join(record.strings).decode("ascii", "replace") for record in answer]


def _tell(found: Sequence[Finding]) -> None:
    width = max(len(finding.about) for finding in found)
    for finding in found:
        result(f"{finding.level:<4}  {finding.about:<{width}}  {finding.text}")
        if finding.fix:
            result(f"{'':4}  {'':{width}}  → {finding.fix}")


def _row(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "about": finding.about,
        "text": finding.text,
        "fix": finding.fix,
    }
