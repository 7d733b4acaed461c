"""Notation of the cases of `benchmarks.wrong_inputs`."""

from __future__ import annotations

from typing import NamedTuple

MANY_DIGITS = "9" * 5000


class Case(NamedTuple):
    """argv: the command line. says: what standard error must hold: the option, the file or the value."""

    argv: tuple[str, ...]
    message: str


def each(base: str, *rows: tuple[str, str]) -> list[Case]:
    """A case for each (further arguments, word), blanks between arguments; a lone _ stands for an empty argument."""
    return [Case(tuple("" if word == "_" else word for word in f"{base} {more}".split()), message) for more, message in rows]
