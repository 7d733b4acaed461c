"""Motion that is not one plane: the tiles' field refined on small cells, under a prior that is local, keeps discontinuities and knows rolling shutters.

Minimises over the field f of cells, with the motion of the whole frame as its centre c,
    sum_p rho(ref(p) - frame(p + f))  +  b sum_t |f_t - c_t|^2  +  sum_<ts> log(1 + |f_t - f_s|^2 / s^2)
by Gauss-Newton steps: the first term is Geman and McClure's, the last Student's t, which lets neighbours part where their pixels insist on it. Its scale s
falls from step to step, so that cells first go where their own pixels want, then are held together (graduated, as Blake & Zisserman 1987).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import dense_loops
from burstsr.align.fisher import SECOND_DIFFERENCE_NOISE, noise_gain
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows

Floats = NDArray[np.float32]
CELL_PX = 8
_LOOSE_PX = (0.3, 0.2, 0.1, 0.05, 0.02)  # s, of each step: by how much neighbouring cells may differ for nothing
_TOWARDS = 1.0  # b, 1/px^2: a cell without structure or neighbours lies within a pixel of the whole frame's motion
_SWEEPS = 16
_NOISE_TIMES = 32.0  # variance of e, in those of its noise, at which a pixel's weight is a quarter
_ALIAS_SQUARED = 0.2  # px^2, the same for what alias and motion within a cell leave on slopes
_FARTHEST_PX = 4.0
_ALIAS_PX = 0.06  # error of a usual cell's motion that no amount of light removes
_FINE = 0.7  # squared second over squared first differences (tan^2 pi f) from which structure folds back on itself
_STEEP = 4  # power with which that error grows from there
_COMMON = 0.1  # share of such cells from which the scene is a test chart, or bars, and every cell's own motion is doubted
_DOUBT = 40.0
_GAIN = (0.2, 0.5)  # of what is unexplained, by which the refinement must lower it: from none of it is kept to all
_NOISE_COST = 0.9  # a pixel's, of noise alone
_NOISE_SHARE = 0.05  # of noise's cost that counts as unexplained
_FEWEST_SHARE = 0.05  # of the cells: fewer that promise a gain are alias
_NOISE_EXCESS = 1.2  # cost over that of noise, and
_USUAL_ERROR_PX = 0.15  # error of motion, that need no refinement
_LEAST_GAIN = 8.0  # noise variances, over 3 x 3 cells, that count for nothing
_USUAL_GAIN = (0.8, 1.25)
_TRIAL = 2  # step after which frames that gain nothing are left as they are
_ROW_STEPS = (1, 3)  # after which rows are looked at
_ROW_SIGNAL_PX = 0.02  # a rolling shutter's wobble counts from this RMS on
_VARIANCE = 0.5  # of what a sum of slopes times e has of noise, a pixel and unit of slope: low frequencies keep nearly all of it
_SIGNIFICANT = 3.0 * np.sqrt(2.0 * 4.0)  # deviations by which structure must exceed noise, whose neighbouring pixels are correlated


class DenseRefinement:
    """Refines fields against one reference.

    reference: (H, W) its luma, noise of deviation one (`luma`).
    """

    def __init__(self, reference: Floats) -> None:
        self._reference = reference
        self._shape = (tile_count(reference.shape[0], CELL_PX), tile_count(reference.shape[1], CELL_PX))
        self._alias = _alias_px(reference, self._shape)
        rows, columns = (tile_centre(np.arange(n), CELL_PX) for n in self._shape)
        self._y, self._x = np.meshgrid(rows, columns, indexing="ij")

    def refined(self, frame: Floats, start: Flow, whole: Flow, strength: float) -> Flow:
        """Refine a field to cells of CELL_PX.

        frame: its luma. start: the tiles' own motion. whole: that of the whole frame. strength: factor of the prior.
        """
        affine, own = (np.asarray(flow.at(self._y, self._x), np.float32) for flow in (whole, start))
        doubt = np.clip((self._alias / _ALIAS_PX - 1.2) / 4, 0, 1).astype(np.float32)[..., None]
        begin = own + doubt * (affine - own)
        unrefined = Flow(begin, CELL_PX) if doubt.any() else start
        gain = _gain(self._reference, frame, affine)
        sums = np.zeros((*self._shape, dense_loops.SUMS), np.float32)
        active = np.ones(self._shape, np.uint8)
        self._add_up(frame, gain, begin, active, sums)
        active = self._unexplained(sums)
        if not active.any():
            return unrefined
        before, field, rigid = sums[..., 6].copy(), begin.copy(), affine
        for step, loose in enumerate(_LOOSE_PX):
            if step in _ROW_STEPS:
                rigid = affine + _row_motion(field - affine, self._equations(sums, field, affine)[0])[:, None]
            deviation = field - rigid
            dense_loops.smooth(_SWEEPS, *self._equations(sums, field, rigid), _TOWARDS * strength, loose / np.sqrt(strength), deviation)
            field = np.clip(rigid + deviation, begin - _FARTHEST_PX, begin + _FARTHEST_PX).astype(np.float32)
            self._add_up(frame, gain, field, active, sums)
            if step == _TRIAL:
                active &= self._promising(before - sums[..., 6], sums)
                if not active.any():
                    return unrefined
        return Flow(begin + self._kept(before - sums[..., 6], sums) * active[..., None] * (field - begin), CELL_PX)

    def _add_up(self, frame: Floats, gain: float, field: Floats, active: NDArray[np.uint8], sums: Floats) -> None:
        """Set `sums` (nty, ntx, SUMS) of the active cells to what their pixels say where the field puts them."""
        noise = np.float32(_NOISE_TIMES * noise_gain(0)[0])
        arguments = (self._reference, frame, np.float32(gain), CELL_PX, field, noise, np.float32(_ALIAS_SQUARED), active, sums)
        over_rows(dense_loops.residual_sums, self._shape[0], *arguments)

    def _unexplained(self, sums: Floats) -> NDArray[np.uint8]:
        """(nty, ntx) 1 in and around cells of which the start leaves more unexplained than noise and a usual error of motion do."""
        variance, gradient = noise_gain(0)
        around = _around(sums)
        structure = np.maximum(around[..., 0] + around[..., 2] - 2 * np.float32(gradient) * around[..., 5], 0)
        usual = np.float32(2 * variance * _NOISE_COST * _NOISE_EXCESS) * around[..., 7] + np.float32(_USUAL_ERROR_PX**2) * structure
        return np.asarray(cv2.dilate((around[..., 6] > usual).astype(np.uint8), np.ones((7, 7), np.uint8)))

    def _promising(self, gained: Floats, sums: Floats) -> NDArray[np.uint8]:
        """(nty, ntx) 1 in and around cells that are explained clearly better; all 0 where these are few: most frames need no refinement."""
        share = self._share(gained, sums)
        if np.count_nonzero(share > 0.5) < _FEWEST_SHARE * share.size:
            return np.zeros(self._shape, np.uint8)
        return np.asarray(cv2.dilate((share > 0).astype(np.uint8), np.ones((7, 7), np.uint8)))

    def _equations(self, sums: Floats, field: Floats, centre: Floats) -> tuple[Floats, Floats]:
        """Information (nty, ntx, 3) of each cell's deviation from `centre`, and information times deviation (nty, ntx, 2)."""
        data, target = np.empty((*self._shape, 3), np.float32), np.empty((*self._shape, 2), np.float32)
        constants = (self._alias, noise_gain(0)[1], _VARIANCE, _SIGNIFICANT)
        over_rows(dense_loops.cell_equations, self._shape[0], sums, field, centre, *constants, data, target)
        return data, target

    def _kept(self, gained: Floats, sums: Floats) -> Floats:
        """(nty, ntx, 1) share of the refinement that is kept: where it explains clearly more than the start does. Less is alias."""
        return _around(np.asarray(cv2.dilate(self._share(gained, sums), np.ones((5, 5), np.uint8)), np.float32))[..., None]

    def _share(self, gained: Floats, sums: Floats) -> Floats:
        """(nty, ntx) 0 to 1: how clearly a gain in cost stands out of what is unexplained, over 3 x 3 cells."""
        scale = np.float32(9 / (2 * noise_gain(0)[0]))
        gained, left, pixels = (_around(v) for v in (gained * scale, sums[..., 6] * scale, 9 * sums[..., 7]))
        noise = pixels * np.float32(_NOISE_COST)
        relative = (gained - np.float32(_LEAST_GAIN)) / (np.maximum(left - noise, 0) + np.float32(_NOISE_SHARE) * noise + np.float32(1))
        return np.asarray(np.clip((relative - _GAIN[0]) / (_GAIN[1] - _GAIN[0]), 0, 1), np.float32)


