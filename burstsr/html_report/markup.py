"""HTML: escaping, numbers, the frame of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as _escape
from urllib.parse import quote

GENERATOR = "burstsr report"
_SKIP = '<a class="skip" href="#main">Skip to content</a>'


def text(value: object) -> str:
    """Escape a value for HTML text and attributes; what is no Unicode, such as names of files, is shown escaped."""
    return _escape(str(value).encode("utf-8", "backslashreplace").decode(), quote=True)


def link(path: str) -> str:
    """Escape a relative path for a link."""
    return text(quote(path.encode("utf-8", "surrogateescape"), safe="/."))


def page(title: str, body: str, up: str = "", scripts: Sequence[str] = (), description: str = "") -> str:
    """Return a whole page. up: the path to the folder of the index. body: from the header on. scripts: names in the folder of assets."""
    tags = "".join(f'<script src="{up}assets/{name}" defer></script>\n' for name in scripts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f'<meta name="generator" content="{GENERATOR}">\n<meta name="description" content="{text(description or title)}">\n'
        f'<title>{text(title)}</title>\n<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{up}assets/style.css">\n{tags}</head>\n'
        f"<body>\n{_SKIP}\n{body}\n</body>\n</html>\n"
    )


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """Format a number with a true minus sign; an en dash where there is none.

    >>> number(-1.5), number(-0.001), number(None)
    ('−1.50', '0.00', '–')
    """
    if value is None:
        return "–"
    rounded = f"{value:.{digits}f}"
    if float(rounded) == 0:
        rounded = rounded.removeprefix("-")
    return rounded.replace("-", "−") + (f"\N{NO-BREAK SPACE}{unit}" if unit else "")


def percent(share: float) -> str:
    """Format a share as a percentage.

    >>> percent(0.123), percent(0.001), percent(0)
    ('12 %', '0.1 %', '0 %')
    """
    return f"{share * 100:.{0 if share == 0 or share >= 0.0095 else 1}f} %"


def duration(seconds: float) -> str:
    """Format a time.

    >>> duration(4.26), duration(75), duration(7290)
    ('4.3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def count(n: int, noun: str) -> str:
    """Format a number with a noun.

    >>> count(1, "frame"), count(2000, "frame")
    ('1 frame', '2,000 frames')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def facts_list(items: Iterable[tuple[str, str]]) -> str:
    """Return a description list of (label, value)s that are HTML."""
    return '<dl class="facts">' + "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in items) + "</dl>"
