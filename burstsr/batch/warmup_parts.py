"""The parts of compilation ahead: each runs stages on a tiny burst, so that the machine code of their loops is in the cache. As a program: what `warmup` runs.

The parts hardly share loops, but for those that `reconstruction` puts together: it comes last, and finds the others' in the cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.core.burst import Burst, Frame
    from burstsr.core.flow import Flow
    from burstsr.core.noise import Noise
    from burstsr.reconstruct import Task
    from burstsr.registration import Registered

DONE = b"done"  # the answer to the name of a part that has been compiled
_SHAPE = (128, 128)  # raw pixels of the tiny frames
_SHIFTS = ((0.0, 0.0), (0.25, 0.5), (0.75, 0.25))  # raw pixels


def parts(mode: str) -> tuple[str, ...]:
    """Return the names of the parts that `mode` needs, the longest first, but for the reconstruction, which needs what others compile."""
    return tuple(name for name, (_, modes) in _PARTS.items() if mode in modes)


def compile_part(name: str) -> None:
    """Compile the loops of one part in this process."""
    _PARTS[name][0]()


def _burst() -> tuple[Burst, list[Flow], Noise]:
    """Return a tiny burst as it is read from files, its motion, and its noise."""
    import numpy as np

    from burstsr.core.burst import Burst
    from burstsr.core.flow import Flow
    from burstsr.core.noise import Noise

    rng, noise = np.random.default_rng(0), Noise.of_iso(100)
    y, x = np.mgrid[: _SHAPE[0], : _SHAPE[1]].astype(np.float64)
    mosaics = []
    for dy, dx in _SHIFTS:
        scene = 0.4 + 0.2 * np.sin(0.4 * (y + dy)) * np.cos(0.5 * (x + dx)) + 0.1 * ((x + dx) // 24 % 2)
        mosaics.append(np.rint(1024 + 14000 * (scene + rng.normal(0, 0.01, _SHAPE))).astype(np.uint16))
    burst = Burst.from_arrays(mosaics, black=1024.0, white=16383.0, noise=noise, as_shot_neutral=(0.5, 1.0, 0.6), xyz_to_camera=np.eye(3))
    zero = Flow.zero(_SHAPE, 8)
    return burst, [replace(zero, tiles=zero.tiles + np.array(shift, np.float32)) for shift in _SHIFTS], noise


def _registered() -> Registered:
    """Return the tiny burst, registered without estimating anything."""
    import numpy as np

    from burstsr.core.quantise import packed
    from burstsr.merge import SamePhaseMean
    from burstsr.reconstruct import RegisteredFrame
    from burstsr.registration import Registered

    burst, flows, noise = _burst()
    full = np.ones((_SHAPE[0] // 2, _SHAPE[1] // 2), np.float32)
    same_phase = SamePhaseMean(burst.frames[0])
    for frame, flow in zip(burst, flows, strict=True):
        same_phase.add(frame, flow, full)
    return Registered([RegisteredFrame(frame, flow, packed(full)) for frame, flow in zip(burst, flows, strict=True)], 0, noise, same_phase)


def _motion() -> None:
    import numpy as np

    from burstsr.align import Aligner, scenes
    from burstsr.settings import Settings

    burst, _, noise = _burst()
    scenes(burst, 0)
    aligner = Aligner(burst.frames[0], noise, Settings().align)
    moved = burst.frames[0].mosaic.copy()
    moved[48:, 48:] = np.roll(moved, 2, axis=1)[48:, 48:]  # a part that moves by itself: motion is refined
    for frame in (*burst.frames[1:], burst.frames[0].with_mosaic(moved)):
        aligner.estimate_flow(frame)


def _robustness() -> None:
    import numpy as np

    from burstsr.align import select_reference
    from burstsr.defects import find_defects, repair_pixels
    from burstsr.registration import register_frames
    from burstsr.report import Record
    from burstsr.robustness import RobustnessModel
    from burstsr.settings import Settings

    settings = Settings()
    burst, flows, noise = _burst()
    _noise(burst, flows, noise)
    defects = find_defects(burst, noise, settings.defects)
    frames = [repair_pixels(frame, defects) for frame in burst]
    select_reference(burst, noise)
    without = replace(settings, merge=replace(settings.merge, back_projection_iterations=0))
    register_frames(frames, 0, noise, without, flows, Record(burst, settings))
    RobustnessModel(frames[0], noise, settings.robustness).shown(frames[1], flows[1], np.array([[8, 8]]))


def _noise(burst: Burst, flows: list[Flow], noise: Noise) -> None:
    """Compile what checks and measures noise, with known motion."""
    import numpy as np

    from burstsr.noise import check_agreement, check_noise_profile, estimate_snr

    full = np.ones((_SHAPE[0] // 2, _SHAPE[1] // 2), np.float32)
    of = {id(frame): flow for frame, flow in zip(burst, flows, strict=True)}

    def known(frame: Frame) -> Flow:
        return of.get(id(frame), flows[0])

    def registered(frame: Frame) -> tuple[Flow, NDArray[np.float32]]:
        return known(frame), full

    estimate_snr(burst.frames[0], noise)
    check_noise_profile(burst, noise, lambda reference, model: known)
    check_agreement(burst, noise, lambda reference, model: registered)


def _merge() -> None:
    from burstsr.develop import develop
    from burstsr.settings import Settings

    develop(_registered(), Settings(), lambda stage: None, keep_weight=True)


def _task(registered: Registered, mode: Literal["fast", "best"]) -> Task:
    """Return the reconstruction of a flat image from the tiny burst."""
    import numpy as np

    from burstsr.develop import SingleFrameImage
    from burstsr.reconstruct import Task
    from burstsr.settings import Settings

    settings, guide = Settings(mode=mode), registered.guide
    image = np.full((2 * _SHAPE[0], 2 * _SHAPE[1], 3), 0.4, np.float32)
    neutral, defects, alone = guide.info.colour.as_shot_neutral, np.zeros((0, 2), np.int64), SingleFrameImage(guide, settings.scale)
    return Task(image, registered.views, 0, registered.noise, neutral, settings.scale, settings.reconstruct, defects, alone=alone)


def _reconstruction() -> None:
    from burstsr.reconstruct import reconstruct

    reconstruct(_task(_registered(), "best"), lambda done, total: None)


def _prior() -> None:
    """Compile the reconstruction's prior, a third of its loops by time."""
    import numpy as np

    from burstsr.reconstruct.aligned import aligned
    from burstsr.reconstruct.prior import Prior
    from burstsr.settings import ReconstructSettings

    start, variance = aligned((3, *_SHAPE)), aligned((3, *_SHAPE))
    start[:], variance[:] = 0.4, 1e-4
    prior = Prior(start, np.array([0.5, 1.0, 0.6]), ReconstructSettings())
    prior.prox(start, variance, 0, True, prior.prox(start, variance, 0, False))


