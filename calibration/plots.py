"""Plots of records. Requires matplotlib (extra `plots`), which is imported on use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from burstsr.core.errors import SettingsError
from burstsr.io.atomic import atomic
from burstsr.profiles.records import DefectRecord, LensRecord, MotionRecord, NoiseRecord, Record

_COLOURS = ("tab:red", "tab:green", "tab:blue")
SUFFIXES = (".png", ".svg")
MARK = "burstsr calibrate"  # in the file's metadata: identifies our plots


def draw(record: Record, path: Path) -> None:
    """Plot a record to `path`, .png or .svg: the photon-transfer curve, the MTF or the blur by position, the positions of defects, or motion and its phases.

    Raises SettingsError for another suffix, or without matplotlib; OutputError.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"{path}: the name of a plot must end in {' or '.join(SUFFIXES)}")
    try:
        figures = import_module("matplotlib.figure")
    except ImportError as error:
        raise SettingsError("plots require the matplotlib package: pip install 'burstsr[plots]'") from error
    figure = figures.Figure(figsize=(9, 4.5), layout="constrained")
    drawing: dict[type[Record], Any] = {NoiseRecord: _noise, LensRecord: _lens, MotionRecord: _motion, DefectRecord: _defects}
    drawing[type(record)](figure, record)
    with atomic(path) as temporary:
        kind = path.suffix[1:].lower()
        figure.savefig(temporary, dpi=120, format=kind, metadata={"Software" if kind == "png" else "Creator": MARK})


def _noise(figure: Any, record: NoiseRecord) -> None:  # noqa: ANN401
    """Plot points and line of variance over level, and the standard deviation after clipping."""
    from burstsr.robustness.noise_curves import STEPS, noise_curves

    line, curve = figure.subplots(1, 2)
    top = max((max(v) for v in record.level or () if v), default=1.0)
    x = np.linspace(0, max(top, 0.05), 200)
    low = 0.0 if record.black_dn is None or not record.white_dn else -float(np.mean(record.black_dn)) / (record.white_dn - float(np.mean(record.black_dn)))
    deviation = np.sqrt(noise_curves(record.noise, low)[0])
    for c, colour in enumerate(_COLOURS):
        if record.level is not None and record.variance is not None:
            line.plot(record.level[c], record.variance[c], ".", color=colour, alpha=0.4, markersize=4)
        line.plot(x, record.alpha[c] * x + record.beta[c], color=colour, label=f"{'RGB'[c]}: {record.alpha[c]:.3g} x + {record.beta[c]:.3g}")
        curve.plot(np.linspace(0, 1, STEPS + 1), deviation[c] * (np.sqrt(2) if c == 1 else 1), color=colour)
    line.set(xlabel="level, 1 = saturation", ylabel="variance", title=f"{record.camera}, ISO {record.iso:g}")
    line.legend()
    curve.set(xlabel="level, 1 = saturation", ylabel="deviation of a sample after clipping", title="noise curve")


def _lens(figure: Any, record: LensRecord) -> None:  # noqa: ANN401
    if record.places is not None:
        _places(figure, record, record.places)
        return
    axes = figure.subplots()
    if record.frequency is not None and record.mtf is not None:
        axes.plot(record.frequency, record.mtf, "k", label="measured")
        f = np.array(record.frequency)
        model = np.exp(-2 * (np.pi * record.psf_sigma_px * f) ** 2) * np.sinc(f)
        axes.plot(f, model, "--", color="tab:green", label=f"Gaussian of {record.psf_sigma_px:.2f} px, and the pixel")
        axes.axvline(0.5, color="grey", linewidth=0.5)
    if record.mtf50 is not None:
        axes.plot([record.mtf50], [0.5], "o", color="tab:red", label=f"MTF50 {record.mtf50:.3f}")
    axes.set(xlabel="cycles per raw pixel", ylabel="contrast", ylim=(-0.05, 1.1), title=f"{record.camera} ({record.method})")
    axes.legend()


def _places(figure: Any, record: LensRecord, places: Sequence[Mapping[str, float]]) -> None:  # noqa: ANN401
    """Plot the blur by position, and the displacement of red and blue along the edge's normal, exaggerated."""
    blur, shift = figure.subplots(1, 2)
    column = {name: np.array([place.get(name, 0.0) for place in places]) for name in places[0]}
    y, x = column["y_px"], column["x_px"]
    bar = figure.colorbar(blur.scatter(x, y, c=column["psf_sigma_px"]), location="left", shrink=0.6)
    bar.set_label("sigma of the blur, raw pixels")
    most = max(float(np.abs(column[f"{name}_displaced_px"]).max()) for name in ("red", "blue"))
    step = np.hypot(np.ptp(y), np.ptp(x)) / 12  # length of the longest arrow
    for name in ("red", "blue"):
        along = column[f"{name}_displaced_px"] * step / max(most, 1e-3)
        shift.quiver(x, y, along * column["normal_x"], along * column["normal_y"], color=f"tab:{name}", angles="xy", scale_units="xy", scale=1, label=name)
    figure.legend(loc="outside right upper")
    blur.set(title=f"{record.camera}: median {record.psf_sigma_px:.2f} px", ylabel="y, raw pixels")
    shift.set(title=f"displaced across edges, at most {most:.2f} px")
    for axes in (blur, shift):
        axes.set(ylim=(max(y) * 1.1, 0), xlim=(0, max(x) * 1.1), aspect="equal", xlabel="x, raw pixels")


def _motion(figure: Any, record: MotionRecord) -> None:  # noqa: ANN401
    trace, torus = figure.subplots(1, 2)
    dy, dx = (np.array([m.get(name, 0.0) for m in record.motions]) for name in ("dy_px", "dx_px"))
    seconds = np.arange(len(dy)) * (record.frame_interval_s or 1)
    trace.plot(seconds, dy, ".-", label="y")
    trace.plot(seconds, dx, ".-", label="x")
    trace.set(xlabel="seconds" if record.frame_interval_s else "frame", ylabel="raw pixels", title=f"motion ({record.method})")
    trace.legend()
    torus.plot(dx % 2, dy % 2, "o")
    torus.set(xlim=(0, 2), ylim=(2, 0), aspect="equal", xlabel="x mod 2, raw pixels", ylabel="y mod 2", title="phases on the CFA's period")
    torus.grid(True, linewidth=0.3)


def _defects(figure: Any, record: DefectRecord) -> None:  # noqa: ANN401
    axes = figure.subplots()
    for name, marker in (("hot", "r."), ("dead", "k.")):
        places = getattr(record, name)
        if places:
            axes.plot([x for _, x in places], [y for y, _ in places], marker, markersize=3, label=f"{len(places)} {name}")
    axes.set(xlim=(0, record.shape[1]), ylim=(record.shape[0], 0), aspect="equal", title=record.camera)
    if record.hot or record.dead:
        axes.legend()
