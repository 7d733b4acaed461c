"""`burstsr settings`: print all settings with meaning, unit and range, as a file for `process --settings`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from burstsr.batch.fallback import FALLBACK, renamed
from burstsr.batch.job import recorded
from burstsr.cli.console import echo, echo_json
from burstsr.core.tables import as_toml
from burstsr.settings import Settings, read_settings

log = logging.getLogger(__name__)


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "settings",
        help="print all settings with meaning, unit and range, as TOML",
        description="Print all settings as TOML, each under a comment with its meaning, unit and range: the defaults or, with --settings and --set, those that "
        "a run would use. Save the output, edit it, and pass it to process --settings.",
    )
    add_settings(parser)
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose settings, the same for every command."""
    parser.add_argument("--settings", metavar="FILE", type=Path, help="settings file: TOML as printed by burstsr settings, or the JSON beside a result")
    parser.add_argument("--set", metavar="STAGE.KEY=VALUE", action="append", default=[], help="a single setting, applied after --settings; repeatable")


def asked_settings(args: argparse.Namespace) -> Settings:
    """Return the defaults changed by --settings, then by --set. Options recorded in a result's JSON that are not settings are logged. Raises SettingsError."""
    settings = read_settings(Settings(), args.settings, args.set)
    asked = recorded(args.settings, "settings_asked") if args.settings else None
    if isinstance(asked, dict):
        others = [f"--{name}" for name in ("profile", "motion", "darks", "flats", "bias") if asked.get(name)]
        fallback = renamed(asked.get("fallback", FALLBACK))
        others += [f"--fallback {fallback}"] if fallback != FALLBACK else []
        if others:
            log.warning("%s: only its settings are used; repeat its other options: %s", args.settings, ", ".join(others))
    return settings


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    from burstsr import __version__

    settings = asked_settings(args)
    if args.json:
        echo_json(asdict(settings))
    else:
        echo(f"# settings of burstsr {__version__}; W = Wronski et al. 2019, Handheld Multi-Frame Super-Resolution\n\n{as_toml(settings)}")
    return 0
