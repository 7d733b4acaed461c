"""Reconstruction from the merged image: maximum a posteriori estimate, tile by tile.

The image x minimises  sum_i t_i (a_i . G x - y_i)^2 / (2 v_i) + prior(x):  sample i is the mean over a pixel's area, displaced by the frame's flow, of the
image blurred by the lens (G); v_i is its noise variance and t_i its robustness. Solved by half-quadratic splitting (Geman & Yang 1995) with shrinkage of
DCT coefficients as the prior's proximal map (plug and play: Venkatakrishnan et al. 2013), alternating: the image is shrunk, z; then x is fitted to the
samples with a penalty on its distance from z. The penalty grows until z explains the samples about as well as x does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import special

from burstsr.core import large_arrays
from burstsr.core.blur import AnyBlur
from burstsr.core.lateral import LateralAberration
from burstsr.core.mono import plane_count
from burstsr.core.noise import Noise
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct import blur_kernels, cg_loops, normal_matrix_loops
from burstsr.reconstruct.agreement import FEWEST_CELLS, contradicted, excess, falling, mean_misfit, rising
from burstsr.reconstruct.aligned import aligned
from burstsr.reconstruct.data import Sampling, TileData
from burstsr.reconstruct.equations import NormalEquations
from burstsr.reconstruct.flow_refinement import refined
from burstsr.reconstruct.prior import Prior
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.tiles import Tile, tiles
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]
PSF_FRACTION = 0.9  # of the given sigma of the lens blur: too large a sigma causes ringing, too small a one only blur
SIDE, MARGIN = 216, 12  # output pixels: a tile's own side, and its margin
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
_UNEXPLAINED = (2.5, 4.0)  # mean squared residual over variance: from explained to unexplained
_UNIMPROVED = (0.25, 0.5)  # the same relative to that of the first estimate
_MOTION_ERROR_PX = 0.05  # typical, raw pixels
_CONTRADICTION = (2.5, 3.5)  # squared residuals relative to those expected from noise and such errors: from none to full
_AGREEMENT = (1.0, 2.0)  # the same of a frame relative to the reference alone, which has less detail: from agreeing to contradicting
_COARSE_ERROR_PX = 0.1
_SUPPORT = (0.5, 1.5)  # effective number of agreeing frames besides the reference: from none to enough
_ALONE = 0.5  # share of the reference's own image where none agrees
_BLURRED_PX = 0.4  # RMS length, raw pixels, up to which a Gaussian describes any blur
_PROBES = 6  # tiles whose residuals are reported


@dataclass(frozen=True)
class Reconstruction:
    """Outcome of a reconstruction.

    iterations: outer iterations, mean over tiles. residual: squared residual over variance, mean over the accepted samples of probed tiles.
    rechecked: share of tiles in which rejected frames were rechecked. accepted: (N,) final robustness of each frame, mean over a tile, median over tiles.
    moved: share of tiles whose motion was refined, mean over frames and passes; 0 without passes. blurs: of the frames, as the forward model had them.
    """

    image: Floats
    iterations: float
    residual: float
    rechecked: float
    accepted: NDArray[np.float64]
    moved: float = 0.0
    blurs: tuple[AnyBlur | None, ...] = ()


@dataclass(frozen=True)
class Task:
    """Input of a reconstruction.

    image: (H', W', 3) of the merge. views: registered frames; views[reference] defines the geometry of the image. neutral: (3,) camera RGB of a neutral object.
    defects: (n, 2) raw (y, x) of samples to leave out. iterations: exact number of them, at most `settings.outer_iterations`; None: until the samples
    are explained well enough. alone(first, last): those rows of the single-frame image of the reference, used where no other frame agrees with it; None:
    contradictions are not checked. lateral: chromatic aberration of the samples, to correct.
    """

    image: Floats
    views: Sequence[RegisteredFrame]
    reference: int
    noise: Noise
    neutral: NDArray[np.float64]
    scale: float
    settings: ReconstructSettings
    defects: NDArray[np.int64]
    iterations: int | None = None
    alone: Callable[[int, int], Floats] | None = None
    lateral: LateralAberration | None = None

    @property
    def planes(self) -> Floats:
        """Return what of the image is solved for: all of its channels, of monochrome frames the first one, which the others equal."""
        return self.image[..., : plane_count(self.views[0].frame)]

    def alone_rows(self, first: int, last: int) -> Floats:
        """Return rows of the single-frame image, in the same planes."""
        assert self.alone is not None
        return self.alone(first, last)[..., : plane_count(self.views[0].frame)]


def reconstruct(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """Reconstruct an image from all frames. progress is called with (tiles done, tiles)."""
    shares: list[float] = []
    task = _with_blur_kernels(task)
    outcome = _solved(task, progress)
    for _ in range(task.settings.flow_refinements):
        seen = through_lens(outcome.image, task.settings.psf_sigma_px, task.scale)
        moved = list(task.views)
        for i, view in enumerate(task.views):
            if i != task.reference:
                flow, share = refined(view.frame, view.flow, np.asarray(seen, np.float32), task.noise, task.scale, task.defects)
                moved[i] = replace(view, flow=flow)
                shares.append(share)
        task = replace(task, views=moved)
        outcome = _solved(task, progress)
    outcome = replace(outcome, blurs=tuple(view.blur for view in task.views))
    return replace(outcome, moved=float(np.mean(shares))) if shares else outcome


def _with_blur_kernels(task: Task) -> Task:
    """Return the task with the blur of its frames as kernels, estimated from parts of the image; the same task if no frame is clearly blurred."""
    size = (task.image.shape[0], task.image.shape[1])
    blurred = any(view.blur is not None and view.blur.rms_px > _BLURRED_PX for view in task.views)
    for _ in range(task.settings.blur_refinements if blurred else 0):
        probes = list(in_parallel(_Solver(task).probe, blur_kernels.structured(list(tiles(size, SIDE, MARGIN)), task.planes)))
        blurs = blur_kernels.estimated(probes, [view.blur for view in task.views], task.scale)
        task = replace(task, views=[replace(view, blur=blur) for view, blur in zip(task.views, blurs, strict=True)])
    return task


@dataclass(frozen=True)
class _Solved:
    """Outcome of one tile. accepted: (N,) mean robustness. residual: of probed tiles only."""

    image: Floats
    iterations: int
    rechecked: bool
    accepted: NDArray[np.float64]
    residual: float | None = None


_NOTHING = np.empty((0, 0, 0), np.float32)


def _solved(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """Solve all tiles in parallel."""
    solver, out = _Solver(task), large_arrays.empty(task.planes.shape)
    every = list(tiles((out.shape[0], out.shape[1]), SIDE, MARGIN))
    probed = set(np.linspace(0, len(every) - 1, min(_PROBES, len(every))).astype(int).tolist())

    def solved(index: int) -> _Solved:
        tile = every[index]
        result = solver.solve(tile, probe=index in probed)
        np.minimum(np.moveaxis(result.image[tile.own], 0, 2), 1, out=out[tile.y0 : tile.y1, tile.x0 : tile.x1])
        return replace(result, image=_NOTHING)

    facts: list[_Solved] = []
    for result in in_parallel(solved, range(len(every))):
        facts.append(result)
        progress(len(facts), len(every))
    residuals = [f.residual for f in facts if f.residual is not None]
    accepted = np.asarray(np.median([f.accepted for f in facts], axis=0))
    iterations, rechecked = (float(np.mean([getattr(f, name) for f in facts])) for name in ("iterations", "rechecked"))
    return Reconstruction(out, iterations, float(np.mean(residuals)), rechecked, accepted)


class _Solver:
    """Parameters common to all tiles."""

    def __init__(self, task: Task) -> None:
        self._task, self._settings = task, task.settings
        self._inverses = [view.flow.inverse() for view in task.views]
        self._taps = _lens_taps(task.settings.psf_sigma_px, task.scale)
        self._neutral = task.neutral[: task.planes.shape[2]]
        self._least_offset = _stabilising(task.noise) if len(self._neutral) == 1 else 0.0
        self._balance = None if len(self._neutral) == 1 else self._neutral.astype(np.float32)  # no colour differences

    def solve(self, tile: Tile, probe: bool = False) -> _Solved:
        """Return the tile's image, margins included."""
        start = tile.cut(self._task.planes)
        prior = Prior(start, self._neutral, self._settings, self._least_offset)
        data = self._data(tile, start)
        robustness_maps, rechecked = self._robustness_maps(data, prior, start)
        equations = data.equations(robustness_maps)
        x, iterations = self._conjugate_gradient(data, equations, prior, start)
        x, robustness_maps, equations = self._reconciled(tile, (data, prior, start), robustness_maps, equations, x)
        x = data.relit(x, equations, self._settings.light)
        x = self._keep_explained(data, robustness_maps, x, start)
        solved = _Solved(x, iterations, rechecked, np.array([t.mean(dtype=np.float64) for t in robustness_maps]))
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
        return TileData(tile, t.views, self._inverses, start, Sampling(t.noise, t.scale, self._taps, t.defects, t.lateral))

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
    ) -> tuple[Floats, list[Floats], NormalEquations]:
        """Solve the tile again where frames contradict each other: residuals are larger than noise and motion errors explain.

        Uses the reference and the frames consistent with it; where there are none, the result is blended with the single-frame image of the reference.
        """
        data, prior, start = fit
        task = self._task
        if task.alone is None or len(robustness_maps) == 1:
            return x, robustness_maps, equations
        conflict = contradicted(data, data.weighted(robustness_maps), x, _MOTION_ERROR_PX, _CONTRADICTION)
        if np.count_nonzero(conflict) < FEWEST_CELLS:
            return x, robustness_maps, equations
        alone = tile.cut_rows(task.alone_rows, (task.image.shape[0], task.image.shape[1]))
        agreed = self._agreed(data, prior, start, alone, [t * (i == task.reference or 1 - conflict) for i, t in enumerate(robustness_maps)])
        robustness_maps = [t if i == task.reference else t * (1 - conflict * (1 - a)) for i, (t, a) in enumerate(zip(robustness_maps, agreed, strict=True))]
        equations = data.equations(robustness_maps)
        x, _ = self._conjugate_gradient(data, equations, prior, start)
        support = np.stack([t for i, t in enumerate(data.weighted(robustness_maps)) if i != task.reference]).sum(axis=0)
        left = conflict * falling(np.asarray(cv2.blur(support, (3, 3)), np.float32), *_SUPPORT)
        return np.asarray(x + np.float32(_ALONE) * data.of_pixels(left) * (alone - x), np.float32), robustness_maps, equations

    def _agreed(self, data: TileData, prior: Prior, start: Floats, alone: Floats, robustness_maps: list[Floats]) -> list[Floats]:
        """Return, per view, the agreement, (m, n) from 0 to 1, with the reference's own image or with one reconstructed without contradicting samples."""
        sharp, _ = self._conjugate_gradient(data, data.equations(robustness_maps), prior, start, recheck=True)
        pairs = zip(excess(data, alone, _COARSE_ERROR_PX), excess(data, sharp, _COARSE_ERROR_PX), strict=True)
        return [falling(np.minimum(a, b), *_AGREEMENT) for a, b in pairs]

    def _keep_explained(self, data: TileData, robustness_maps: list[Floats], x: Floats, start: Floats) -> Floats:
        """Return the image where it explains the samples, elsewhere the first estimate: contradicting samples (a blinking lamp, a hot pixel) cause ringing.

        Detail that is slightly misaligned is also left unexplained, but far better explained than by the first estimate.
        """
        robustness_maps = data.weighted(robustness_maps)
        left = mean_misfit(data.misfits(x), robustness_maps)
        if left.max() <= _UNEXPLAINED[0]:
            return x
        before = mean_misfit(data.misfits_of_start(), robustness_maps)
        remaining = np.asarray(left / np.maximum(before, np.float32(1e-6)), np.float32)
        share = data.of_pixels(np.maximum(falling(left, *_UNEXPLAINED), falling(remaining, *_UNIMPROVED)))
        return np.asarray(start + share * (x - start), np.float32)

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
                normal_matrix_loops.seen_of(equations.normal, equations.wide, self._taps, x, seen, scratch)
            args = (pull, np.float32(s.chroma_penalty), self._balance, z, s.cg_iterations, settled)
            least = cg_loops.conjugate_gradient(equations.normal, equations.wide, self._taps, equations.right, *args, x, seen, scratch)
            done += 1
            if self._task.iterations is not None:
                if done == self._task.iterations:
                    break
            elif least < enough and cg_loops.misfit_difference(equations.normal, equations.wide, self._taps, equations.right, z, x, seen, scratch) < enough:
                break
        z = prior.prox(x, np.reciprocal(pull), done, not recheck, z if done >= _KNOWN * s.outer_iterations else None)
        return np.float32(s.denoised_fraction) * z + np.float32(1 - s.denoised_fraction) * x, done


