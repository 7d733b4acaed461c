"""All settings of the program, one frozen dataclass per stage, in order of execution.

Nothing edits settings; `for_snr` returns those that fit a burst. Each field carries its meaning, unit, range, and the value and section of
the paper as metadata (`burstsr.core.fields`), which the validator, the help and `burstsr settings` read (W = Wronski et al. 2019, "Handheld Multi-Frame
Super-Resolution", and its supplement).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from burstsr.core.deprecated import old_names, takes_old_names
from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import parsed_crop, setting, validate
from burstsr.core.lens_field import LensField
from burstsr.core.tables import changed, read_table

SNR_LOW, SNR_HIGH = 6.0, 30.0  # W, supplement: settings change between these mean-to-sigma ratios
MODES = ("fast", "best")
_ASKED = "settings_asked"  # key of the requested settings in the record of a result


@dataclass(frozen=True)
class DefectSettings:
    """Detection and repair of defective pixels."""

    repair: bool = setting(True, "repair pixels that stand out in every frame, and those that are given or in a profile; false: neither")
    threshold_sigma: float = setting(8.0, "least difference of a defective pixel from all its neighbours of the same colour", (3, 100), unit="noise sigma")

    def __post_init__(self) -> None:
        validate(self, "defects")


@takes_old_names("align")
@dataclass(frozen=True)
class AlignSettings:
    """Motion estimation: frames to flow."""

    tile_px: int = setting(16, "tile size, at every SNR (tiles are regularised, not enlarged)", (8, 128), unit="raw pixels", source="W supplement: 16 to 64")
    search_px: int = setting(4, "block-matching radius at every pyramid level", (1, 16), unit="pixels of the level", source="W supplement: 1 to 4")
    iterations: int = setting(4, "Gauss-Newton iterations of the sub-pixel registration; 0 = integer pixels only", (0, 20), source="W supplement: 3")
    regularisation: float = setting(1.0, "weight with which tiles are regularised towards the global motion; 0 = none", (0, 100))
    refine: bool = setting(True, "refine the motion on cells of 8 px, where that explains the frames better: foliage, parallax, rolling shutters")

    def __post_init__(self) -> None:
        validate(self, "align")


@takes_old_names("kernels")
@dataclass(frozen=True)
class KernelSettings:
    """Merge kernels from local structure."""

    k_detail_px: float = setting(0.18, "standard deviation of the kernel on detail, at high SNR", (0.1, 2), unit="raw pixels", source="W supplement: 0.25")
    k_detail_low_snr_px: float = setting(0.2, "the same at low SNR", (0.1, 2), unit="raw pixels", source="W supplement: 0.33")
    k_denoise: float = setting(3.0, "widening of the kernel in flat areas, at high SNR", (1, 10), source="W supplement: 3")
    k_denoise_low_snr: float = setting(5.0, "the same at low SNR", (1, 10), source="W supplement: 5")
    d_threshold: float = setting(0.4, "D_th: gradient below which a pixel counts as flat, at high SNR", (0.001, 2), source="W supplement: 0.71")
    d_threshold_low_snr: float = setting(0.45, "the same at low SNR", (0.001, 2), source="W supplement: 0.81")
    d_transition: float = setting(1.0, "D_tr: width of the transition from flat to detail, at high SNR", (0.01, 4), source="W supplement: 1.0")
    d_transition_low_snr: float = setting(1.24, "the same at low SNR", (0.01, 4), source="W supplement: 1.24")
    k_stretch: float = setting(2.0, "elongation of the kernel along an edge", (1, 10), source="W: 4")
    k_shrink: float = setting(1.2, "narrowing of the kernel across an edge", (1, 10), source="W: 2")

    def __post_init__(self) -> None:
        validate(self, "kernels")


@takes_old_names("robustness")
@dataclass(frozen=True)
class RobustnessSettings:
    """Robustness against misalignment and motion."""

    enabled: bool = setting(True, "down-weight samples that contradict the reference; false: every aligned sample has weight 1")
    mismatch_scale: float = setting(0.12, "mean d^2 / sigma^2 at which R has fallen by a factor of e", (0.001, 10), source="W: 1, of values instead of means")
    threshold: float = setting(0.12, "t: subtracted from R before clipping to 0 .. 1", (0, 1), source="W: 0.12")
    s1: float = setting(2.0, "scale of R where the flow varies (motion)", (0.1, 100), source="W: 2")
    s2: float = setting(12.0, "scale of R elsewhere", (0.1, 100), source="W: 12")
    flow_variation_px: float = setting(0.8, "M_th: spread of the flow over 3 x 3 tiles that counts as varying", (0.01, 100), unit="raw pixels", source="W: 0.8")

    def __post_init__(self) -> None:
        validate(self, "robustness")


@takes_old_names("merge")
@dataclass(frozen=True)
class MergeSettings:
    """Kernel merge, back-projection and chroma denoising."""

    fallback_weight: float = setting(0.05, "weight of the demosaiced reference, which fills areas without samples", (1e-6, 1), unit="samples")
    reference_detail_threshold: float = setting(4.0, "detail of the demosaiced reference is used above this", (0, 1000), unit="noise sigma")
    back_projection_iterations: int = setting(1, "iterations of back-projecting the frames' residuals; 0 = the plain kernel merge", (0, 5), source="W: 0")
    step_size: float = setting(1.3, "step size of back-projection", (0, 2))
    predicted_step: float = setting(1.7, "size of a second step of back-projection, of luma, predicted from the first; 0 = none", (0, 4), unit="step_size")
    residual_snr_threshold: float = setting(1.0, "residuals are added above this", (0, 1000), unit="noise variances")
    chroma_snr_threshold: float = setting(12.0, "chroma is kept where its mean over 3 raw pixels exceeds this; 0 = keep all", (0, 1000), unit="noise variances")

    def __post_init__(self) -> None:
        validate(self, "merge")


@takes_old_names("reconstruct")
@dataclass(frozen=True)
class ReconstructSettings:
    """Model-based reconstruction; mode "best" only."""

    psf_sigma_px: float = setting(
        0.0,
        "sigma of the lens's Gaussian PSF, in addition to the pixel area; multiplied by 0.9, since too wide a PSF causes ringing; 0: see measure_lens_blur",
        (0, 1.5),
        unit="raw pixels",
    )
    psf_corner_sigma_px: float = setting(
        0.0,
        "the same in the corners of the frame, where most lenses blur more: between, its square grows with the square of the distance from the centre; "
        "0: psf_sigma_px everywhere",
        (0, 1.5),
        unit="raw pixels",
    )
    measure_lens_blur: bool = setting(True, "without psf_sigma_px: measure the lens blur in the burst, and correct the part of it that is certain")
    outer_iterations: int = setting(10, "maximum number of outer iterations (denoising and data fit)", (1, 50))
    cg_iterations: int = setting(12, "maximum number of conjugate-gradient iterations in each of them", (1, 50))
    sigma_start: float = setting(18.0, "denoising strength of the first outer iteration", (0.1, 1000), unit="noise sigma of an output pixel")
    sigma_end: float = setting(0.4, "the same of the last iteration", (0.1, 1000), unit="noise sigma of an output pixel")
    dct_threshold: float = setting(2.0, "DCT coefficients below this are set to 0", (0, 10), unit="noise sigma")
    wiener_noise_factor: float = setting(0.8, "noise variance that the Wiener filter assumes for luma coefficients, relative to the estimated one", (0, 10))
    chroma_noise: float = setting(0.5, "noise variance assumed for chroma, relative to the estimated one", (0, 100))
    chroma_penalty: float = setting(0.6, "weight of the prior for chroma, relative to luma", (0, 100))
    sqrt_offset: float = setting(0.001, "offset added to white-balanced values before the square root", (1e-4, 1))
    stop_tolerance: float = setting(0.02, "stop when denoising raises the data misfit by less than this", (0, 10), unit="noise variances of a sample")
    denoised_fraction: float = setting(0.6, "fraction of the denoised image in the result; the rest is the data fit", (0, 1))
    light: float = setting(0.0, "fraction of the flux removed from faint stars that is restored: 1 for photometry, at the cost of colour noise", (0, 1))
    flow_refinements: int = setting(0, "times the flow is refined against the reconstruction, which is then repeated; each doubles the time", (0, 5))
    blur_refinements: int = setting(3, "times the blur kernels of blurred frames are estimated from parts of the image; 0: Gaussians, from spectra", (0, 10))
    recheck_rejected_frames: bool = setting(True, "reconsider rejected frames: use them where a reconstruction from all frames explains them")

    @property
    def lens_is_given(self) -> bool:
        """Whether the lens's blur is given."""
        return max(self.psf_sigma_px, self.psf_corner_sigma_px) > 0

    def lens(self, shape: tuple[int, int]) -> LensField:
        """Return the given blur of the lens over frames of `shape` (H, W)."""
        return LensField.of_frame(shape, self.psf_sigma_px, self.psf_corner_sigma_px or self.psf_sigma_px)

    def __post_init__(self) -> None:
        validate(self, "reconstruct")


