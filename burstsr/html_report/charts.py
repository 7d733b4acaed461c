"""Diagrams as SVG, which take their colours from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.html_report.facts import FrameFacts
from burstsr.html_report.markup import number, text

LARGEST_ERROR_PX = 0.25  # above which a frame's phase counts as unknown, as in `align.sampling`
_SIZE, _EDGE = 320, 34  # of a diagram, and of its margin
_LABELLED = 40  # frames up to which points have their numbers


def motion_plot(frames: Sequence[FrameFacts]) -> str:
    """Draw the motion of all frames, raw pixels, in order of capture, with circles of their standard errors."""
    placed = [(n, frame, *frame.motion) for n, frame in enumerate(frames) if frame.motion is not None]
    if not placed:
        return ""
    ys, xs = [p[2] for p in placed], [p[3] for p in placed]
    step = _step(max(max(ys) - min(ys), max(xs) - min(xs), 0.5) / 3)
    reach = math.ceil((max(max(ys) - min(ys), max(xs) - min(xs)) / 2 + step * 0.3) / step) * step
    middle = [(max(values) + min(values)) / 2 for values in (ys, xs)]
    factor = (_SIZE - 2 * _EDGE) / (2 * reach)

    def at(value: float, axis: int) -> float:
        return _SIZE / 2 + (value - middle[axis]) * factor

    parts = []
    for k in _multiples(middle[0] - reach, middle[0] + reach, step):
        place = at(k * step, 0)
        parts += [f'<path class="grid" d="M{_EDGE} {place:.1f}H{_SIZE - _EDGE}"/>', _label(_EDGE - 4, place + 3.5, _tick(k, step), "end")]
    for k in _multiples(middle[1] - reach, middle[1] + reach, step):
        place = at(k * step, 1)
        parts += [f'<path class="grid" d="M{place:.1f} {_EDGE}V{_SIZE - _EDGE}"/>', _label(place, _SIZE - 16, _tick(k, step))]
    path = "L".join(f"{at(x, 1):.1f} {at(y, 0):.1f}" for _, _, y, x in placed)
    parts.append(f'<path class="track" d="M{path}"/>')
    parts += [_point(n, frame, at(x, 1), at(y, 0), factor, len(placed)) for n, frame, y, x in placed]
    parts += _axes("dx, raw pixels", "dy, raw pixels")
    return _svg("Motion of the frames", f"{len(placed)} frames; each point is a frame, the circle its standard error", parts)


def phase_plot(frames: Sequence[FrameFacts], scale: float, period: int) -> str:
    """Draw where within one period of the CFA the frames sample; cells that are sampled are filled."""
    cells = period * math.ceil(scale)
    side = (_SIZE - 2 * _EDGE) / cells
    known = [(n, f, *f.motion) for n, f in enumerate(frames) if f.motion is not None and f.used and f.error is not None and f.error <= LARGEST_ERROR_PX]
    occupied = {tuple(math.floor(v / period * cells + 0.5) % cells for v in (y, x)) for _, _, y, x in known}
    parts = []
    for row, column in ((row, column) for row in range(cells) for column in range(cells)):
        kind = "cell on" if (row, column) in occupied else "cell"
        parts.append(f'<rect class="{kind}" x="{_EDGE + column * side:.1f}" y="{_EDGE + row * side:.1f}" width="{side:.1f}" height="{side:.1f}"/>')
    for n, frame, y, x in known:
        left, top = (_EDGE + (v / period * cells + 0.5) % cells * side for v in (x, y))
        parts.append(_point(n, frame, left, top, side * cells / period, len(known)))
    for k in range(period + 1):
        place = _EDGE + side / 2 + k * (side * cells / period)
        if place <= _SIZE - _EDGE:
            parts += [_label(place, _SIZE - 18, str(k)), _label(_EDGE - 6, place + 3.5, str(k), "end")]
    parts += _axes(f"dx modulo {period}, raw pixels", f"dy modulo {period}")
    return _svg("Phase coverage", f"{len(occupied)} of {cells * cells} sub-pixel phases are sampled", parts)


def arrows(flow: NDArray[np.float32], y: NDArray[np.float32], x: NDArray[np.float32], shape: tuple[int, int], orientation: int, factor: float) -> str:
    """Draw a frame's motion (y, x, 2) relative to its median, `factor` times as long, over the upright image of frames of `shape`."""
    deviation = (flow - np.median(flow, axis=(0, 1))).astype(np.float64)
    rows, columns = np.meshgrid(y, x, indexing="ij")
    starts = [upright(float(a), float(b), shape, orientation) for a, b in zip(rows.ravel(), columns.ravel(), strict=True)]
    lines, dots = [], []
    for (top, left), (dy, dx) in zip(starts, deviation.reshape(-1, 2) * factor, strict=True):
        down, right = upright_vector(float(dy), float(dx), orientation)
        if max(abs(down), abs(right)) >= 0.5:
            lines.append(f"M{left:.0f} {top:.0f}l{right:.0f} {down:.0f}")
        dots.append(f"M{left:.0f} {top:.0f}h0")
    height, width = shape if orientation < 5 else shape[::-1]
    paths = "".join(f'<path class="{kind}" d="{"".join(parts)}"/>' for kind, parts in (("halo", lines), ("dots", dots), ("lines", lines)))
    return f'<svg class="flow" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{paths}</svg>'


