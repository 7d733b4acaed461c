"""Solution of a tile: robustness of its samples, shrinkage and conjugate gradients in turn, and what is done where frames contradict each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.noise import Noise
from burstsr.reconstruct import blur_kernels, cg_loops, normal_matrix_loops
from burstsr.reconstruct.agreement import FEWEST_CELLS, contradicted, excess, falling, rising
from burstsr.reconstruct.aligned import aligned
from burstsr.reconstruct.data import Sampling, TileData
from burstsr.reconstruct.equations import NormalEquations
from burstsr.reconstruct.explained import keep_explained, without_aliases, without_dots
from burstsr.reconstruct.lens_taps import lens_taps
from burstsr.reconstruct.prior import Prior
from burstsr.reconstruct.task import Task
from burstsr.reconstruct.tiles import Tile

Floats = NDArray[np.float32]
_LEAST_INFORMATION = 0.05  # of the tile's mean: lower limit of the information that scales the penalty
_AROUND = (5, 5)  # pixels over which the information of a colour is averaged; that of a single plane, which has all samples, is not
_ALL_ACCEPTED = 0.995  # mean robustness of a tile above which rejected frames are not rechecked
_COARSE = 0.1  # share of the iterations with fewer blocks
_KNOWN = 0.8  # share of the iterations after which the previous z serves as luma's pilot: it changes little, which saves one filter
_RECHECK_STEPS = 4
_SETTLED = 1e-5  # conjugate gradients stop at this mean squared step over variance; further steps change 0.003 dB
_RECHECK_SETTLED = 3e-4  # the same where only misfits are needed
_REFERENCE_MISFIT = (2.5, 4.0)  # squared residual over variance of the reference, predicted from the others: from consistent to inconsistent
_BRIGHTNESS = (2.5, 3.5)  # standard errors of a frame's difference in brightness: from equal to different
_ACCEPTANCE = (0.8, 1.0)  # robustness: from rejected to accepted in full
_FRAME_MISFIT = (1.4, 2.0)  # the same of a frame that was used itself, hence lower
_MOTION_ERROR_PX = 0.05  # typical, raw pixels
_CONTRADICTION = (2.5, 3.5)  # squared residuals relative to those expected from noise and such errors: from none to full
_AGREEMENT = (1.0, 2.0)  # the same of a frame relative to the reference alone, which has less detail: from agreeing to contradicting
_COARSE_ERROR_PX = 0.1
_SUPPORT = (0.5, 1.5)  # effective number of agreeing frames besides the reference: from none to enough
_ALONE = 0.5  # share of the reference's own image where none agrees


@dataclass(frozen=True)
class Solved:
    """Outcome of one tile. accepted: (N,) mean robustness. residual: of probed tiles only."""

    image: Floats
    iterations: int
    rechecked: bool
    accepted: NDArray[np.float64]
    residual: float | None = None


class Solver:
    """Parameters common to all tiles."""

    def __init__(self, task: Task) -> None:
        self._task, self._settings = task, task.settings
        self._inverses = [view.flow.inverse() for view in task.views]
        self._neutral = task.neutral[: task.planes.shape[2]]
        self._least_offset = _stabilising(task.noise) if len(self._neutral) == 1 else 0.0
        self._balance = None if len(self._neutral) == 1 else self._neutral.astype(np.float32)  # no colour differences

    def solve(self, tile: Tile, probe: bool = False) -> Solved:
        """Return the tile's image, margins included."""
        start = tile.cut(self._task.planes)
        prior = Prior(start, self._neutral, self._settings, self._least_offset)
        data = self._data(tile, start)
        robustness_maps, rechecked = self._robustness_maps(data, prior, start)
        equations = data.equations(robustness_maps)
        x, iterations = self._conjugate_gradient(data, equations, prior, start)
        x, robustness_maps, equations, own = self._reconciled(tile, (data, prior, start), robustness_maps, equations, x)
        x = without_dots(data, robustness_maps, x, start, self._task.scale)
        x = without_aliases(data, robustness_maps, x, start, self._task.scale, own)
        x = data.relit(x, equations, self._settings.light)
        x = keep_explained(data, robustness_maps, x, start)
        solved = Solved(x, iterations, rechecked, np.array([t.mean(dtype=np.float64) for t in robustness_maps]))
        if not probe:
            return solved
        misfit = np.concatenate([m[(t > 0.5) & np.isfinite(m)] for m, t in zip(data.misfits(x), robustness_maps, strict=True)])
        return replace(solved, residual=float(misfit.mean()) if misfit.size else 0.0)

    def probe(self, tile: Tile) -> blur_kernels.Probe:
        """Return the tile's image as the lens blurs it, without the checks of `solve`, and the positions of all samples on it."""
        start = tile.cut(self._task.planes)
        prior = Prior(start, self._neutral, self._settings)
        data = self._data(tile, start)
        robustness_maps, _ = self._robustness_maps(data, prior, start)
        x, _ = self._conjugate_gradient(data, data.equations(robustness_maps), prior, start, recheck=True)
        return blur_kernels.Probe(data.blurred(x), data.positions)

    def _data(self, tile: Tile, start: Floats) -> TileData:
        t = self._task
        taps = lens_taps(t.lens_px(*tile.centre), t.scale)
        return TileData(tile, t.views, self._inverses, start, Sampling(t.noise, t.scale, taps, t.defects, t.lateral))

    def _robustness_maps(self, data: TileData, prior: Prior, start: Floats) -> tuple[list[Floats], bool]:
        """Return the robustness per view and CFA cell, with rejected frames rechecked, and whether they were: robustness mistakes aliasing for motion.

        An image is reconstructed from all frames but the reference. Where it predicts the reference, the scene is static, and every frame that it explains is
        accepted in full. Elsewhere only samples with high robustness are used: an image fitted to contradicting samples has ringing.
        """
        reference, firm = self._task.reference, [rising(t, *_ACCEPTANCE) for t in data.robustness_maps]
        robustness_maps = [data.robustness_maps[i] if i == reference else t for i, t in enumerate(firm)]
        others = [t for i, t in enumerate(robustness_maps) if i != reference]
        if others:
            alike = [falling(d, *_BRIGHTNESS) for d in data.brightness(reference)]
            robustness_maps = [t if i == reference else t * a for i, (t, a) in enumerate(zip(robustness_maps, alike, strict=True))]
        if not others or not self._settings.recheck_rejected_frames or np.mean([t.mean() for t in others]) > _ALL_ACCEPTED:
            return robustness_maps, False
        optimistic = [np.zeros_like(t) if i == reference else alike[i] for i, t in enumerate(robustness_maps)]
        x, _ = self._conjugate_gradient(data, data.equations(optimistic), prior, start, recheck=True)
        misfits = data.misfits(x)
        still = cv2.erode(falling(misfits[reference], *_REFERENCE_MISFIT), np.ones((3, 3), np.uint8))
        accepted = [t + (a - t) * still * falling(m, *_FRAME_MISFIT) for t, a, m in zip(robustness_maps, alike, misfits, strict=True)]
        return [t if i == reference else np.asarray(b, np.float32) for i, (t, b) in enumerate(zip(robustness_maps, accepted, strict=True))], True

    def _reconciled(
        self, tile: Tile, fit: tuple[TileData, Prior, Floats], robustness_maps: list[Floats], equations: NormalEquations, x: Floats
    ) -> tuple[Floats, list[Floats], NormalEquations, tuple[int, Floats] | None]:
        """Solve the tile again where frames contradict each other: residuals are larger than noise and motion errors explain.

        Uses the reference and the frames consistent with it; where there are none, the result is blended with the single-frame image of the reference. Also
        returns the reference's index and that image, if frames contradict each other.
        """
        data, prior, start = fit
        task = self._task
        if task.alone is None or len(robustness_maps) == 1:
            return x, robustness_maps, equations, None
        conflict = contradicted(data, data.weighted(robustness_maps), x, _MOTION_ERROR_PX, _CONTRADICTION)
        if np.count_nonzero(conflict) < FEWEST_CELLS:
            return x, robustness_maps, equations, None
        alone = tile.cut_rows(task.alone_rows, (task.image.shape[0], task.image.shape[1]))
        agreed = self._agreed(data, prior, start, alone, [t * (i == task.reference or 1 - conflict) for i, t in enumerate(robustness_maps)])
        robustness_maps = [t if i == task.reference else t * (1 - conflict * (1 - a)) for i, (t, a) in enumerate(zip(robustness_maps, agreed, strict=True))]
        equations = data.equations(robustness_maps)
        x, _ = self._conjugate_gradient(data, equations, prior, start)
        support = np.stack([t for i, t in enumerate(data.weighted(robustness_maps)) if i != task.reference]).sum(axis=0)
        left = conflict * falling(np.asarray(cv2.blur(support, (3, 3)), np.float32), *_SUPPORT)
        x = np.asarray(x + np.float32(_ALONE) * data.of_pixels(left) * (alone - x), np.float32)
        return x, robustness_maps, equations, (task.reference, alone)

    def _agreed(self, data: TileData, prior: Prior, start: Floats, alone: Floats, robustness_maps: list[Floats]) -> list[Floats]:
        """Return, per view, the agreement, (m, n) from 0 to 1, with the reference's own image or with one reconstructed without contradicting samples."""
        sharp, _ = self._conjugate_gradient(data, data.equations(robustness_maps), prior, start, recheck=True)
        pairs = zip(excess(data, alone, _COARSE_ERROR_PX), excess(data, sharp, _COARSE_ERROR_PX), strict=True)
        return [falling(np.minimum(a, b), *_AGREEMENT) for a, b in pairs]

    def _conjugate_gradient(self, data: TileData, equations: NormalEquations, prior: Prior, start: Floats, recheck: bool = False) -> tuple[Floats, int]:
        """Alternate between shrinkage and conjugate gradients, at first with fewer blocks; recheck: fewer iterations, all with fewer blocks.

        Returns the image and the number of outer iterations.
        """
        s = self._settings
        steps, coarse, settled = (_RECHECK_STEPS, 1.0, _RECHECK_SETTLED) if recheck else (s.outer_iterations, _COARSE, _SETTLED)
        information = np.stack([cv2.blur(plane, _AROUND) for plane in equations.information]) if len(start) > 1 else equations.information
        least = data.least_information if data.is_bracket else information.mean() * np.float32(_LEAST_INFORMATION) + np.float32(1e-9)
        information = np.maximum(information, least)
        x, seen, pull, scratch = aligned(start.shape), aligned(start.shape), aligned(start.shape), normal_matrix_loops.scratch_for(start.shape)
        x[:] = start
        z, done, enough = x, 0, s.stop_tolerance * equations.samples
        for turn, weak in enumerate(np.geomspace(s.sigma_start, s.sigma_end, steps)):
            np.multiply(information, np.float32(1 / (weak * weak)), out=pull)
            z = prior.prox(x, np.reciprocal(pull), turn, turn >= coarse * steps, z if turn >= _KNOWN * s.outer_iterations else None)
            if turn == 0:
                x[:] = z
                normal_matrix_loops.seen_of(equations.normal, equations.wide, data.taps, x, seen, scratch)
            args = (pull, np.float32(s.chroma_penalty), self._balance, z, s.cg_iterations, settled)
            least = cg_loops.conjugate_gradient(equations.normal, equations.wide, data.taps, equations.right, *args, x, seen, scratch)
            done += 1
            if self._task.iterations is not None:
                if done == self._task.iterations:
                    break
            elif least < enough and cg_loops.misfit_difference(equations.normal, equations.wide, data.taps, equations.right, z, x, seen, scratch) < enough:
                break
        z = prior.prox(x, np.reciprocal(pull), done, not recheck, z if done >= _KNOWN * s.outer_iterations else None)
        return np.float32(s.denoised_fraction) * z + np.float32(1 - s.denoised_fraction) * x, done


def unsharpened(task: Task) -> Floats:
    """Return the image of a small task, (p, H', W'), in a single tile, as the lens blurs it."""
    height, width = task.image.shape[:2]
    tile = Tile(0, height, 0, width, 0)
    return Solver(task).probe(tile).seen[..., :height, :width]


def robustness_of_share(accepted: float) -> float:
    """Return the robustness that counts as `accepted`, 0 to 1, after `_ACCEPTANCE`."""
    return _ACCEPTANCE[0] + (_ACCEPTANCE[1] - _ACCEPTANCE[0]) * accepted if accepted > 0 else 0.0


def _stabilising(noise: Noise) -> float:
    """Return the offset, at most 1, that gives square roots the same noise at every level: beta / alpha (Anscombe 1948). One plane has one; colours differ."""
    return float(min(noise.beta[0] / max(noise.alpha[0], 1e-12), 1.0))
