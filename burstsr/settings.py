"""Every knob of the program, one frozen dataclass per stage, in order of execution.

Nothing edits settings; `for_snr` returns those that fit a burst. Each field carries its meaning, unit, range, and the paper's value and place as
metadata (`burstsr.core.fields`), which the validator, the help and `burstsr settings` read (W = Wronski et al. 2019, "Handheld Multi-Frame
Super-Resolution", and its supplement).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import setting, validate
from burstsr.core.tables import changed, read_table

SNR_LOW, SNR_HIGH = 6.0, 30.0  # W, supplement: settings change between these mean-to-deviation ratios
MODES = ("fast", "best")
_ASKED = "settings_asked"  # under which the record of a result keeps the settings it was made with


@dataclass(frozen=True)
class DefectSettings:
    """Defective pixels of the sensor."""

    repair: bool = setting(True, "repair pixels that stand out in every frame")
    threshold_sigma: float = setting(8.0, "how far such a pixel exceeds all neighbours of its colour", (3, 100), unit="standard deviations of the noise")

    def __post_init__(self) -> None:
        validate(self, "defects")


@dataclass(frozen=True)
class AlignSettings:
    """Frames to flow."""

    tile_px: int = setting(
        16, "side of a tile, at every SNR (tiles are regularised, not enlarged)", (8, 128), unit="raw pixels", source="W supplement: 16 to 64"
    )
    search_px: int = setting(4, "block-matching radius at every pyramid level", (1, 16), unit="pixels of the level", source="W supplement: 1 to 4")
    iterations: int = setting(4, "Gauss-Newton steps of the sub-pixel registration; 0 = whole pixels only", (0, 20), source="W supplement: 3")
    prior: float = setting(1.0, "how strongly a tile without structure follows the motion of the whole frame; 0 = not at all", (0, 100))

    def __post_init__(self) -> None:
        validate(self, "align")


@dataclass(frozen=True)
class CovarianceSettings:
    """Structure to merge kernels."""

    k_detail_px: float = setting(0.18, "standard deviation of the kernel on detail, at high SNR", (0.1, 2), unit="raw pixels", source="W supplement: 0.25")
    k_detail_dark_px: float = setting(0.2, "the same at low SNR", (0.1, 2), unit="raw pixels", source="W supplement: 0.33")
    k_denoise: float = setting(3.0, "widening of the kernel where the frame is flat, at high SNR", (1, 10), source="W supplement: 3")
    k_denoise_dark: float = setting(5.0, "the same at low SNR", (1, 10), source="W supplement: 5")
    d_threshold: float = setting(0.4, "D_th: gradient below which a position counts as flat, at high SNR", (0.001, 2), source="W supplement: 0.71")
    d_threshold_dark: float = setting(0.45, "the same at low SNR", (0.001, 2), source="W supplement: 0.81")
    d_transition: float = setting(1.0, "D_tr: width of the step from flat to detail, at high SNR", (0.01, 4), source="W supplement: 1.0")
    d_transition_dark: float = setting(1.24, "the same at low SNR", (0.01, 4), source="W supplement: 1.24")
    k_stretch: float = setting(2.0, "stretching of the kernel along an edge", (1, 10), source="W: 4")
    k_shrink: float = setting(1.2, "shrinking of the kernel across an edge", (1, 10), source="W: 2")

    def __post_init__(self) -> None:
        validate(self, "covariance")


@dataclass(frozen=True)
class RobustnessSettings:
    """Flow and noise to robustness."""

    enabled: bool = setting(True, "false: every aligned sample counts in full")
    tolerance: float = setting(0.12, "mean d^2 / sigma^2 at which robustness has fallen by e", (0.001, 10), source="W: 1, of single values instead of means")
    threshold: float = setting(0.12, "t", (0, 1), source="W: 0.12")
    s_moving: float = setting(2.0, "s1, where the flow varies", (0.1, 100), source="W: 2")
    s_still: float = setting(12.0, "s2, elsewhere", (0.1, 100), source="W: 12")
    flow_variation_px: float = setting(0.8, "M_th: spread of the flow in 3 x 3 tiles that counts as varying", (0.01, 100), unit="raw pixels", source="W: 0.8")

    def __post_init__(self) -> None:
        validate(self, "robustness")


@dataclass(frozen=True)
class MergeSettings:
    """Samples to image."""

    fallback_weight: float = setting(
        0.05, "weight of the reference's own interpolated colour, which fills in where frames gave none", (1e-6, 1), unit="samples"
    )
    single_significance: float = setting(4.0, "how far detail of the reference's own image must exceed its noise to be a starting point", (0, 1000))
    passes: int = setting(1, "times the image is sharpened by what it leaves unexplained of the frames; 0 = the plain kernel merge", (0, 5), source="W: 0")
    gain: float = setting(1.3, "step of each pass", (0, 2))
    significance: float = setting(1.0, "how far the unexplained must exceed its noise", (0, 1000), unit="variances")
    chroma_significance: float = setting(12.0, "how far colour detail must exceed its noise to stay; 0 = colour is not smoothed", (0, 1000), unit="variances")

    def __post_init__(self) -> None:
        validate(self, "merge")


@dataclass(frozen=True)
class ReconstructSettings:
    """Merged image to reconstruction; mode "best" only."""

    psf_sigma_px: float = setting(
        0.0,
        "standard deviation of the lens's Gaussian blur, besides the pixel's own square; taken 0.9 times, since too wide a lens rings",
        (0, 1.5),
        unit="raw pixels",
    )
    steps: int = setting(10, "at most so many outer iterations of shrinkage and data fit", (1, 50))
    iterations: int = setting(12, "at most so many conjugate-gradient iterations in each of them", (1, 50))
    first: float = setting(18.0, "standard deviation of what shrinkage may change at first, over that of the samples' noise at an output pixel", (0.1, 1000))
    last: float = setting(0.4, "the same in the last iteration", (0.1, 1000))
    threshold: float = setting(2.0, "cosine coefficients below this are set to 0", (0, 10), unit="standard deviations of the noise")
    wiener: float = setting(0.8, "noise variance of luma's coefficients that the second filter assumes, over their own", (0, 10))
    chroma_noise: float = setting(0.5, "noise variance that colour differences are assumed to have, over their own", (0, 100))
    chroma_pull: float = setting(0.6, "how much more colour differences follow the shrunk image than luma does", (0, 100))
    offset: float = setting(0.001, "added to white-balanced values before the square root", (1e-4, 1))
    enough: float = setting(0.02, "stop when the shrunk image's misfit exceeds the sharpest's by less than this", (0, 10), unit="noise variances of a sample")
    blend: float = setting(0.6, "share of the shrunk image in the result", (0, 1))
    light: float = setting(
        0.0, "share of the light that shrinkage takes from faint stars that is given back: 1 for photometry, at the price of colour noise", (0, 1)
    )
    motion_passes: int = setting(0, "times the motion is refined against the reconstruction, which is then made anew; each doubles the time", (0, 5))
    second_look: bool = setting(True, "frames that robustness rejects count where an image of all frames explains them")

    def __post_init__(self) -> None:
        validate(self, "reconstruct")


@dataclass(frozen=True)
class FinishSettings:
    """Linear camera RGB to display. The DNG has none of it."""

    tone: float = setting(1.0, "strength of the contrast curve; 0 = plain sRGB", (0, 1))
    sharpen: float = setting(0.5, "amount of the unsharp mask on luma; 0 = none", (0, 3))
    sharpen_radius_px: float = setting(1.0, "standard deviation of its Gaussian", (0.3, 5), unit="output pixels")
    exposure_ev: float = setting(0.0, "brightening", (-5, 5), unit="stops")

    def __post_init__(self) -> None:
        validate(self, "finish")


@dataclass(frozen=True)
class Settings:
    """A run's settings. Defaults are right for hand-held bursts."""

    scale: float = setting(2.0, "output pixels per raw pixel, per axis; any real number", (1, 4))
    mode: Literal["fast", "best"] = setting("fast", "fast: align and merge; best: and reconstruct", choices=MODES)
    reference: int | None = setting(None, "index of the frame whose geometry the image has, from 0; auto: the sharpest", (0, 10_000))
    measure_noise: bool = setting(True, "measure the noise of the result, for its NoiseProfile and its record")
    defects: DefectSettings = field(default_factory=DefectSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    covariance: CovarianceSettings = field(default_factory=CovarianceSettings)
    robustness: RobustnessSettings = field(default_factory=RobustnessSettings)
    merge: MergeSettings = field(default_factory=MergeSettings)
    reconstruct: ReconstructSettings = field(default_factory=ReconstructSettings)
    finish: FinishSettings = field(default_factory=FinishSettings)

    def __post_init__(self) -> None:
        validate(self)

    def for_snr(self, snr: float) -> Settings:
        """Settings for a burst whose mean-to-noise ratio is `snr` (dimensionless, clipped to 6 .. 30; W supplement, table 1).

        Every field with a `_dark` twin becomes the value between the two, and its twin the same.
        """
        t = (min(max(snr, SNR_LOW), SNR_HIGH) - SNR_LOW) / (SNR_HIGH - SNR_LOW)
        c = self.covariance

        def between(dark: float, bright: float) -> float:
            return dark + t * (bright - dark)

        k_detail, k_denoise = between(c.k_detail_dark_px, c.k_detail_px), between(c.k_denoise_dark, c.k_denoise)
        d_threshold, d_transition = between(c.d_threshold_dark, c.d_threshold), between(c.d_transition_dark, c.d_transition)
        covariance = replace(
            c,
            k_detail_px=k_detail,
            k_detail_dark_px=k_detail,
            k_denoise=k_denoise,
            k_denoise_dark=k_denoise,
            d_threshold=d_threshold,
            d_threshold_dark=d_threshold,
            d_transition=d_transition,
            d_transition_dark=d_transition,
        )
        return replace(self, covariance=covariance)


def read_settings(base: Settings, path: Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    """`base` changed by a file, then by assignments such as "covariance.k_detail_px=0.3" or "scale=1.5".

    path: TOML, JSON of the same form, or the record (JSON) beside a result, of which the settings it was made with are taken.
    Raises SettingsError for an unreadable file, an unknown name, a value of the wrong kind or out of range.
    """
    settings = base
    if path is not None:
        try:
            settings = changed(settings, _settings_in(read_table(path)))
        except InputFileError as error:
            raise SettingsError(f"--settings {error}") from error
        except SettingsError as error:
            raise SettingsError(f"{error} ({path})") from error
    for assignment in assignments:
        try:
            settings = changed(settings, _table_of(assignment))
        except SettingsError as error:
            raise SettingsError(f"--set {error}") from error
    return settings


def _settings_in(table: dict[str, Any]) -> dict[str, Any]:
    """The settings of a file: all of it, or, of a result's record, those that were asked for."""
    asked = table.get(_ASKED)
    if not isinstance(asked, dict):
        return table
    known = {f.name for f in fields(Settings)}
    return {name: value for name, value in asked.items() if name in known}


def _table_of(assignment: str) -> dict[str, Any]:
    """An assignment "stage.key=value" as the table of a file. The value is TOML, or a bare word."""
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"{assignment}: must be STAGE.KEY=VALUE, such as robustness.threshold=0.2")
    value: Any = text.strip()
    with suppress(ValueError, RecursionError):
        value = tomllib.loads(f"value = {' '.join(text.splitlines())}")["value"]
    for key in reversed(name.strip().split(".")):
        value = {key: value}
    table: dict[str, Any] = value
    return table