def upright(y: float, x: float, shape: tuple[int, int], orientation: int) -> tuple[float, float]:
    """Return where a sample (y, x) of frames of `shape` lies in the upright image.

    >>> upright(0, 3, (3, 4), 6), upright(0, 3, (3, 4), 3)
    ((3, 2), (2, 0))
    """
    bottom, right = shape[0] - 1 - y, shape[1] - 1 - x
    return ((y, x), (y, right), (bottom, right), (bottom, x), (x, y), (x, bottom), (right, bottom), (right, y))[orientation - 1]


def upright_vector(dy: float, dx: float, orientation: int) -> tuple[float, float]:
    """Return a displacement (dy, dx) of the sensor's in the upright image."""
    return ((dy, dx), (dy, -dx), (-dy, -dx), (-dy, dx), (dx, dy), (dx, -dy), (-dx, -dy), (-dx, dy))[orientation - 1]


def _point(n: int, frame: FrameFacts, x: float, y: float, factor: float, points: int) -> str:
    kind = "point reference" if frame.reference else "point" if frame.used else "point unused"
    error = "" if frame.error is None else f'<circle class="error" cx="{x:.1f}" cy="{y:.1f}" r="{min(frame.error * factor, _SIZE):.1f}"/>'
    label = f'<text class="index" x="{x + 6:.1f}" y="{y - 5:.1f}">{n}</text>' if points <= _LABELLED else ""
    return f'{error}<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{text(f"{n}: {frame.file}")}</title></circle>{label}'


def _label(x: float, y: float, label: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(label)}</text>'


def _axes(x: str, y: str) -> list[str]:
    middle = _SIZE / 2
    return [_label(middle, _SIZE - 2, x), f'<text x="9" y="{middle}" text-anchor="middle" transform="rotate(-90 9 {middle})">{text(y)}</text>']


def _tick(k: int, step: float) -> str:
    return number(k * step, 0 if step >= 1 else 1 if step >= 0.1 else 2)


def _multiples(low: float, high: float, step: float) -> range:
    return range(math.ceil(low / step), math.floor(high / step) + 1)


def _step(about: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below `about`.

    >>> _step(0.3), _step(7), _step(1)
    (0.5, 10.0, 1.0)
    """
    power = 10.0 ** math.floor(math.log10(about))
    return next(float(m * power) for m in (1, 2, 5, 10) if m * power >= about * (1 - 1e-9))


def _svg(title: str, description: str, parts: list[str]) -> str:
    return f'<svg class="plot" viewBox="0 0 {_SIZE} {_SIZE}" role="img" aria-label="{text(f"{title}: {description}")}">{"".join(parts)}</svg>'
