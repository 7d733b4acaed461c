"""Formatting of the result as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from benchmarks.margins import margins
from benchmarks.modes import gains, least
from benchmarks.quality import Result
from benchmarks.records import Record, means
from benchmarks.rows import TITLES

_COLUMNS = {
    "psnr_linear": ("linear, dB", 2),
    "psnr_srgb": ("sRGB, dB", 2),
    "ssim": ("SSIM", 4),
    "chroma_error": ("chroma", 4),
    "psnr_mover": ("mover, dB", 2),
    "psnr_mover_ever": ("its way, dB", 2),
    "psnr_lamp": ("at the lamp, dB", 2),
    "psnr_hot": ("at hot pixels, dB", 2),
    "noise_flat": ("flat noise", 5),
    "noise_gain": ("one frame's / it", 2),
    "seconds": ("s", 2),
    "flow_median_px": ("flow, px", 4),
    "flow_p95_px": ("95 %, px", 4),
}
_TITLES = {
    "grid": "Pictures, ISO, frames, scale, motion",
    "short": "Short bursts",
    "tripod": "Tripod: nothing to gain but noise",
    "mover": "With a mover",
    "counts": "From one frame to many",
    "scales": "Scales",
    "lamp": "With a lamp that blinks",
    "hot": "With hot pixels",
    "psf": "Lens blur, true and given to best",
}
_HEADS = {"blur_px": "lens, px", "psf_px": "given, px"}
_KEYS = ("scale", "frames", "motion", "blur_px", "psf_px", "iso")


def short(result: Result) -> str:
    """Format margins against the targets, and means over images."""
    averaged = means(result.records)
    parts = [_setup(result), *_margins(result.records)]
    parts += _modes(result.records)
    for section, group in groupby(averaged, key=lambda record: str(record["section"])):
        parts += [f"## {_TITLES[section]}: means", _table(list(group), _KEYS)]
    return "\n\n".join(parts) + "\n"


def full(result: Result) -> str:
    """Format `short`, then every image."""
    parts = [short(result).rstrip("\n")]
    for section, group in groupby(result.records, key=lambda record: str(record["section"])):
        parts += [f"## {_TITLES[section]}: every picture", _table(list(group), ("picture", *_KEYS))]
    return "\n\n".join(parts) + "\n"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up as plain text; columns of numbers are right-aligned."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(head))]
    right = [all(_is_number(line[i]) for line in lines[1:]) for i in range(len(head))]
    rule = ["-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, right, strict=True)]

    def padded(line: Sequence[str]) -> str:
        cells = (text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in zip(line, widths, right, strict=True))
        return "| " + " | ".join(cells) + " |"

    return "\n".join([padded(lines[0]), padded(rule), *(padded(line) for line in lines[1:])])


def cell(value: float | None, digits: int) -> str:
    """Format a number, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def _table(records: list[Record], keys: Sequence[str]) -> str:
    used = [name for name in _COLUMNS if any(record.get(name) is not None for record in records)]
    many = [name for name in keys if name == "iso" or len({record[name] for record in records}) > 1]
    head = [*(_HEADS.get(name, name) for name in many), "row", *(_COLUMNS[name][0] for name in used)]
    rows = []
    for record in records:
        numbers = [cell(record.get(name), _COLUMNS[name][1]) for name in used]
        rows.append([*(_plain(record[name]) for name in many), TITLES[record["row"]], *numbers])
    return markdown(head, rows)


def _margins(records: list[Record]) -> list[str]:
    compared = ("over Menon", "over best other", "best other", "over single", "worst picture", "to true motion", "chroma / Menon")
    head = ["section", "scale", "frames", "motion", "ISO", *compared]
    rows = []
    for m in (found for found in margins(records) if found["other"] != "-" or found["below_known"] is not None):
        place = [_plain(m[name]) for name in ("scale", "frames", "motion", "iso")]
        rest = [cell(m["over_single"], 2), cell(m["worst"], 2), cell(m["below_known"], 2), cell(m["chroma_ratio"], 3)]
        rows.append([m["section"], *place, cell(m["over_menon"], 2), cell(m["over_other"], 2), m["other"], *rest])
        for name, title in (("mover_over_single", "inside the mover"), ("way_over_single", "along its way")):
            if m[name] is not None:
                rows.append([title, *place, "-", "-", "-", cell(m[name], 2), "-", "-", "-"])
    note = 'sRGB PSNR in dB; positive: burstsr is better, but for "to true motion", which is what exact motion would add.'
    return ["## Margins of burstsr (means over images)", markdown(head, rows), note] if rows else []


def _modes(records: list[Record]) -> list[str]:
    """What mode "best" adds to "fast": in the grid, and at worst in every section."""
    head = ["scale", "frames", "motion", "ISO", "best - fast", "worst", "its picture", "SSIM fast", "best", "worst gain", "to true motion"]
    grid = [
        [*(_plain(g[name]) for name in ("scale", "frames", "motion", "iso")), cell(g["mean"], 2), cell(g["worst"], 2), g["worst_picture"]]
        + [cell(g["ssim_fast"], 4), cell(g["ssim_best"], 4), cell(g["ssim_worst"], 4), cell(g["below_known"], 2)]
        for g in gains(records)
        if g["section"] == "grid"
    ]
    worst = [
        [m["section"], _COLUMNS[m["figure"]][0], cell(m["worst"], 2), m["picture"], *(_plain(m[name]) for name in _KEYS), cell(m["mean"], 2)]
        for m in least(records)
    ]
    parts = ["## Best over fast: the grid", markdown(head, grid)] if grid else []
    if worst:
        places = [_HEADS.get(name, name) for name in _KEYS]
        parts += ["## Best over fast: where it is least, per section", markdown(["section", "figure", "worst", "picture", *places, "mean"], worst)]
    return parts


def _setup(result: Result) -> str:
    known: dict[str, Any] = result.setup
    versions = ", ".join(f"{name} {value}" for name, value in known.get("versions", {}).items())
    lines = [f"# burstsr benchmark quality\n\n{known.get('cases', 0)} bursts, seed {known.get('seed')}, lens blur {known.get('blur_px'):g} px; {versions}."]
    lines += [f"Note: {note}." for note in result.notes]
    return "\n\n".join(lines)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "-"
    return True
