"""`gateway doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.talk import configuration, result, result_json, run

if TYPE_CHECKING:
    from gateway.watch.examination import Finding

_PATIENCE = 3.0  # seconds for one DNS question


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
) -> None:
    """Look at everything that this machine can see, and say what to fix; exits 1 on a failure."""
    from gateway.watch.examination import Level

    found = _examine(context)
    if as_json:
        result_json([_row(one) for one in found])
    else:
        _tell(found)
    if any(one.level is Level.FAIL for one in found):
        raise typer.Exit(1)


def _examine(context: typer.Context) -> Sequence[Finding]:
    from gateway.errors import ConfigError
    from gateway.watch import examination

    try:
        config = configuration(context)
    except ConfigError as error:
        fix = "mend it in the configuration; config.toml explains each key"
        return [examination.fail("configuration", one, fix) for one in error.problems]
    return run(examination.examine(config, txt_records))


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
    return [b"".join(one.strings).decode("ascii", "replace") for one in answer]


def _tell(found: Sequence[Finding]) -> None:
    width = max(len(one.about) for one in found)
    for one in found:
        result(f"{one.level:<4}  {one.about:<{width}}  {one.text}")
        if one.fix:
            result(f"{'':4}  {'':{width}}  → {one.fix}")


def _row(one: Finding) -> dict[str, str]:
    return {"level": one.level, "about": one.about, "text": one.text, "fix": one.fix}
