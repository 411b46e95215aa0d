"""`make bench`: every benchmark, or those that are named."""

from __future__ import annotations

import argparse
import platform
import sys

from benchmarks import (
    backlog,
    bodies,
    bundles,
    campaigns,
    claims,
    defences,
    desk,
    exports,
    log,
    markup,
    questions,
    reindexing,
    restart,
    rewrapping,
    sign_ups,
    signing,
)

ALL = {
    "signing": signing,
    "markup": markup,
    "log": log,
    "defences": defences,
    "backlog": backlog,
    "restart": restart,
    "campaigns": campaigns,
    "claims": claims,
    "sign-ups": sign_ups,
    "questions": questions,
    "bodies": bodies,
    "bundles": bundles,
    "exports": exports,
    "desk": desk,
    "rewrapping": rewrapping,
    "reindexing": reindexing,
}


def main(arguments: list[str] | None = None) -> int:
    wanted = argparse.ArgumentParser(prog="bench")
    wanted.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ALL))
    wanted.add_argument("--minutes", type=float, default=0, help="of `backlog`, at one pace")
    chosen = wanted.parse_args(arguments)
    if set(chosen.names) - ALL.keys():
        wanted.error(f"benchmarks are: {', '.join(ALL)}")
    sys.stdout.write(f"{platform.machine()}, CPython {platform.python_version()}\n")
    for name in chosen.names or ALL:
        sys.stdout.write(f"\n{name}\n")
        if name == "backlog":
            backlog.run(minutes=chosen.minutes)
        else:
            ALL[name].run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
