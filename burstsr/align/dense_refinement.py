"""Refinement of the motion field on small cells, for motion that is not affine: parallax, independent motion, rolling shutter.

Minimises over the field f of cells, with the global motion c as its centre,
    sum_p rho(ref(p) - frame(p + f))  +  b sum_t |f_t - c_t|^2  +  sum_<ts> log(1 + |f_t - f_s|^2 / s^2)
by Gauss-Newton steps. rho is the Geman-McClure function; the last term is a Student's t prior, which preserves discontinuities that the data support.
Its scale s is reduced from step to step, so that cells first follow their own pixels, then are coupled (graduated non-convexity, Blake & Zisserman 1987).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import dense_loops, field_loops
from burstsr.align.fisher import SECOND_DIFFERENCE_NOISE, noise_gain
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows

Floats = NDArray[np.float32]
CELL_PX = 8
_PRIOR_SCALES_PX = (0.3, 0.2, 0.1, 0.05, 0.02)  # s of each step: difference between neighbouring cells below which the prior hardly penalises
_DAMPING = 1.0  # b, 1/px^2: a cell without structure or neighbours is within about a pixel of the global motion
_SWEEPS = 16
_NOISE_TIMES = 32.0  # e^2, in noise variances, at which a pixel's weight is a quarter
_ALIAS_SQUARED = 0.2  # px^2, times the squared gradient: the same for residuals by aliasing and motion within a cell
_FARTHEST_PX = 4.0
_ALIAS_PX = 0.06  # error of a typical cell's motion that remains without noise: aliasing
_FINE = 0.7  # squared second over squared first differences (tan^2 pi f) above which structure aliases
_STEEP = 4  # exponent with which that error grows with the ratio
_COMMON = 0.1  # share of such cells above which (test charts, bars) the alias error of all cells is raised
_COMMON_FACTOR = 40.0
_GAIN = (0.2, 0.5)  # relative reduction of the unexplained cost: below the first the refinement is discarded, from the second kept in full
_NOISE_COST = 0.9  # expected cost of a pixel by noise alone
_NOISE_SHARE = 0.05  # fraction of the noise cost that counts as unexplained
_FEWEST_SHARE = 0.05  # of the cells: if fewer improve, it is aliasing
_NOISE_EXCESS = 1.2  # cost relative to that of noise, and
_TYPICAL_ERROR_PX = 0.15  # motion error, up to which a cell needs no refinement
_LEAST_GAIN = 8.0  # noise variances, over 3 x 3 cells, below which a reduction of cost is ignored
_GAIN_RANGE = (0.8, 1.25)
_TRIAL = 2  # step after which frames that do not improve are left unrefined
_ROW_STEPS = (1, 3)  # before which row motion is estimated
_ROW_SIGNAL_PX = 0.02  # RMS above which row motion (rolling shutter) is significant
_VARIANCE = 0.5  # noise variance of sum g e per pixel and squared gradient; low frequencies keep nearly all of it
_SIGNIFICANT = 3.0 * np.sqrt(2.0 * 4.0)  # standard deviations by which structure must exceed noise, which is correlated between neighbouring pixels


class DenseRefinement:
    """Refines motion fields against one reference.

    reference: (H, W) its luma, noise of unit standard deviation (`luma`).
    """

    def __init__(self, reference: Floats) -> None:
        self._reference = reference
        self._shape = (tile_count(reference.shape[0], CELL_PX), tile_count(reference.shape[1], CELL_PX))
        self._alias = _alias_px(reference, self._shape)
        rows, columns = (tile_centre(np.arange(n), CELL_PX) for n in self._shape)
        self._y, self._x = np.meshgrid(rows, columns, indexing="ij")

    def refined(self, frame: Floats, start: Flow, whole: Flow, strength: float) -> Flow:
        """Refine a field to cells of CELL_PX.

        frame: its luma. start: regularised tile motion. whole: global motion. strength: factor of the regularisation.
        """
        affine, own = (np.asarray(flow.at(self._y, self._x), np.float32) for flow in (whole, start))
        affine_share = np.clip((self._alias / _ALIAS_PX - 1.2) / 4, 0, 1).astype(np.float32)[..., None]
        begin = own + affine_share * (affine - own)
        unrefined = Flow(begin, CELL_PX) if affine_share.any() else start
        gain = _gain(self._reference, frame, affine)
        sums = np.zeros((*self._shape, dense_loops.SUMS), np.float32)
        active = np.ones(self._shape, np.uint8)
        self._update_sums(frame, gain, begin, active, sums)
        active = self._unexplained(sums)
        if not active.any():
            return unrefined
        before, field, rigid = sums[..., 6].copy(), begin.copy(), affine
        for step, scale in enumerate(_PRIOR_SCALES_PX):
            if step in _ROW_STEPS:
                rigid = affine + _row_motion(field - affine, self._equations(sums, field, affine)[0])[:, None]
            deviation = field - rigid
            field_loops.smooth(_SWEEPS, *self._equations(sums, field, rigid), _DAMPING * strength, scale / np.sqrt(strength), deviation)
            field = np.clip(rigid + deviation, begin - _FARTHEST_PX, begin + _FARTHEST_PX).astype(np.float32)
            self._update_sums(frame, gain, field, active, sums)
            if step == _TRIAL:
                active &= self._promising(before - sums[..., 6], sums)
                if not active.any():
                    return unrefined
        return Flow(begin + self._kept(before - sums[..., 6], sums) * active[..., None] * (field - begin), CELL_PX)

    def _update_sums(self, frame: Floats, gain: float, field: Floats, active: NDArray[np.uint8], sums: Floats) -> None:
        """Compute the sums (nty, ntx, SUMS) of active cells for the motion `field`."""
        noise = np.float32(_NOISE_TIMES * noise_gain(0)[0])
        arguments = (self._reference, frame, np.float32(gain), CELL_PX, field, noise, np.float32(_ALIAS_SQUARED), active, sums)
        over_rows(dense_loops.residual_sums, self._shape[0], *arguments)

    def _unexplained(self, sums: Floats) -> NDArray[np.uint8]:
        """Return (nty, ntx) 1 in and around cells whose cost at the start exceeds that of noise and a typical motion error."""
        variance, gradient = noise_gain(0)
        mean = _mean_3x3(sums)
        structure = np.maximum(mean[..., 0] + mean[..., 2] - 2 * np.float32(gradient) * mean[..., 5], 0)
        typical = np.float32(2 * variance * _NOISE_COST * _NOISE_EXCESS) * mean[..., 7] + np.float32(_TYPICAL_ERROR_PX**2) * structure
        return np.asarray(cv2.dilate((mean[..., 6] > typical).astype(np.uint8), np.ones((7, 7), np.uint8)))

    def _promising(self, gained: Floats, sums: Floats) -> NDArray[np.uint8]:
        """Return (nty, ntx) 1 in and around cells whose cost fell significantly; all 0 where they are few: most frames need no refinement."""
        share = self._share(gained, sums)
        if np.count_nonzero(share > 0.5) < _FEWEST_SHARE * share.size:
            return np.zeros(self._shape, np.uint8)
        return np.asarray(cv2.dilate((share > 0).astype(np.uint8), np.ones((7, 7), np.uint8)))

    def _equations(self, sums: Floats, field: Floats, centre: Floats) -> tuple[Floats, Floats]:
        """Return the information (nty, ntx, 3) about each cell's deviation from `centre`, and information times deviation (nty, ntx, 2)."""
        data, target = np.empty((*self._shape, 3), np.float32), np.empty((*self._shape, 2), np.float32)
        constants = (self._alias, noise_gain(0)[1], _VARIANCE, _SIGNIFICANT)
        over_rows(field_loops.cell_equations, self._shape[0], sums, field, centre, *constants, data, target)
        return data, target

    def _kept(self, gained: Floats, sums: Floats) -> Floats:
        """Return the share (nty, ntx, 1) of the refinement to keep: 1 where it reduces the cost significantly; smaller reductions may be aliasing."""
        return _mean_3x3(np.asarray(cv2.dilate(self._share(gained, sums), np.ones((5, 5), np.uint8)), np.float32))[..., None]

    def _share(self, gained: Floats, sums: Floats) -> Floats:
        """Return the significance, (nty, ntx) 0 to 1, of a reduction in cost relative to the unexplained cost, over 3 x 3 cells."""
        scale = np.float32(9 / (2 * noise_gain(0)[0]))
        gained, left, pixels = (_mean_3x3(v) for v in (gained * scale, sums[..., 6] * scale, 9 * sums[..., 7]))
        noise = pixels * np.float32(_NOISE_COST)
        relative = (gained - np.float32(_LEAST_GAIN)) / (np.maximum(left - noise, 0) + np.float32(_NOISE_SHARE) * noise + np.float32(1))
        return np.asarray(np.clip((relative - _GAIN[0]) / (_GAIN[1] - _GAIN[0]), 0, 1), np.float32)


