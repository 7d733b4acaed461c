"""Reconstruction from the merged image: maximum a posteriori estimate, tile by tile.

The image x minimises  sum_i t_i (a_i . G x - y_i)^2 / (2 v_i) + prior(x):  sample i is the mean over a pixel's area, displaced by the frame's flow, of the
image blurred by the lens (G); v_i is its noise variance and t_i its robustness. Solved by half-quadratic splitting (Geman & Yang 1995) with shrinkage of
DCT coefficients as the prior's proximal map (plug and play: Venkatakrishnan et al. 2013), alternating: the image is shrunk, z; then x is fitted to the
samples with a penalty on its distance from z. The penalty grows until z explains the samples about as well as x does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.blur import AnyBlur
from burstsr.core.limits import at_most
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct import blur_kernels
from burstsr.reconstruct.flow_refinement import refined
from burstsr.reconstruct.lens_taps import apply_lens_blur, lens_taps
from burstsr.reconstruct.solver import Solved, Solver
from burstsr.reconstruct.task import Task
from burstsr.reconstruct.tiles import tiles

Floats = NDArray[np.float32]
SIDE, MARGIN = 216, 12  # output pixels: a tile's own side, and its margin
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


def reconstruct(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """Reconstruct an image from all frames. progress is called with (tiles done, tiles)."""
    shares: list[float] = []
    task = _with_blur_kernels(task)
    outcome = _solved(task, progress)
    for _ in range(task.settings.flow_refinements):
        seen = _with_lens_blur(task, outcome.image)
        moved = list(task.views)
        for i, view in enumerate(task.views):
            if i != task.reference:
                flow, share = refined(view.frame, view.flow, seen, task.noise, task.scale, task.defects)
                moved[i] = replace(view, flow=flow)
                shares.append(share)
        task = replace(task, views=moved)
        outcome = _solved(task, progress)
    outcome = replace(outcome, blurs=tuple(view.blur for view in task.views))
    return replace(outcome, moved=float(np.mean(shares))) if shares else outcome


def _with_lens_blur(task: Task, image: Floats) -> Floats:
    """Return the image as the lens blurs it, tile by tile."""
    out = np.empty_like(image)
    for tile in tiles((image.shape[0], image.shape[1]), SIDE, MARGIN):
        taps = lens_taps(task.lens_px(*tile.centre), task.scale)
        rows, columns = (slice(max(a - taps.size // 2, 0), b + taps.size // 2) for a, b in ((tile.y0, tile.y1), (tile.x0, tile.x1)))
        seen = apply_lens_blur(image[rows, columns], taps)
        out[tile.y0 : tile.y1, tile.x0 : tile.x1] = seen[tile.y0 - rows.start :, tile.x0 - columns.start :][: tile.y1 - tile.y0, : tile.x1 - tile.x0]
    return out


def _with_blur_kernels(task: Task) -> Task:
    """Return the task with the blur of its frames as kernels, estimated from parts of the image; the same task if no frame is clearly blurred."""
    size = (task.image.shape[0], task.image.shape[1])
    blurred = any(view.blur is not None and view.blur.rms_px > _BLURRED_PX for view in task.views)
    for _ in range(task.settings.blur_refinements if blurred else 0):
        probes = list(in_parallel(Solver(task).probe, blur_kernels.structured(list(tiles(size, SIDE, MARGIN)), task.planes)))
        blurs = blur_kernels.estimated(probes, [view.blur for view in task.views], task.scale)
        task = replace(task, views=[replace(view, blur=blur) for view, blur in zip(task.views, blurs, strict=True)])
    return task


_NOTHING = np.empty((0, 0, 0), np.float32)


def _solved(task: Task, progress: Callable[[int, int], None]) -> Reconstruction:
    """Solve all tiles in parallel."""
    solver, out = Solver(task), large_arrays.empty(task.planes.shape)
    every = list(tiles((out.shape[0], out.shape[1]), SIDE, MARGIN))
    probed = set(np.linspace(0, len(every) - 1, min(_PROBES, len(every))).astype(int).tolist())

    def solved(index: int) -> Solved:
        tile = every[index]
        result = solver.solve(tile, probe=index in probed)
        for c, plane in enumerate(result.image[tile.own]):
            out[tile.y0 : tile.y1, tile.x0 : tile.x1, c] = at_most(plane, 1)
        return replace(result, image=_NOTHING)

    facts: list[Solved] = []
    for result in in_parallel(solved, range(len(every))):
        facts.append(result)
        progress(len(facts), len(every))
    residuals = [f.residual for f in facts if f.residual is not None]
    accepted = np.asarray(np.median([f.accepted for f in facts], axis=0))
    iterations, rechecked = (float(np.mean([getattr(f, name) for f in facts])) for name in ("iterations", "rechecked"))
    return Reconstruction(out, iterations, float(np.mean(residuals)), rechecked, accepted)
