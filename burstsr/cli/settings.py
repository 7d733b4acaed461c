"""`burstsr settings`: every setting with its meaning, unit and range, as a file that `process --settings` takes."""

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
    """The command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "settings",
        help="all settings with meaning, unit and range, as TOML",
        description="Print all settings as TOML, each under a comment with its meaning, unit and range: the defaults, or, with --settings and --set, what a "
        "run would use. Save it, change what you need, and give it to process --settings.",
    )
    add_settings(parser)
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The options that choose settings, for every command that takes them."""
    parser.add_argument("--settings", metavar="FILE", type=Path, help="settings: TOML as burstsr settings prints it, or the JSON beside a result")
    parser.add_argument("--set", metavar="STAGE.KEY=VALUE", action="append", default=[], help="one setting, after those of --settings; repeatable")


def asked_settings(args: argparse.Namespace) -> Settings:
    """The defaults, then --settings, then --set. What else a record says was asked for is no setting, and that is logged. Raises SettingsError."""
    settings = read_settings(Settings(), args.settings, args.set)
    asked = recorded(args.settings, "settings_asked") if args.settings else None
    if isinstance(asked, dict):
        others = [f"--{name}" for name in ("profile", "motion") if asked.get(name)]
        fallback = renamed(asked.get("fallback", FALLBACK))
        others += [f"--fallback {fallback}"] if fallback != FALLBACK else []
        if others:
            log.warning("%s: its settings are taken; what it was made with besides must be given again: %s", args.settings, ", ".join(others))
    return settings


def run(args: argparse.Namespace) -> int:
    """Do the command; its exit status."""
    from burstsr import __version__

    settings = asked_settings(args)
    if args.json:
        echo_json(asdict(settings))
    else:
        echo(f"# settings of burstsr {__version__}; W = Wronski et al. 2019, Handheld Multi-Frame Super-Resolution\n\n{as_toml(settings)}")
    return 0