def _around(values: Floats) -> Floats:
    """Mean over 3 x 3 cells."""
    return np.asarray(cv2.blur(values, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)


def _gain(reference: Floats, frame: Floats, whole: Floats) -> float:
    """The reference's mean over the frame's, where both show the scene: exposure differs a little from frame to frame, and lamps flicker."""
    dy, dx = (round(float(v)) for v in np.median(whole.reshape(-1, 2), axis=0))
    height, width = reference.shape
    own = reference[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
    other = frame[max(dy, 0) : height - max(-dy, 0), max(dx, 0) : width - max(-dx, 0)]
    if own.size < reference.size // 4:
        return 1.0
    ratio = float(own.mean(dtype=np.float64)) / max(float(other.mean(dtype=np.float64)), 1e-6)
    return ratio if _USUAL_GAIN[0] < ratio < _USUAL_GAIN[1] else 1.0


def _alias_px(reference: Floats, shape: tuple[int, int]) -> Floats:
    """Error of each cell's motion that comes from alias, raw pixels, (nty, ntx).

    Natural scenes have little power near the sampling limit; where there is much, there is more beyond it, and what is seen of that moves in other ways.
    """
    sums = np.empty((*shape, 3), np.float32)
    over_rows(dense_loops.detail_sums, shape[0], reference, CELL_PX, sums)
    around = _around(sums)
    pixels = np.maximum(around[..., 2], 1e-6)
    slope, bend = around[..., 0] / pixels - 2 * noise_gain(0)[1], around[..., 1] / pixels - 2 * SECOND_DIFFERENCE_NOISE
    structured = slope > 0.3
    fineness = np.where(structured, np.maximum(bend, 0) / np.maximum(slope, 1e-6), 0)
    share = float((fineness > 0.8 * _FINE).mean())
    common = 1 + _DOUBT * max(share - _COMMON, 0.0)
    return np.asarray(_ALIAS_PX * common * (1 + (fineness / _FINE) ** _STEEP), np.float32)


def _row_motion(deviation: Floats, information: Floats) -> Floats:
    """(nty, 2) motion of whole rows besides the affine one, smoothed along them: a hand's tremor seen by a rolling shutter; zeros where it is not significant.

    deviation (nty, ntx, 2) of cells, information (nty, ntx, 3) as yy, yx, xx. Robust means of rows (Geman-McClure weights).
    """
    worth = information[..., 0] + information[..., 2]
    if not (worth > 0).any():
        return np.zeros((deviation.shape[0], 2), np.float32)
    worth = worth / (worth + np.float32(np.median(worth[worth > 0])))
    weight = worth
    for _ in range(4):
        total = np.maximum(weight.sum(axis=1), 1e-6)
        mean = (weight[..., None] * deviation).sum(axis=1) / total[:, None]
        away = np.square(deviation - mean[:, None]).sum(axis=2)
        usual = np.maximum((weight * np.minimum(away, 1)).sum(axis=1) / total, _ROW_SIGNAL_PX**2)[:, None]
        weight = worth * np.square(usual / (usual + away))
    spread = (weight * away).sum(axis=1) / total / 2
    error = spread * 4 / np.maximum(total**2 / np.maximum(np.square(weight).sum(axis=1), 1e-6), 1)  # four neighbouring cells err alike
    signal = float(mean.var(axis=0).sum() / 2 - np.median(error))
    if signal < _ROW_SIGNAL_PX**2:
        return np.zeros_like(mean)
    shrunk = np.pad(mean * (signal / (signal + error))[:, None], ((1, 1), (0, 0)), mode="edge")
    return np.asarray(0.25 * shrunk[:-2] + 0.5 * shrunk[1:-1] + 0.25 * shrunk[2:], np.float32)
