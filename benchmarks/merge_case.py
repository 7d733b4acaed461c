"""Input of `burstsr benchmark merge`, three implementations of the merge, and the check that they agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks import naive_loops
from burstsr.core.burst import Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.coords import output_length, tile_count
from burstsr.core.errors import BurstsrError
from burstsr.core.flow import Flow
from burstsr.core.sensor import clipped_samples
from burstsr.merge import KernelMerge, naive
from burstsr.settings import KernelSettings, MergeSettings

Floats = NDArray[np.float32]
Result = tuple[Floats, Floats]  # image and weight, (H', W', 3)
TILE_PX = 16
FLOOR = MergeSettings().fallback_weight  # weight of black, which stands in for the fallback
_TOLERANCE = 1e-3  # of images of 0 .. 1, and of weights over 1 + weight; measured 4e-5, from the exponential
_TOLERANCE_PER_PX = 5e-7  # of the image's longer side, beside it: positions in float32 are so much coarser there; measured 1.1e-3 at 6000 pixels
_UNDECIDED_PX = 1e-3  # positions closer to the middle between two samples may round either way
_STRIP = 256


class MergeMismatch(BurstsrError):
    """The merge is wrong, so its speed is meaningless."""


@dataclass(frozen=True)
class MergeCase:
    """Input of a merge. Shapes as for `burstsr.merge.KernelMerge`; one flow and one robustness map per frame."""

    frames: tuple[Frame, ...]
    flows: tuple[Flow, ...]
    robustness_maps: tuple[Floats, ...]
    kernel: Floats
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Return (H, W) of a frame."""
        return self.frames[0].info.shape

    @property
    def output_shape(self) -> tuple[int, int]:
        """Return (H', W') of the image."""
        return output_length(self.shape[0], self.scale), output_length(self.shape[1], self.scale)

    @property
    def name(self) -> str:
        """Return a name for messages."""
        return f"{len(self.frames)} frames of {self.shape[1]} x {self.shape[0]} at x{self.scale:g}"


