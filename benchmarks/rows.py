"""The compared methods. A row is a function from a shot to (round(s H), round(s W), 3) float32 linear camera RGB in frame 0's geometry."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shots import Shot, settings_of
from benchmarks.stacks import drizzled, optical_flow_mean
from burstsr import super_resolve
from burstsr.core.burst import Burst, Frame
from burstsr.core.cfa import GREEN
from burstsr.core.errors import SettingsError
from burstsr.core.sensor import clipped_samples, samples
from burstsr.io.dng import write_cfa_dng
from burstsr.quality.baseline import single_frame

Floats = NDArray[np.float32]
_GAMMA = 2.2
_BILINEAR = np.array([[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]])
_BILINEAR_GREEN = np.array([[0.0, 0.25, 0.0], [0.25, 1.0, 0.25], [0.0, 0.25, 0.0]])


@dataclass(frozen=True)
class Row:
    """One method. single: uses frame 0 only. needs: required optional package. aligned: uses the pipeline's flow."""

    key: str
    title: str
    image: Callable[[Shot], Floats]
    single: bool = False
    needs: str = ""
    aligned: bool = False

    @property
    def missing(self) -> bool:
        """Whether its package is not installed."""
        return bool(self.needs) and find_spec(self.needs) is None


def bilinear(shot: Shot) -> Floats:
    """Demosaic bilinearly, upscale bicubically, both in linear RGB."""
    return upscaled(bilinear_frame(shot.burst.frames[0]), shot.scale)


def bilinear_frame(frame: Frame) -> Floats:
    """(H, W, 3): the mean of the nearest samples of each colour."""
    x = clipped_samples(frame)
    image = np.empty((*x.shape, 3), np.float32)
    for channel in range(3):
        own = frame.info.cfa.channel_map((x.shape[0], x.shape[1])) == channel
        kernel = _BILINEAR_GREEN if channel == GREEN else _BILINEAR
        image[..., channel] = cv2.filter2D(np.where(own, x, np.float32(0)), cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
    return image


def dht(shot: Shot) -> Floats:
    """LibRaw's DHT demosaicing, Lanczos upscaling (`burstsr.quality.baseline`), from a DNG of frame 0."""
    with tempfile.TemporaryDirectory(prefix="burstsr-benchmark-") as folder:
        path = Path(folder) / "frame.dng"
        write_cfa_dng(path, shot.burst.frames[0], bits=shot.made.settings.bits)
        return single_frame(path, shot.colour.as_shot_neutral, shot.scale)


def menon(shot: Shot) -> Floats:
    """Apply `menon_frame` to frame 0."""
    return menon_frame(shot.burst.frames[0], shot.scale)


def menon_frame(frame: Frame, scale: float) -> Floats:
    """Menon 2007 (colour-demosaicing), white-balanced and in a gamma of 1/2.2, bicubic upscaling in that gamma: the best single frame.

    Negative samples are clipped, as raw converters do: 0.6 to 0.8 dB better at ISO 1600 and 3200 than a gamma that keeps their sign.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells everybody that it found no matplotlib
        from colour_demosaicing import demosaicing_CFA_Bayer_Menon2007

    neutral = frame.info.colour.as_shot_neutral
    gain = (neutral.max() / neutral).astype(np.float32)
    x = np.clip(samples(frame.mosaic, frame.info.levels), np.float32(0), np.float32(1))
    x *= gain[frame.info.cfa.channel_map((x.shape[0], x.shape[1]))]
    curved = x ** np.float32(1 / _GAMMA)
    large = upscaled(np.asarray(demosaicing_CFA_Bayer_Menon2007(curved, frame.info.cfa_order), np.float32), scale)
    return np.asarray(np.maximum(large, 0) ** np.float32(_GAMMA) / gain, np.float32)


def ours(shot: Shot) -> Floats:
    """Run the pipeline."""
    return super_resolve(shot.burst, settings_of(shot.scale)).image


def ours_with_true_motion(shot: Shot) -> Floats:
    """Run the pipeline with the true motion: the limit for better alignment."""
    return super_resolve(shot.burst, settings_of(shot.scale), flows=shot.true_flows).image


def best(shot: Shot) -> Floats:
    """Run mode best with the known lens blur."""
    return super_resolve(shot.burst, settings_of(shot.scale, "best", shot.psf_px)).image


def best_with_true_motion(shot: Shot) -> Floats:
    """Run mode best with the true motion too."""
    return super_resolve(shot.burst, settings_of(shot.scale, "best", shot.psf_px), flows=shot.true_flows).image


def ours_of_one(shot: Shot) -> Floats:
    """Run the pipeline on frame 0 only."""
    return super_resolve(Burst(shot.burst.name, shot.burst.frames[:1]), settings_of(shot.scale)).image


def upscaled(image: Floats, scale: float) -> Floats:
    """Upscale bicubically in the output geometry of a burst's result."""
    return image if scale == 1 else np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.float32)


def drizzle(shot: Shot) -> Floats:
    """Run STScI drizzle; empty pixels are filled from the bilinear image."""
    return drizzled(shot, bilinear(shot))


ROWS = (
    Row("bilinear", "bilinear + bicubic", bilinear, single=True),
    Row("dht", "rawpy DHT + Lanczos", dht, single=True),
    Row("menon", "Menon + bicubic", menon, single=True, needs="colour_demosaicing"),
    Row("dis", "mean of DIS-warped frames", optical_flow_mean),
    Row("drizzle", "drizzle, our flow", drizzle, needs="drizzle", aligned=True),
    Row("ours", "burstsr", ours),
    Row("ours-true-motion", "burstsr, true motion", ours_with_true_motion),
    Row("best", "burstsr best", best),
    Row("best-true-motion", "burstsr best, true motion", best_with_true_motion),
)
TITLES = {row.key: row.title for row in ROWS}
MODES = ("ours", "best")  # the program's own, motion estimated
OWN = (*MODES, "ours-true-motion", "best-true-motion")
SINGLE = tuple(row.key for row in ROWS if row.single)


def chosen_rows(keys: Iterable[str] | None = None) -> tuple[list[Row], list[str]]:
    """Return the rows named by `keys` (None = all) that can run, and a note for each that cannot. Raises SettingsError for an unknown key."""
    wanted = list(TITLES) if keys is None else list(keys)
    unknown: list[Any] = [key for key in wanted if key not in TITLES]
    if unknown or not wanted:
        raise SettingsError(f"rows = {', '.join(unknown) or 'none'}: allowed is {', '.join(TITLES)}")
    rows = [row for row in ROWS if row.key in wanted]
    notes = [f"row {row.title!r} is left out: package {row.needs} is not installed (pip install 'burstsr[benchmark]')" for row in rows if row.missing]
    return [row for row in rows if not row.missing], notes
