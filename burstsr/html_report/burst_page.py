"""The page of one burst: comparison, numbers, frames, motion, robustness, settings."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from burstsr.html_report import charts
from burstsr.html_report.collect import BurstResult
from burstsr.html_report.facts import Facts, FrameFacts
from burstsr.html_report.markup import count, duration, facts_list, link, number, page, percent, text
from burstsr.io.report_data import ReportData
from burstsr.settings import Settings

_CELL_SHARE = 0.9  # of the distance between arrows: how long the longest may be
_PERCENTILE, _LARGEST_FACTOR = 98.0, 100.0  # beyond which arrows would show noise


@dataclass(frozen=True)
class Pictures:
    """Images of a burst, paths relative to its page. compared: for the viewer. maps: robustness of each frame, None where there is none."""

    compared: list[dict[str, Any]]
    maps: list[str | None]
    map_shape: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Neighbours:
    """(name, slug) of the bursts before and after."""

    before: tuple[str, str] | None
    after: tuple[str, str] | None


def burst_page(burst: BurstResult, data: ReportData | None, pictures: Pictures, neighbours: Neighbours, notes: Sequence[str]) -> str:
    """Return the HTML of a burst that has a record. notes: what could not be shown, and why."""
    shown = burst.shown
    assert shown is not None and shown.facts is not None
    facts = shown.facts
    name = text(burst.name)
    body = (
        f'<header class="top"><nav aria-label="Bursts"><a href="../../index.html">All bursts</a>{_neighbour(neighbours.before, "Previous", "prev")}'
        f'{_neighbour(neighbours.after, "Next", "next")}</nav><h1>{name}</h1></header>\n<main id="main">\n'
        f"{_notes(facts, notes)}{_viewer(pictures)}{_numbers(burst, facts)}{_frames(facts)}{_motion(facts, data)}{_maps(facts, data, pictures)}"
        f"{_settings(burst)}{_provenance(facts)}</main>"
    )
    return page(f"{burst.name} – burstsr", body, "../../", ("viewer.js", "live.js"), f"Burst {burst.name}: {count(len(facts.frames), 'frame')}")


def _neighbour(other: tuple[str, str] | None, word: str, rel: str) -> str:
    return f'<a rel="{rel}" href="../{link(other[1])}/index.html">{word}<span class="wide">: {text(other[0])}</span></a>' if other else ""


def _notes(facts: Facts, notes: Sequence[str]) -> str:
    lines = [*([facts.advice] if facts.advice else []), *(f"made without a damaged frame: {reason}" for reason in facts.damaged), *notes]
    return f'<ul class="notes" aria-label="Notes">{"".join(f"<li>{text(line)}</li>" for line in lines)}</ul>\n' if lines else ""


def _viewer(pictures: Pictures) -> str:
    if not pictures.compared:
        return ""
    data = json.dumps({"images": pictures.compared}).replace("<", "\\u003c")
    reduced = "".join(f'<li><a href="{link(p["path"])}/{len(p["levels"]) - 1}-0-0.jpg">{text(p["label"])}</a></li>' for p in pictures.compared)
    return (
        '<section class="viewer" id="viewer" aria-label="Comparison">'
        f"<noscript><p>Comparing requires JavaScript; the images, reduced:</p><ul>{reduced}</ul></noscript>"
        f'<script type="application/json" id="pictures">{data}</script></section>\n'
    )


def _numbers(burst: BurstResult, facts: Facts) -> str:
    values = facts.numbers
    of = f" of the result: {text(burst.shown.label)}" if burst.shown and len(burst.variants) > 1 else ""
    height, width = facts.shape
    items = [
        ("Mode", f"{text(facts.mode)}, ×{facts.scale:g}"),
        ("Size", f"{width:,} × {height:,} px"),
        ("Frames used", f"{facts.used} of {len(facts.frames)}"),
        ("Phase coverage", f"{percent(values.get('coverage', 0.0))} <small>({values.get('subpixel_phases', 0):.0f} phases)</small>"),
        ("Sampling uniformity", number(values.get("sampling_uniformity"))),
        ("Expected gain", number(values.get("expected_gain_db"), 1, "dB")),
        ("From the reference alone", percent(values.get("reference_alone", 0.0))),
        ("Pixels repaired", f"{values.get('defects_repaired', 0):,.0f}"),
        ("Time", duration(sum(facts.seconds.values()))),
    ]
    return f"<section><h2>Numbers{of}</h2>{facts_list(items)}</section>\n"


def _frames(facts: Facts) -> str:
    longest = max((f.blur_px or 0.0 for f in facts.frames), default=0.0)
    bracket = any(f.exposure_ratio is not None for f in facts.frames)
    rows = "".join(_frame_row(n, f, max(longest, 0.5), bracket) for n, f in enumerate(facts.frames))
    head = "".join(
        f'<th scope="col"{" class=n" if numeric else ""}>{label}</th>'
        for label, numeric in (
            ("#", True), ("Frame", False), *((("Exposure", True),) if bracket else ()), ("Shift dy, dx (px)", True), ("± (px)", True),
            ("Rotation (°)", True), ("Blur (px)", True), ("Weight", True), ("Robustness", True),
        )
    )  # fmt: skip
    return (
        "<section><h2>Frames</h2><p>Shift against the reference and its standard error, in raw pixels; blur against the reference (RMS); weight for blur; "
        f'mean robustness: how far the frame agrees with the reference.</p><div class="scroll" tabindex="0" role="region" aria-label="Table of frames">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>\n"
    )


def _frame_row(n: int, frame: FrameFacts, longest: float, bracket: bool) -> str:
    shift = "–" if frame.motion is None else f"{number(frame.motion[0])}, {number(frame.motion[1])}"
    error = "unknown" if frame.error is None and frame.motion is not None else number(frame.error, 3)
    note = ' <span class="tag">reference</span>' if frame.reference else f'<br><span class="why">{text(frame.why)}</span>' if frame.why else ""
    blur = "–" if frame.blur_px is None else _bar(frame.blur_px / longest, number(frame.blur_px))
    cells = [f"×{frame.exposure_ratio:.3g}" if frame.exposure_ratio is not None else "–"] if bracket else []
    cells += [shift, error, number(frame.rotation_deg, 3), blur, _bar(frame.weight, number(frame.weight)), _bar(frame.robustness, number(frame.robustness))]
    kind = "" if frame.used else ' class="unused"'
    return f'<tr{kind}><td class="n">{n}</td><th scope="row">{text(frame.file)}{note}</th>' + "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>"


def _bar(share: float, label: str) -> str:
    return f'{label}<span class="bar" aria-hidden="true"><i style="width:{min(max(share, 0.0), 1.0) * 100:.0f}%"></i></span>'


def _motion(facts: Facts, data: ReportData | None) -> str:
    figures = []
    track = charts.motion_plot(facts.frames)
    if track:
        caption = "Motion of the frames in order of capture; circles: standard errors. Ring: the reference; hollow: not used."
        figures.append(f"<figure>{track}<figcaption>{caption}</figcaption></figure>")
    if data is not None and math.isfinite(facts.scale):
        phases = charts.phase_plot(facts.frames, facts.scale, data.period)
        figures.append(
            f"<figure>{phases}<figcaption>Where the frames sample one period of the colour filter array, at the image's centre. "
            f"Filled cells are sampled at ×{facts.scale:g}.</figcaption></figure>"
        )
    return f'<section><h2>Motion and phase coverage</h2><div class="figures">{"".join(figures)}</div></section>\n' if figures else ""


def _maps(facts: Facts, data: ReportData | None, pictures: Pictures) -> str:
    """Return the robustness map and the flow of every frame."""
    if data is None or len(data.registered) != len(facts.frames):
        return ""
    factor = _arrow_factor(data)
    figures = "".join(_frame_map(n, frame, data, pictures, factor) for n, frame in enumerate(facts.frames))
    length = f"An arrow is {factor:,.0f} times as long as the motion that it shows." if factor > 0 else ""
    return (
        "<section><h2>Robustness and flow of every frame</h2><p>Light: the frame agrees with the reference and counts in full; dark: it contradicts the "
        f"reference and is left out. Arrows: motion of the place relative to the whole frame's shift, from the dot. {length} "
        "The mean over all frames can be chosen in the comparison above.</p>"
        '<div class="legend" aria-hidden="true"><span>0</span><i></i><span>1</span></div>'
        f'<div class="figures maps">{figures}</div></section>\n'
    )


def _arrow_factor(data: ReportData) -> float:
    """Return how many times arrows are to be as long as motion, the same for all frames; 0 where nothing deviates."""
    known = data.flow[data.registered]
    if not known.size:
        return 0.0
    deviation = np.abs(known - np.median(known, axis=(1, 2), keepdims=True)).max(axis=3)
    typical = float(np.percentile(deviation, _PERCENTILE))
    spacing = data.shape[0] / len(data.grid_y)
    return 0.0 if not math.isfinite(typical) or typical < 1e-4 else min(float(f"{_CELL_SHARE * spacing / typical:.1g}"), _LARGEST_FACTOR)


def _frame_map(n: int, frame: FrameFacts, data: ReportData, pictures: Pictures, factor: float) -> str:
    path = pictures.maps[n] if n < len(pictures.maps) else None
    if path is None or frame.motion is None:
        why = text(frame.why or "not compared")
        return f'<figure class="none"><div>not registered</div><figcaption><b>{n}</b> {text(frame.file)}: {why}</figcaption></figure>'
    height, width = pictures.map_shape
    flow = charts.arrows(data.flow[n], data.grid_y, data.grid_x, data.shape, data.orientation, factor) if data.registered[n] and not frame.reference else ""
    error = "unknown" if frame.error is None else number(frame.error, 3)
    what = "reference" if frame.reference else f"shift {number(frame.motion[0])}, {number(frame.motion[1])} px ± {error}; robustness {number(frame.robustness)}"
    alt = text(f"Robustness of frame {n}: mean {frame.robustness:.2f}")
    return (
        f'<figure><div class="map"><img src="{link(path)}" width="{width}" height="{height}" alt="{alt}" loading="lazy" decoding="async">{flow}</div>'
        f"<figcaption><b>{n}</b> {text(frame.file)}<br>{text(what)}</figcaption></figure>"
    )


def _settings(burst: BurstResult) -> str:
    """Return the settings of all results; those that differ from the default, or between results, are marked."""
    known = [variant for variant in burst.variants if variant.facts is not None]
    default = {name: value for name, value in _defaults().items()}
    names = dict.fromkeys(name for variant in known for name in variant.facts.settings)  # type: ignore[union-attr]
    rows = []
    for name in names:
        values = [variant.facts.settings.get(name, "–") if variant.facts else "–" for variant in known]
        asked = [variant.facts.asked.get(name, "–") if variant.facts else "–" for variant in known]
        marked = len(set(values)) > 1 or any(a not in ("–", default.get(name, a)) for a in asked)
        cells = "".join(
            f'<td class="n">{text(v)}{"" if a in (v, "–") else f"<br><small>asked {text(a)}</small>"}</td>' for v, a in zip(values, asked, strict=True)
        )
        rows.append(f'<tr{" class=changed" if marked else ""}><th scope="row">{text(name)}</th>{cells}<td class="n">{text(default.get(name, "–"))}</td></tr>')
    head = "".join(f'<th scope="col" class="n">{text(variant.label)}</th>' for variant in known)
    return (
        "<section><h2>Settings</h2><details><summary>All settings, as adapted to the burst; bold: not the default, or different between results</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table of settings"><table><thead><tr><th scope="col">Setting</th>{head}'
        f'<th scope="col" class="n">default</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div></details></section>\n'
    )


def _defaults() -> dict[str, str]:
    from dataclasses import asdict

    from burstsr.html_report.facts import dotted

    return dotted(asdict(Settings()))


def _provenance(facts: Facts) -> str:
    times = facts_list((text(name), duration(seconds)) for name, seconds in facts.seconds.items())
    versions = facts_list((text(name), text(version)) for name, version in facts.versions.items())
    about = "".join(f"<p>{text(line)}</p>" for line in (facts.provenance, facts.noise_source and f"Noise model: {facts.noise_source}") if line)
    return (
        f"<section><h2>Origin</h2>{about}<details><summary>Time by stage</summary>{times}</details>"
        f"<details><summary>Versions</summary>{versions}</details></section>\n"
    )