@dataclass(frozen=True)
class FinishSettings:
    """Rendering of display formats; the DNG is not affected."""

    tone: float = setting(1.0, "strength of the contrast curve; 0 = plain sRGB", (0, 1))
    sharpen: float = setting(0.5, "amount of unsharp masking of luma; 0 = none", (0, 3))
    sharpen_radius_px: float = setting(1.0, "sigma of its Gaussian", (0.3, 5), unit="output pixels")
    exposure_ev: float = setting(0.0, "exposure compensation", (-5, 5), unit="stops")
    compress_highlights: bool = setting(True, "fit what a bracket has above saturation into the range of a display; false: clip it, as in other bursts")

    def __post_init__(self) -> None:
        validate(self, "finish")


@takes_old_names()
@dataclass(frozen=True)
class Settings:
    """A run's settings. Defaults are right for hand-held bursts."""

    scale: float = setting(2.0, "magnification: output pixels per raw pixel, per axis; any real number", (1, 4))
    mode: Literal["fast", "best"] = setting("fast", "fast: align and merge; best: then reconstruct", choices=MODES)
    crop: str = setting("", "region of interest Y,X,H,W: first row and column, height and width; '' = no crop", unit="raw pixels of the reference")
    zoom: float = setting(1.0, "without a crop: process the centre of the frames, 1 / zoom of height and width", (1, 64))
    reference: int | None = setting(None, "index of the reference frame, 0-based, in natural name order; auto: the sharpest", (0, 10_000))
    weigh_blur: bool = setting(True, "frames that are blurred against the reference count less, or not at all")
    safeguard: bool = setting(True, "where frames contradict each other, use only the reference and the frames that agree with it")
    correct_lateral: bool = setting(True, "best: correct lateral chromatic aberration, that of the lens record or what the burst shows significantly")
    measure_noise: bool = setting(True, "measure the noise of the result, for its NoiseProfile and record")
    defects: DefectSettings = field(default_factory=DefectSettings)
    align: AlignSettings = field(default_factory=AlignSettings)
    kernels: KernelSettings = field(default_factory=KernelSettings)
    robustness: RobustnessSettings = field(default_factory=RobustnessSettings)
    merge: MergeSettings = field(default_factory=MergeSettings)
    reconstruct: ReconstructSettings = field(default_factory=ReconstructSettings)
    finish: FinishSettings = field(default_factory=FinishSettings)

    def __post_init__(self) -> None:
        validate(self)
        if self.crop:
            parsed_crop(self.crop)

    def for_snr(self, snr: float) -> Settings:
        """Return the settings for a burst whose mean-to-noise ratio is `snr` (dimensionless, clipped to 6 .. 30; W supplement, table 1).

        Every field with a `_low_snr` counterpart is interpolated between the two, and so is the counterpart.
        """
        t = (min(max(snr, SNR_LOW), SNR_HIGH) - SNR_LOW) / (SNR_HIGH - SNR_LOW)
        c = self.kernels

        def between(low: float, high: float) -> float:
            return low + t * (high - low)

        k_detail, k_denoise = between(c.k_detail_low_snr_px, c.k_detail_px), between(c.k_denoise_low_snr, c.k_denoise)
        d_threshold, d_transition = between(c.d_threshold_low_snr, c.d_threshold), between(c.d_transition_low_snr, c.d_transition)
        kernels = replace(
            c,
            k_detail_px=k_detail,
            k_detail_low_snr_px=k_detail,
            k_denoise=k_denoise,
            k_denoise_low_snr=k_denoise,
            d_threshold=d_threshold,
            d_threshold_low_snr=d_threshold,
            d_transition=d_transition,
            d_transition_low_snr=d_transition,
        )
        return replace(self, kernels=kernels)


def read_settings(base: Settings, path: Path | None = None, assignments: Iterable[str] = ()) -> Settings:
    """Change `base` by a file, then by assignments such as "kernels.k_detail_px=0.3" or "scale=1.5".

    path: TOML, JSON of the same form, or the record (JSON) beside a result, whose requested settings are used. Old names of settings are accepted with
    a logged warning. Raises SettingsError for an unreadable file, an unknown name, a value of the wrong type or out of range.
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
    """Return the settings of a file: the whole table, or, for the record of a result, the requested settings."""
    asked = table.get(_ASKED)
    if not isinstance(asked, dict):
        return table
    known = {f.name for f in fields(Settings)} | old_names(Settings).keys()
    return {name: value for name, value in asked.items() if name in known}


def _table_of(assignment: str) -> dict[str, Any]:
    """Parse an assignment "stage.key=value" into the table of a settings file. The value is TOML, or a bare word."""
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
