"""`neuronal` and `python -m neuronal`: the command line, which Ctrl-C ends in peace from the start."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line; while it is imported there is nothing to save, and SIGINT just ends it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run

    run()


if __name__ == "__main__":
    main()