def _mean_3x3(values: Floats) -> Floats:
    """Return the mean over 3 x 3 cells."""
    return np.asarray(cv2.blur(values, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)


def _gain(reference: Floats, frame: Floats, whole: Floats) -> float:
    """Return the ratio of the reference's mean to the frame's over their overlap: exposure varies slightly between frames, and lamps flicker."""
    dy, dx = (round(float(v)) for v in np.median(whole.reshape(-1, 2), axis=0))
    height, width = reference.shape
    own = reference[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
    other = frame[max(dy, 0) : height - max(-dy, 0), max(dx, 0) : width - max(-dx, 0)]
    if own.size < reference.size // 4:
        return 1.0
    ratio = float(own.mean(dtype=np.float64)) / max(float(other.mean(dtype=np.float64)), 1e-6)
    return ratio if _GAIN_RANGE[0] < ratio < _GAIN_RANGE[1] else 1.0


def _alias_px(reference: Floats, shape: tuple[int, int]) -> Floats:
    """Return the error of each cell's motion caused by aliasing, (nty, ntx) raw pixels.

    Natural scenes have little power near the sampling limit. Where there is much, there is more beyond it, and its aliases move differently.
    """
    sums = np.empty((*shape, 3), np.float32)
    over_rows(dense_loops.detail_sums, shape[0], reference, CELL_PX, sums)
    mean = _mean_3x3(sums)
    pixels = np.maximum(mean[..., 2], 1e-6)
    gradient, curvature = mean[..., 0] / pixels - 2 * noise_gain(0)[1], mean[..., 1] / pixels - 2 * SECOND_DIFFERENCE_NOISE
    structured = gradient > 0.3
    fineness = np.where(structured, np.maximum(curvature, 0) / np.maximum(gradient, 1e-6), 0)
    share = float((fineness > 0.8 * _FINE).mean())
    common = 1 + _COMMON_FACTOR * max(share - _COMMON, 0.0)
    return np.asarray(_ALIAS_PX * common * (1 + (fineness / _FINE) ** _STEEP), np.float32)


def _row_motion(deviation: Floats, information: Floats) -> Floats:
    """Return the motion of whole rows beyond the affine one, (nty, 2), smoothed along y: camera shake under a rolling shutter; zeros if insignificant.

    deviation (nty, ntx, 2) of cells, information (nty, ntx, 3) as yy, yx, xx. Robust row means (Geman-McClure weights).
    """
    base_weight = information[..., 0] + information[..., 2]
    if not (base_weight > 0).any():
        return np.zeros((deviation.shape[0], 2), np.float32)
    base_weight = base_weight / (base_weight + np.float32(np.median(base_weight[base_weight > 0])))
    weight = base_weight
    for _ in range(4):
        total = np.maximum(weight.sum(axis=1), 1e-6)
        mean = (weight[..., None] * deviation).sum(axis=1) / total[:, None]
        distance = np.square(deviation - mean[:, None]).sum(axis=2)
        typical = np.maximum((weight * np.minimum(distance, 1)).sum(axis=1) / total, _ROW_SIGNAL_PX**2)[:, None]
        weight = base_weight * np.square(typical / (typical + distance))
    spread = (weight * distance).sum(axis=1) / total / 2
    error = spread * 4 / np.maximum(total**2 / np.maximum(np.square(weight).sum(axis=1), 1e-6), 1)  # errors are correlated over about four cells
    signal = float(mean.var(axis=0).sum() / 2 - np.median(error))
    if signal < _ROW_SIGNAL_PX**2:
        return np.zeros_like(mean)
    shrunk = np.pad(mean * (signal / (signal + error))[:, None], ((1, 1), (0, 0)), mode="edge")
    return np.asarray(0.25 * shrunk[:-2] + 0.5 * shrunk[1:-1] + 0.25 * shrunk[2:], np.float32)
