"""`burstsr` and `python -m burstsr`. The command line is the only layer that prints."""

from __future__ import annotations

import sys

from burstsr.cli import main

if __name__ == "__main__":
    sys.exit(main())
