"""`burstsr warmup`: compile all loops ahead of time, for container images and clusters."""

from __future__ import annotations

import argparse
import math
from typing import Any

from burstsr.cli.console import echo, echo_json, warn
from burstsr.core.parallel import thread_count


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "warmup",
        help="compile all loops ahead of time",
        description="Compile the loops of both modes for this processor, on all cores, and keep the machine code, so that no later run compiles: for "
        "containers and clusters. `process` does the same for its mode, once. NUMBA_CACHE_DIR names another folder to keep it in.",
    )
    parser.add_argument("--force", action="store_true", help="compile again what was compiled before")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from burstsr.batch import warmup, warmup_parts

    folder = warmup.cache_folder()
    if folder is None:
        warn("no folder can be written to keep machine code in; NUMBA_CACHE_DIR names one")
        return 1
    names = warmup_parts.parts("best")
    needed = args.force or not warmup.is_compiled("best")
    seconds = dict(warmup.compile_all(names, thread_count())) if needed else {}
    failed = [name for name, took in seconds.items() if math.isnan(took)]
    if args.json:
        echo_json({"folder": str(folder), "seconds": {name: round(took, 2) for name, took in seconds.items() if name not in failed}, "failed": failed})
    else:
        echo("\n".join([*(f"{name}: {took:.1f} s" for name, took in seconds.items() if name not in failed), f"machine code: {folder}"]))
    if failed:
        warn(f"not compiled ahead: {', '.join(failed)}")
    return int(bool(failed))
