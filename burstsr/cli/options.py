"""Option parsing: case-insensitive choices, old names of options, and errors that name the option."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from burstsr.cli.console import warn
from burstsr.core.errors import RangeError

FORMAT_ALIASES = {"jpeg": "jpg", "tif": "tiff"}
_OPTION_OF = {  # settings whose option has another name
    "blur_sigma_px": "blur", "tripod_residue_px": "residue", "interval_s": "interval", "readout_s": "readout", "time_unit_s": "time_unit", "border": "crop",
}  # fmt: skip


class UsageError(Exception):
    """A command line that cannot be parsed. usage: the usage message."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, self.format_usage())


def choice(choices: Sequence[str], aliases: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return keywords of `add_argument` for an option with case-insensitive `choices` and `aliases` of them."""
    return {"choices": choices, "type": one_of(choices, aliases)}


def memory_size(text: str) -> int:
    """Return the bytes of a size of memory.

    >>> memory_size("2GB"), memory_size("1.5 gib"), memory_size("800M")
    (2000000000, 1610612736, 800000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", text, re.IGNORECASE)
    size = round(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2].upper() or " ")) if found else 0
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a size such as 2GB or 800MB")
    return size


def one_of(choices: Sequence[str], aliases: Mapping[str, str] | None = None) -> Callable[[str], str]:
    """Return a function that maps a choice in any case, or one of its `aliases`, to the choice, and leaves other text unchanged.

    >>> one_of(("png", "jpg"), FORMAT_ALIASES)("JPEG"), one_of(("RGGB",))("rggb"), one_of(("png",))("gif")
    ('jpg', 'RGGB', 'gif')
    """
    names = {choice.casefold(): choice for choice in choices} | dict(aliases or {})

    def chosen(text: str) -> str:
        return names.get(text.strip().casefold(), text)  # argparse rejects any other

    return chosen


class _OldName(argparse.Action):
    """An option under its old name: warns, then does what the option does."""

    def __init__(self, option_strings: Sequence[str], dest: str, option: argparse.Action, **_: Any) -> None:  # noqa: ANN401
        kind: Any = option.type
        super().__init__(option_strings, option.dest, option.nargs, type=kind, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        self._option = option

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None) -> None:  # noqa: ANN401
        warn(f"{option_string} is now called {self._option.option_strings[-1]}; the old name will be removed in the next release")
        self._option(parser, namespace, values, option_string)


def add_old_names(parser: Any, names: Mapping[str, str]) -> None:  # noqa: ANN401  a parser or a group of one
    """Accept options of `parser` under old names as well: old name -> new name, both with their dashes. They do not appear in the help."""
    for old, new in names.items():
        parser.add_argument(old, action=_OldName, option=parser._option_string_actions[new])


def named(error: RangeError, args: argparse.Namespace) -> str:
    """Return the error's message, naming the command's option instead of the setting where there is one."""
    option = _OPTION_OF.get(error.name, error.name)
    return f"--{option.replace('_', '-')} {error.problem}" if hasattr(args, option) else str(error)
