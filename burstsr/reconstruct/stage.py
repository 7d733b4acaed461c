"""From the merged picture to the one that explains the samples: maximum a posteriori, tile by tile.

The picture x minimises  sum_i t_i (a_i . G x - y_i)^2 / (2 v_i) + prior(x):  sample i is the mean over a pixel's square, moved by the frame's flow, of the
picture blurred by the lens (G); v_i is its noise variance and t_i its trust. Solved by half-quadratic splitting (Geman & Yang 1995) with a shrinkage of
cosine coefficients as the prior's proximal map (plug and play: Venkatakrishnan et al. 2013): in turns the picture is shrunk, z, and pulled to explain
the samples while staying near z, with a pull that grows until z explains them about as well as x does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import special

from burstsr.core.noise import Noise
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct import cg_loops, normal_matrix_loops
from burstsr.reconstruct.agreement import FEWEST_CELLS, contradicted, excess, falling, mean_misfit, rising
from burstsr.reconstruct.aligned import aligned
from burstsr.reconstruct.data import NormalEquations, RegisteredFrame, Sampling, TileData
from burstsr.reconstruct.flow_refinement import refined
from burstsr.reconstruct.prior import Prior
from burstsr.reconstruct.tiles import Tile, tiles
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]
CERTAIN_PSF = 0.9  # of the lens's deviation that is told: too wide a lens rings, too narrow a one only blurs
SIDE, MARGIN = 216, 12  # output pixels: a tile's own, and what is solved around it
_LEAST_INFORMATION = 0.05  # of the tile's mean: places with fewer samples are pulled as if they had so many
_AROUND = (5, 5)  # pixels over which information is averaged
_ALL_TRUSTED = 0.995  # mean trust of a tile from which a second look is not worth its time
_COARSE = 0.1  # share of the turns that shrink fewer blocks
_KNOWN = 0.8  # share of the turns after which the picture of the turn before tells what luma to expect: it changes little, and one filter does
_SECOND_LOOK_STEPS = 4
_SETTLED = 1e-5  # squared steps of conjugate gradients, over variance, from which more of them change next to nothing: 0.003 dB
_SECOND_LOOK_SETTLED = 3e-4  # the same where only misfits are asked for
_REFERENCE_MISFIT = (2.5, 4.0)  # squared residual over variance of the reference, predicted from the others: from consistent to not
_BRIGHTNESS = (2.5, 3.5)  # deviations by which a frame may be brighter than the reference: from the same light to another
_FIRM = (0.8, 1.0)  # robustness's trust, from none to full
_FRAME_MISFIT = (1.4, 2.0)  # the same of a frame that was used itself
_UNEXPLAINED = (2.5, 4.0)  # mean squared residual over variance: from explained to not
_UNIMPROVED = (0.25, 0.5)  # the same over what it was at the start
_MOTION_ERROR_PX = 0.05  # that is usual, raw pixels
_CONTRADICTION = (2.5, 3.5)  # squared residuals over what noise and such errors leave: from none to full
_AGREEMENT = (1.0, 2.0)  # the same of a frame against the reference alone, of which less detail is known: from agreeing to contradicting
_COARSE_ERROR_PX = 0.1
_SUPPORT = (0.5, 1.5)  # frames besides the reference that agree: from none to enough
_ALONE = 0.5  # share of the reference's own image where none does
_PROBES = 6  # tiles whose residuals are reported


@dataclass(frozen=True)
class Reconstruction:
    """What happened.

    turns: of shrinking and explaining, mean over tiles. residual: squared residual over variance, mean over the trusted samples of probed tiles.
    second_looks: share of tiles in which distrusted frames were tried again. believed: (N,) trust that each frame was given in the end, mean over a tile,
    median over tiles. moved: share of tiles whose motion was refined, mean over frames and passes; 0 without passes.
    """

    image: Floats
    turns: float
    residual: float
    second_looks: float
    believed: NDArray[np.float64]
    moved: float = 0.0


@dataclass(frozen=True)
class Task:
    """What to reconstruct. image: (H', W', 3) the merge's. views: registered frames; views[reference] is the one whose geometry the image has.

    neutral: (3,) camera RGB of a neutral object. defects: (n, 2) raw (y, x) of samples to leave out. turns: exactly so many outer iterations, at most
    `settings.outer_iterations`; None: until the samples are explained well enough. alone(first, last): those rows of the image of the reference alone, which
    stands where no other frame agrees with it; None: frames are not asked whether they do.
    """

    image: Floats
    views: Sequence[RegisteredFrame]
    reference: int
    noise: Noise
    neutral: NDArray[np.float64]
    scale: float
    settings: ReconstructSettings
    defects: NDArray[np.int64]
    turns: int | None = None
    alone: Callable[[int, int], Floats] | None = None


def reconstruct(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """Reconstruct an image from all frames. progress is called with (tiles done, tiles)."""
    shares: list[float] = []
    outcome = _solved(task, progress)
    for _ in range(task.settings.flow_refinements):
        sigma = CERTAIN_PSF * task.settings.psf_sigma_px * task.scale
        seen = np.asarray(cv2.GaussianBlur(outcome.image, (0, 0), sigma), np.float32) if sigma > 0 else outcome.image
        moved = list(task.views)
        for i, view in enumerate(task.views):
            if i != task.reference:
                flow, share = refined(view.frame, view.flow, seen, task.noise, task.scale, task.defects)
                moved[i] = replace(view, flow=flow)
                shares.append(share)
        task = replace(task, views=moved)
        outcome = _solved(task, progress)
    return replace(outcome, moved=float(np.mean(shares))) if shares else outcome


@dataclass(frozen=True)
class _Solved:
    """One tile. believed: (N,) mean trust. residual: of probed tiles only."""

    image: Floats
    turns: int
    looked: bool
    believed: NDArray[np.float64]
    residual: float | None = None


_NOTHING = np.empty((0, 0, 0), np.float32)


def _solved(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """All tiles, spread over cores."""
    solver, out = _Solver(task), np.empty_like(task.image)
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
    believed = np.asarray(np.median([f.believed for f in facts], axis=0))
    turns, looked = (float(np.mean([getattr(f, name) for f in facts])) for name in ("turns", "looked"))
    return Reconstruction(out, turns, float(np.mean(residuals)), looked, believed)


class _Solver:
    """What all tiles share."""

    def __init__(self, task: Task) -> None:
        self._task, self._settings = task, task.settings
        self._inverses = [view.flow.inverse() for view in task.views]
        self._taps = _gaussian(CERTAIN_PSF * task.settings.psf_sigma_px * task.scale)
        self._balance = task.neutral.astype(np.float32)

    def solve(self, tile: Tile, probe: bool = False) -> _Solved:
        """The tile's picture, margins included."""
        start = tile.cut(self._task.image)
        prior = Prior(start, self._task.neutral, self._settings)
        data = self._data(tile, start)
        robustness_maps, looked = self._robustness_maps(data, prior, start)
        equations = data.equations(robustness_maps)
        x, turns = self._conjugate_gradient(data, equations, prior, start)
        x, robustness_maps, equations = self._reconciled(tile, (data, prior, start), robustness_maps, equations, x)
        x = data.relit(x, equations, self._settings.light)
        x = self._where_it_explains(data, robustness_maps, x, start)
        solved = _Solved(x, turns, looked, np.array([t.mean(dtype=np.float64) for t in robustness_maps]))
        if not probe:
            return solved
        misfit = np.concatenate([m[(t > 0.5) & np.isfinite(m)] for m, t in zip(data.misfits(x), robustness_maps, strict=True)])
        return replace(solved, residual=float(misfit.mean()) if misfit.size else 0.0)

    def _data(self, tile: Tile, start: Floats) -> TileData:
        t = self._task
        return TileData(tile, t.views, self._inverses, start, Sampling(t.noise, t.scale, self._taps, t.defects))

    def _robustness_maps(self, data: TileData, prior: Prior, start: Floats) -> tuple[list[Floats], bool]:
        """Trust per view and quad. Where robustness distrusted frames they get a second chance: alias looks like motion to it, but not to a picture.

        A picture is made of all frames but the reference. Where it predicts the reference, the scene stood still, and every frame that it explains is
        trusted in full; elsewhere what robustness trusts nearly in full counts, and nothing else: a picture that must explain both of two things that
        contradict each other rings.
        """
        reference, firm = self._task.reference, [rising(t, *_FIRM) for t in data.robustness_maps]
        robustness_maps = [data.robustness_maps[i] if i == reference else t for i, t in enumerate(firm)]
        others = [t for i, t in enumerate(robustness_maps) if i != reference]
        if others:
            alike = [falling(d, *_BRIGHTNESS) for d in data.brightness(reference)]
            robustness_maps = [t if i == reference else t * a for i, (t, a) in enumerate(zip(robustness_maps, alike, strict=True))]
        if not others or not self._settings.recheck_rejected_frames or np.mean([t.mean() for t in others]) > _ALL_TRUSTED:
            return robustness_maps, False
        optimistic = [np.zeros_like(t) if i == reference else alike[i] for i, t in enumerate(robustness_maps)]
        x, _ = self._conjugate_gradient(data, data.equations(optimistic), prior, start, second_look=True)
        misfits = data.misfits(x)
        still = cv2.erode(falling(misfits[reference], *_REFERENCE_MISFIT), np.ones((3, 3), np.uint8))
        believed = [t + (a - t) * still * falling(m, *_FRAME_MISFIT) for t, a, m in zip(robustness_maps, alike, misfits, strict=True)]
        return [t if i == reference else np.asarray(b, np.float32) for i, (t, b) in enumerate(zip(robustness_maps, believed, strict=True))], True

    def _reconciled(
        self, tile: Tile, fit: tuple[TileData, Prior, Floats], robustness_maps: list[Floats], equations: NormalEquations, x: Floats
    ) -> tuple[Floats, list[Floats], NormalEquations]:
        """Make the image anew where it leaves more of the samples unexplained than errors of motion can: there frames contradict each other.

        From the reference, and the frames that the reference alone explains; where none is left, halfway to the image of the reference alone.
        """
        data, prior, start = fit
        task = self._task
        if task.alone is None or len(robustness_maps) == 1:
            return x, robustness_maps, equations
        doubtful = contradicted(data, data.weighted(robustness_maps), x, _MOTION_ERROR_PX, _CONTRADICTION)
        if np.count_nonzero(doubtful) < FEWEST_CELLS:
            return x, robustness_maps, equations
        alone = tile.cut_rows(task.alone, (task.image.shape[0], task.image.shape[1]))
        agreed = self._agreed(data, prior, start, alone, [t * (i == task.reference or 1 - doubtful) for i, t in enumerate(robustness_maps)])
        robustness_maps = [t if i == task.reference else t * (1 - doubtful * (1 - a)) for i, (t, a) in enumerate(zip(robustness_maps, agreed, strict=True))]
        equations = data.equations(robustness_maps)
        x, _ = self._conjugate_gradient(data, equations, prior, start)
        support = np.stack([t for i, t in enumerate(data.weighted(robustness_maps)) if i != task.reference]).sum(axis=0)
        left = doubtful * falling(np.asarray(cv2.blur(support, (3, 3)), np.float32), *_SUPPORT)
        return np.asarray(x + np.float32(_ALONE) * data.of_pixels(left) * (alone - x), np.float32), robustness_maps, equations

    def _agreed(self, data: TileData, prior: Prior, start: Floats, alone: Floats, robustness_maps: list[Floats]) -> list[Floats]:
        """Per view, (m, n) from 0 to 1: where its samples are explained by the reference's own image, or by one reconstructed without doubtful samples."""
        sharp, _ = self._conjugate_gradient(data, data.equations(robustness_maps), prior, start, second_look=True)
        pairs = zip(excess(data, alone, _COARSE_ERROR_PX), excess(data, sharp, _COARSE_ERROR_PX), strict=True)
        return [falling(np.minimum(a, b), *_AGREEMENT) for a, b in pairs]

    def _where_it_explains(self, data: TileData, robustness_maps: list[Floats], x: Floats, start: Floats) -> Floats:
        """The picture where it explains the samples, elsewhere the one that it began with: what contradicts itself (a lamp that blinks, a hot pixel) rings.

        Detail that alignment just misses is left unexplained too, but far better explained than by the start.
        """
        robustness_maps = data.weighted(robustness_maps)
        left = mean_misfit(data.misfits(x), robustness_maps)
        if left.max() <= _UNEXPLAINED[0]:
            return x
        before = mean_misfit(data.misfits_of_start(), robustness_maps)
        remaining = np.asarray(left / np.maximum(before, np.float32(1e-6)), np.float32)
        share = data.of_pixels(np.maximum(falling(left, *_UNEXPLAINED), falling(remaining, *_UNIMPROVED)))
        return np.asarray(start + share * (x - start), np.float32)

    def _conjugate_gradient(self, data: TileData, equations: NormalEquations, prior: Prior, start: Floats, second_look: bool = False) -> tuple[Floats, int]:
        """Shrink and explain in turns, at first with fewer blocks; the second look in fewer turns, all with fewer blocks. Returns the picture and the number
        of turns.
        """
        s = self._settings
        steps, coarse, settled = (_SECOND_LOOK_STEPS, 1.0, _SECOND_LOOK_SETTLED) if second_look else (s.outer_iterations, _COARSE, _SETTLED)
        information = np.stack([cv2.blur(plane, _AROUND) for plane in equations.information])
        information = np.maximum(information, information.mean() * np.float32(_LEAST_INFORMATION) + np.float32(1e-9))
        x, seen, pull, scratch = aligned(start.shape), aligned(start.shape), aligned(start.shape), normal_matrix_loops.scratch_for(start.shape)
        x[:] = start
        z, done, enough = x, 0, s.stop_tolerance * float(data.effective_samples(equations).sum(dtype=np.float64))
        for turn, weak in enumerate(np.geomspace(s.sigma_start, s.sigma_end, steps)):
            np.multiply(information, np.float32(1 / (weak * weak)), out=pull)
            z = prior.prox(x, np.reciprocal(pull), turn, turn >= coarse * steps, z if turn >= _KNOWN * s.outer_iterations else None)
            if turn == 0:
                x[:] = z
                normal_matrix_loops.seen_of(equations.normal, self._taps, x, seen, scratch)
            args = (pull, np.float32(s.chroma_penalty), self._balance, z, s.cg_iterations, settled)
            least = cg_loops.conjugate_gradient(equations.normal, self._taps, equations.right, *args, x, seen, scratch)
            done += 1
            if self._task.turns is not None:
                if done == self._task.turns:
                    break
            elif least < enough and cg_loops.misfit_difference(equations.normal, self._taps, equations.right, z, x, seen, scratch) < enough:
                break
        z = prior.prox(x, np.reciprocal(pull), done, not second_look, z if done >= _KNOWN * s.outer_iterations else None)
        return np.float32(s.denoised_fraction) * z + np.float32(1 - s.denoised_fraction) * x, done


def trust_of_share(believed: float) -> float:
    """Robustness's trust that counts as `believed`, 0 to 1."""
    return _FIRM[0] + (_FIRM[1] - _FIRM[0]) * believed if believed > 0 else 0.0


def _gaussian(sigma: float) -> Floats:
    """Odd number of taps with sum 1 and variance sigma^2 in pixels^2, however small: the discrete Gaussian (Lindeberg 1990, eq. 26); [1] for 0."""
    reach = int(np.ceil(3 * sigma)) + 1 if sigma > 0 else 0
    taps = special.ive(np.abs(np.arange(-reach, reach + 1)), sigma**2)
    return np.asarray(taps / taps.sum(), np.float32)
