"""`make bench`: every benchmark, or those that are named."""

from __future__ import annotations

import platform
import sys

from benchmarks import (
    bodies,
    bundles,
    campaigns,
    claims,
    defences,
    delivery,
    desk,
    exports,
    log,
    markup,
    questions,
    reindexing,
    rewrapping,
    sign_ups,
    signing,
)

ALL = {
    "signing": signing,
    "markup": markup,
    "log": log,
    "defences": defences,
    "delivery": delivery,
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


def main(names: list[str]) -> int:
    unknown = set(names) - ALL.keys()
    if unknown:
        sys.stderr.write(f"benchmarks are: {', '.join(ALL)}\n")
        return 2
    sys.stdout.write(f"{platform.machine()}, CPython {platform.python_version()}\n")
    for name in names or ALL:
        sys.stdout.write(f"\n{name}\n")
        ALL[name].run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
