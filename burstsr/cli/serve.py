"""`burstsr serve`: the page of results, live while a batch runs."""

from __future__ import annotations

import argparse
from typing import Any

from burstsr.cli.console import echo, echo_json
from burstsr.cli.report import add_folders, folders_of
from burstsr.core.errors import SettingsError

PORT = 8470


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="show the page of results while a batch runs",
        description="Make the page of burstsr report, serve it to browsers on this machine alone (127.0.0.1), and renew it as results appear, until Ctrl-C.",
    )
    add_folders(parser)
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"port (default {PORT}; 0: a free one)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command until it is interrupted; return the exit status."""
    folders = folders_of(args)
    if not 0 <= args.port <= 65535:
        raise SettingsError(f"--port must be between 0 and 65535, not {args.port}")
    from burstsr.html_report.server import LivePage, server

    with LivePage(folders, args.output) as page, server(page, args.port) as made:
        url = f"http://{made.server_address[0]!s}:{made.server_port}/"
        if args.json:
            echo_json({"url": url, "folder": str(page.root)})
        else:
            echo(f"{url}  (Ctrl-C ends)")
        try:
            made.serve_forever()
        except KeyboardInterrupt:
            pass
    return 0