def made_case(shape: tuple[int, int], frames: int, scale: float, seed: int = 0) -> MergeCase:
    """White noise for samples, which forgives no wrong weight; hand-like motion, smooth over the frame; kernels of every size and direction that the
    product's settings allow; robustness of 0.9 to 1. shape: (H, W), even.
    """
    rng = np.random.default_rng(seed)
    levels = Levels(np.array([[500.0, 512.0], [512.0, 520.25]]), 16383.0)
    info = FrameInfo(Path("frame.dng"), shape, Cfa.parse("RGGB"), levels, Colour(np.ones(3)))
    cells = (shape[0] // 2, shape[1] // 2)
    made = tuple(Frame(info, rng.integers(480, 16384, shape, np.uint16)) for _ in range(frames))
    flows = tuple(_smooth_flow(shape, rng) for _ in range(frames))
    robustness_maps = tuple(np.float32(1) - np.float32(0.1) * rng.random(cells, np.float32) for _ in range(frames))
    return MergeCase(made, flows, robustness_maps, _kernels(cells, rng), scale)


def merged(case: MergeCase) -> Result:
    """Run the product's merge, through its public interface."""
    accumulator = KernelMerge(case.scale, case.kernel, FLOOR)
    for frame, flow, robustness in zip(case.frames, case.flows, case.robustness_maps, strict=True):
        accumulator.add(frame, flow, robustness)
    return accumulator.result()


def merged_naively(case: MergeCase) -> Result:
    """Run the naive loop, from DN to image like the product."""
    samples = np.stack([np.pad(clipped_samples(frame), 1, mode="reflect") for frame in case.frames])
    flow, robustness = (np.stack(parts) for parts in ([flow.tiles for flow in case.flows], case.robustness_maps))
    image, weight = (np.empty((*case.output_shape, 3), np.float32) for _ in range(2))
    cfa = np.array(case.frames[0].info.cfa, np.int64)
    naive_loops.direct(samples, cfa, flow, TILE_PX, case.kernel, robustness, case.scale, FLOOR, image, weight)
    return image, weight


def merged_by_paper(case: MergeCase) -> Result:
    """Run `burstsr.merge.naive`, in double precision; for small sizes."""
    height, width = case.output_shape
    num, den = np.zeros((height, 3, width)), np.full((height, 3, width), FLOOR)
    for frame, flow, robustness in zip(case.frames, case.flows, case.robustness_maps, strict=True):
        mosaic = np.pad(clipped_samples(frame).astype(np.float64), naive.BORDER, mode="reflect")
        cfa = np.array(frame.info.cfa, np.int64)
        naive.accumulate(0, height, mosaic, cfa, case.scale, flow.tiles, flow.tile_px, case.kernel.astype(np.float64), robustness.astype(np.float64), num, den)
    naive.normalise(0, height, num, den)
    image, weight = (sums.reshape(height, width, 3).astype(np.float32) for sums in (num, den))
    return image, weight - np.float32(FLOOR)


def undecided(case: MergeCase) -> NDArray[np.bool_]:
    """Return (H', W') where the nearest sample of some frame depends on rounding: there two correct results may differ."""
    out = np.empty(case.output_shape, np.bool_)
    naive_loops.undecided(np.stack([flow.tiles for flow in case.flows]), TILE_PX, case.scale, _UNDECIDED_PX, out)
    return out


def same(found: Result, expected: Result, ties: NDArray[np.bool_], what: str) -> tuple[float, float]:
    """Largest difference of images, and of weights over 1 + weight, outside `ties`. Raises MergeMismatch, which begins with `what`, if too large."""
    worst = [0.0, 0.0]
    tolerance = _TOLERANCE + _TOLERANCE_PER_PX * max(ties.shape)
    for which, name in enumerate(("picture", "weight")):
        if found[which].shape != expected[which].shape:
            raise MergeMismatch(f"{what}: {name} of shape {found[which].shape}, expected {expected[which].shape}")
        for first in range(0, len(ties), _STRIP):
            rows = slice(first, first + _STRIP)
            difference = np.abs(found[which][rows] - expected[which][rows])
            if which == 1:
                difference /= 1 + expected[which][rows]
            difference[ties[rows]] = 0
            if not (difference <= tolerance).all():  # NaN is not
                y, x, c = np.unravel_index(int(np.argmax(np.nan_to_num(difference, nan=np.inf))), difference.shape)
                where = f"output pixel ({first + y}, {x}), {('red', 'green', 'blue')[c]}"
                raise MergeMismatch(f"{what}: {name} differs by {difference[y, x, c]:.2g} at {where}; allowed is {tolerance:g}; no times are given")
            worst[which] = max(worst[which], float(difference.max()))
    return worst[0], worst[1]


def set_naive_threads(threads: int) -> None:
    """Set the threads of the naive loop, which is parallelised by numba."""
    numba.set_num_threads(threads)


def _smooth_flow(shape: tuple[int, int], rng: np.random.Generator) -> Flow:
    tiles = tile_count(shape[0], TILE_PX), tile_count(shape[1], TILE_PX)
    coarse = rng.normal(0, 2, 2) + rng.normal(0, 0.3, (4, 6, 2))
    return Flow(np.ascontiguousarray(cv2.resize(coarse.astype(np.float32), (tiles[1], tiles[0]), interpolation=cv2.INTER_CUBIC)), TILE_PX)


def _kernels(cells: tuple[int, int], rng: np.random.Generator) -> Floats:
    """(h, w, 3) Omega^-1 as (yy, yx, xx): deviations from the narrowest to the widest, logarithmically uniform, in any direction."""
    c = KernelSettings()
    low, high = np.log(c.k_detail_px / c.k_shrink), np.log(c.k_detail_low_snr_px * c.k_denoise_low_snr)
    p, q = (np.exp(np.float32(-2) * (low + (high - low) * rng.random(cells, np.float32))) for _ in range(2))
    angle = np.float32(np.pi) * rng.random(cells, np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([p * sine * sine + q * cosine * cosine, (p - q) * sine * cosine, p * cosine * cosine + q * sine * sine], axis=-1).astype(np.float32)
