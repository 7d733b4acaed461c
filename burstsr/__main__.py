"""`burstsr` and `python -m burstsr`. The command line is the only layer that prints."""

from __future__ import annotations

import sys

from burstsr.cli import interrupts
from burstsr.cli import main as command_line
from burstsr.cli.console import own_stderr


def main() -> int:
    """Run the program's command line and return its exit status; after an interrupt the process ends here."""
    with interrupts.watched():
        own_stderr()
        try:
            return interrupts.leave(command_line())
        except KeyboardInterrupt:  # before a command began, or while one ended
            return interrupts.leave(interrupts.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
