"""Every knob of the program, one frozen dataclass per stage, in order of execution.

Nothing edits settings; `for_snr` returns those that fit a burst. Each field says meaning, unit, range, and the paper's value and place
(W = Wronski et al. 2019, "Handheld Multi-Frame Super-Resolution", and its supplement).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from burstsr.ground.errors import SettingsError

SNR_LOW, SNR_HIGH = 6.0, 30.0  # W, supplement: settings change between these mean-to-deviation ratios


def _between(owner: object, name: str, low: float, high: float) -> None:
    value = getattr(owner, name)
    if not low <= value <= high:
        raise SettingsError(f"{type(owner).__name__}.{name} = {value}: allowed is {low} to {high}")


@dataclass(frozen=True)
class DefectSettings:
    """Pixels of the sensor that lie."""

    repair: bool = True  # repair pixels that stand out in every frame
    threshold_sigma: float = 8.0  # noise deviations by which such a pixel exceeds all neighbours of its colour; 3 to 100

    def __post_init__(self) -> None:
        _between(self, "threshold_sigma", 3, 100)


@dataclass(frozen=True)
class AlignSettings:
    """Frames to flow."""

    tile_px: int = 16  # raw pixels along a tile, at every SNR (tiles lean on each other instead of growing); 8 to 128; W supplement: 16 to 64
    search_px: int = 4  # block-matching radius at every pyramid level, in pixels of the level; 1 to 16; W supplement: 1 to 4
    iterations: int = 4  # Gauss-Newton steps of the sub-pixel registration; 0 = whole pixels only; 0 to 20; W supplement: 3
    prior: float = 1.0  # how strongly a tile without structure follows the motion of the whole frame; 0 = not at all; 0 to 100

    def __post_init__(self) -> None:
        _between(self, "tile_px", 8, 128)
        _between(self, "search_px", 1, 16)
        _between(self, "iterations", 0, 20)
        _between(self, "prior", 0, 100)


@dataclass(frozen=True)
class CovarianceSettings:
    """Structure to merge kernels."""

    k_detail_px: float = 0.18  # deviation of the kernel on detail, at high SNR; 0.1 to 2; W supplement: 0.25
    k_detail_dark_px: float = 0.2  # the same at low SNR; W supplement: 0.33
    k_denoise: float = 3.0  # widening of the kernel where the frame is flat, at high SNR; 1 to 10; W supplement: 3
    k_denoise_dark: float = 5.0  # the same at low SNR; W supplement: 5
    d_threshold: float = 0.4  # D_th: gradient below which a place counts as flat, at high SNR; 0.001 to 2; W supplement: 0.71
    d_threshold_dark: float = 0.45  # the same at low SNR; W supplement: 0.81
    d_transition: float = 1.0  # D_tr: width of the step from flat to detail, at high SNR; 0.01 to 4; W supplement: 1.0
    d_transition_dark: float = 1.24  # the same at low SNR; W supplement: 1.24
    k_stretch: float = 2.0  # kernel along an edge; 1 to 10; W: 4
    k_shrink: float = 1.2  # kernel across an edge; 1 to 10; W: 2

    def __post_init__(self) -> None:
        for name, low, high in (("k_detail_px", 0.1, 2), ("k_denoise", 1, 10), ("d_threshold", 0.001, 2), ("d_transition", 0.01, 4)):
            _between(self, name, low, high)
            dark = name.replace("_px", "") + "_dark" + ("_px" if name.endswith("_px") else "")
            _between(self, dark, low, high)
        _between(self, "k_stretch", 1, 10)
        _between(self, "k_shrink", 1, 10)


@dataclass(frozen=True)
class RobustnessSettings:
    """Flow and noise to trust."""

    enabled: bool = True  # off: every aligned sample counts in full
    tolerance: float = 0.12  # mean d^2 / sigma^2 at which trust has fallen by e; 0.001 to 10; W: 1, of single values, not means
    threshold: float = 0.12  # t; 0 to 1; W: 0.12
    s_moving: float = 2.0  # s1, where the flow varies; 0.1 to 100; W: 2
    s_still: float = 12.0  # s2, elsewhere; 0.1 to 100; W: 12
    flow_variation_px: float = 0.8  # M_th: spread of the flow in 3 x 3 tiles that counts as varying; 0.01 to 100; W: 0.8

    def __post_init__(self) -> None:
        _between(self, "tolerance", 0.001, 10)
        _between(self, "threshold", 0, 1)
        for name in ("s_moving", "s_still"):
            _between(self, name, 0.1, 100)
        _between(self, "flow_variation_px", 0.01, 100)


@dataclass(frozen=True)
class MergeSettings:
    """Samples to picture."""

    fallback_weight: float = 0.05  # weight, in samples, of the reference's own interpolated colour: it fills in where frames gave none; 1e-6 to 1
    single_significance: float = 4.0  # how far detail of the reference's own picture must exceed its noise to be a starting point; 0 to 1000
    passes: int = 1  # times the picture is sharpened by what it leaves unexplained of the frames; 0 = the plain kernel merge (W); 0 to 5
    gain: float = 1.3  # step of each pass; 0 to 2
    significance: float = 1.0  # how far the unexplained must exceed its noise, in variances; 0 to 1000

    chroma_significance: float = 12.0  # how far colour detail must exceed its noise, in variances, to stay; 0 = colour is not smoothed; 0 to 1000

    def __post_init__(self) -> None:
        _between(self, "chroma_significance", 0, 1000)
        _between(self, "fallback_weight", 1e-6, 1)
        _between(self, "single_significance", 0, 1000)
        _between(self, "passes", 0, 5)
        _between(self, "gain", 0, 2)
        _between(self, "significance", 0, 1000)


@dataclass(frozen=True)
class ReconstructSettings:
    """Merged picture to reconstruction; mode "best" only."""

    psf_sigma_px: float = (
        0.0  # deviation of the lens's Gaussian blur in raw pixels, the pixel's own square beside; taken 0.9 times, since too wide a lens rings; 0 to 1.5
    )
    steps: int = 10  # most turns of shrinking and explaining; 1 to 50
    iterations: int = 12  # most, of conjugate gradients in each turn; 1 to 50
    first: float = 18.0  # deviation of what shrinking may change at first, over that of the samples' noise at an output pixel; 0.1 to 1000
    last: float = 0.4  # the same in the last turn; 0.1 to 1000
    threshold: float = 2.0  # noise deviations below which a cosine coefficient falls; 0 to 10
    wiener: float = 0.8  # noise variance of luma's coefficients that the second filter reckons with, over what they carry; 0 to 10
    chroma_noise: float = 0.5  # noise variance that colour differences are taken to carry, over what they carry; 0 to 100
    chroma_pull: float = 0.6  # how much more colour differences follow the shrunk picture than luma does; 0 to 100
    offset: float = 0.001  # added to white-balanced values before the square root; 1e-4 to 1
    enough: float = 0.02  # stop when the shrunk picture's misfit exceeds the sharpest's by less than this, in noise variances of a sample; 0 to 10
    blend: float = 0.6  # share of the shrunk picture in the result; 0 to 1
    motion_passes: int = 0  # times the motion is refined against the reconstruction, which is then made anew; each doubles the time; 0 to 5
    second_look: bool = True  # frames that robustness distrusts count where a picture of all frames explains them

    def __post_init__(self) -> None:
        _between(self, "psf_sigma_px", 0, 1.5)
        _between(self, "steps", 1, 50)
        _between(self, "iterations", 1, 50)
        for name in ("first", "last"):
            _between(self, name, 0.1, 1000)
        for name in ("threshold", "wiener"):
            _between(self, name, 0, 10)
        for name in ("chroma_noise", "chroma_pull"):
            _between(self, name, 0, 100)
        _between(self, "offset", 1e-4, 1)
        _between(self, "enough", 0, 10)
        _between(self, "blend", 0, 1)
        _between(self, "motion_passes", 0, 5)


@dataclass(frozen=True)
class FinishSettings:
    """Linear camera RGB to display. The DNG has none of it."""

    tone: float = 1.0  # strength of the contrast curve; 0 = plain sRGB; 0 to 1
    sharpen: float = 0.5  # amount of the unsharp mask on luma; 0 = none; 0 to 3
    sharpen_radius_px: float = 1.0  # its Gaussian's deviation in output pixels; 0.3 to 5
    exposure_ev: float = 0.0  # brightening in stops; -5 to 5

    def __post_init__(self) -> None:
        _between(self, "tone", 0, 1)
        _between(self, "sharpen", 0, 3)
        _between(self, "sharpen_radius_px", 0.3, 5)
        _between(self, "exposure_ev", -5, 5)


@dataclass(frozen=True)
class Settings:
    """A run's settings. Defaults are right for hand-held bursts."""

    scale: float = 2.0  # output pixels per raw pixel along an axis, any real number; 1 to 4
    mode: Literal["fast", "best"] = "fast"  # fast = align and merge; best = and reconstruct
    reference: int | None = None  # frame whose geometry the picture has, counted from 0; None = the sharpest
    defects: DefectSettings = field(default_factory=DefectSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    covariance: CovarianceSettings = field(default_factory=CovarianceSettings)
    robustness: RobustnessSettings = field(default_factory=RobustnessSettings)
    merge: MergeSettings = field(default_factory=MergeSettings)
    reconstruct: ReconstructSettings = field(default_factory=ReconstructSettings)
    finish: FinishSettings = field(default_factory=FinishSettings)

    def __post_init__(self) -> None:
        _between(self, "scale", 1, 4)
        modes = get_args(get_type_hints(Settings)["mode"])
        if self.mode not in modes:
            raise SettingsError(f"Settings.mode = {self.mode!r}: allowed is {' or '.join(modes)}")
        if self.reference is not None:
            _between(self, "reference", 0, 10_000)

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
    """`base` changed by a TOML file, then by assignments such as "covariance.k_detail_px=0.3" or "scale=1.5".

    Raises SettingsError for an unreadable file, an unknown name, a value of the wrong kind or out of range.
    """
    settings = base
    if path is not None:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: not a readable TOML file ({error})") from error
        settings = _changed(settings, table, str(path))
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise SettingsError(f"{assignment!r}: expected stage.key=value")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text  # a bare word
        table = {}
        inner: dict[str, Any] = table
        *stages, key = name.strip().split(".")
        for stage in stages:
            inner[stage] = inner = {}
        inner[key] = value
        settings = _changed(settings, table, repr(assignment))
    return settings


def _changed(owner: Any, table: Mapping[str, Any], source: str) -> Any:  # noqa: ANN401  any dataclass in, the same out
    known = {f.name for f in fields(owner)}
    changes: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            raise SettingsError(f"{source}: {type(owner).__name__} has no {name!r}; it has {', '.join(sorted(known))}")
        old = getattr(owner, name)
        if is_dataclass(old):
            if not isinstance(value, Mapping):
                raise SettingsError(f"{source}: {name} is a group of settings, not a value")
            changes[name] = _changed(old, value, source)
            continue
        if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        expected = type(old) if old is not None else int
        if type(value) is not expected:
            raise SettingsError(f"{source}: {name} = {value!r} is a {type(value).__name__}, expected a {expected.__name__}")
        changes[name] = value
    try:
        return replace(owner, **changes)
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from error
