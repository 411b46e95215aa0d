"""The command `gateway`, and `python -m gateway`.

Ctrl-C counts from here on: reading the commands takes part of a second, and its traceback
would be the answer to whoever pressed it meanwhile.
"""

import gc
import sys

_INTERRUPTED = 130  # as shells say it: 128 and the number of SIGINT
# What is read at a start stays. To look for garbage in it after each 700 objects, as Python does
# by itself, was a fifth of the start.
_SELDOM = 10_000


def main() -> None:
    """Run one command and exit; interrupted at any moment, with 130 and without a traceback."""
    gc.set_threshold(_SELDOM)
    try:
        from gateway import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
