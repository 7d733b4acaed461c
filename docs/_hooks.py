"""Generated pages: settings from their metadata, the command line from its parser, the public names from `burstsr.__all__`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import burstsr
from burstsr.cli import build_parser
from burstsr.core.fields import allowed
from burstsr.settings import Settings


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401  mkdocs passes its own objects
    """Replace the markers of generated parts."""
    for marker, make in (("settings", settings_tables), ("commands", command_help), ("api", api_entries)):
        text = f"<!-- {marker} -->"
        if text in markdown:
            markdown = markdown.replace(text, make())
    return markdown


def settings_tables() -> str:
    """One table per stage, in order of execution."""
    defaults = Settings()
    parts = [_table("General", [f for f in fields(defaults) if not is_dataclass(getattr(defaults, f.name))], defaults)]
    for entry in fields(defaults):
        stage = getattr(defaults, entry.name)
        if is_dataclass(stage):
            parts.append(_table(f"`{entry.name}`: {str(type(stage).__doc__).splitlines()[0].rstrip('.')}", fields(stage), stage))
    return "\n\n".join(parts)


def _table(title: str, entries: Any, owner: object) -> str:  # noqa: ANN401
    lines = [f"## {title}", "", "| name | default | range | meaning | source |", "|---|---|---|---|---|"]
    for entry in entries:
        about = entry.metadata
        if about:
            unit = f" ({about['unit']})" if about["unit"] else ""
            lines.append(f"| `{entry.name}` | `{getattr(owner, entry.name)}` | {allowed(about) or '-'} | {about['meaning']}{unit} | {about['source']} |")
    return "\n".join(lines)


def command_help() -> str:
    """The help of every command, as it is printed."""
    return "\n\n".join(f"## `{parser.prog}`\n\n```text\n{parser.format_help().strip()}\n```" for parser in _parsers(build_parser()))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                yield from _parsers(inner)


def api_entries() -> str:
    """A section for every public name."""
    names = [name for name in burstsr.__all__ if name != "__version__"]
    return "\n\n".join(f"::: burstsr.{name}" for name in names)
