"""The command `gateway`, and `python -m gateway`.

Ctrl-C counts from here on: reading the commands takes part of a second, and its traceback
would be the answer to whoever pressed it meanwhile.
"""

import sys

_INTERRUPTED = 130  # as shells say it: 128 and the number of SIGINT


def main() -> None:
    """Run one command and exit; interrupted at any moment, with 130 and without a traceback."""
    try:
        from gateway import cli

        cli.main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