def _stabilising(noise: Noise) -> float:
    """Return the offset, at most 1, that gives square roots the same noise at every level: beta / alpha (Anscombe 1948). One plane has one; colours differ."""
    return float(min(noise.beta[0] / max(noise.alpha[0], 1e-12), 1.0))


def robustness_of_share(accepted: float) -> float:
    """Return the robustness that counts as `accepted`, 0 to 1, after `_ACCEPTANCE`."""
    return _ACCEPTANCE[0] + (_ACCEPTANCE[1] - _ACCEPTANCE[0]) * accepted if accepted > 0 else 0.0


def through_lens(image: Floats, psf_sigma_px: float, scale: float) -> Floats:
    """Return an image (h, w, channels) as the forward model has it before the pixel's area: blurred by a lens of that sigma, raw pixels."""
    taps = _lens_taps(psf_sigma_px, scale)
    return image if taps.size == 1 else np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, taps, taps).reshape(image.shape), np.float32)


def _lens_taps(psf_sigma_px: float, scale: float) -> Floats:
    return _gaussian(PSF_FRACTION * psf_sigma_px * scale)


def _gaussian(sigma: float) -> Floats:
    """Return an odd number of taps with sum 1 and variance sigma^2 in pixels^2, however small: the discrete Gaussian (Lindeberg 1990, eq. 26); [1] for 0."""
    reach = int(np.ceil(3 * sigma)) + 1 if sigma > 0 else 0
    taps = special.ive(np.abs(np.arange(-reach, reach + 1)), sigma**2)
    return np.asarray(taps / taps.sum(), np.float32)