def _conjugate_gradient() -> None:
    """Compile the reconstruction's conjugate gradients, half of its loops by time."""
    import numpy as np

    from burstsr.reconstruct import cg_loops, normal_matrix_loops
    from burstsr.reconstruct.aligned import aligned
    from burstsr.reconstruct.blurred_frames import NO_SAMPLES
    from burstsr.reconstruct.lens_taps import lens_taps

    shape = (3, 32, 32)
    normal, right, x, seen, pull = aligned((3, 32, 3, 5, 32)), *(aligned(shape) for _ in range(4))
    for array in (normal, right, x, seen, pull):
        array[:] = 0
    normal[:, :, 0, 2] = pull[:] = 1  # the identity
    matrix, scratch = (normal, NO_SAMPLES, lens_taps(0, 2)), normal_matrix_loops.scratch_for(shape)
    normal_matrix_loops.product(normal, np.ones_like(right), seen)
    normal_matrix_loops.seen_of(*matrix, x, seen, scratch)
    cg_loops.conjugate_gradient(*matrix, right, pull, np.float32(1), np.ones(3, np.float32), x.copy(), 1, 0.0, x, seen, scratch)
    cg_loops.misfit_difference(*matrix, right, x.copy(), x, seen, scratch)


def _files() -> None:
    from burstsr.core.result import Result
    from burstsr.export import write_dng
    from burstsr.finish import finish_uint8
    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.lazy_frames import read_frames
    from burstsr.reconstruct import replace_contradicted
    from burstsr.settings import FinishSettings

    registered = _registered()
    task = _task(registered, "fast")
    replace_contradicted(task)
    result = Result(task.image, registered.guide.info, task.scale, registered.noise)
    finish_uint8(result, FinishSettings())
    with TemporaryDirectory(prefix="burstsr-warmup-") as folder:
        write_dng(Path(folder) / "result.dng", result)
        write_cfa_dng(Path(folder) / "frame.dng", registered.guide)
        for frame in read_frames([Path(folder) / "frame.dng"]):
            frame.mosaic.sum()


_PARTS: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "merge": (_merge, ("fast", "best")),
    "motion": (_motion, ("fast", "best")),
    "conjugate gradient": (_conjugate_gradient, ("best",)),
    "prior": (_prior, ("best",)),
    "robustness": (_robustness, ("fast", "best")),
    "files": (_files, ("fast", "best")),
    "reconstruction": (_reconstruction, ("best",)),
}


def _compile_what_is_named() -> None:
    """Compile each part that is named on standard input; say of each whether that worked."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    for line in sys.stdin:
        try:
            compile_part(line.strip())
            answer = DONE
        except Exception as error:  # compiled where it is needed, which then tells
            answer = repr(error).encode("utf-8", "replace").replace(b"\n", b" ")
        answers.write(answer + b"\n")
        answers.flush()


if __name__ == "__main__":
    _compile_what_is_named()
