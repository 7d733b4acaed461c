"""Data for the page of a burst, `process --report`: what `burstsr report` shows and a record does not hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.batch.job import Job
    from burstsr.core.burst import Frame
    from burstsr.core.flow import Flow
    from burstsr.core.result import Result

_MAP_PX, _FRAME_MAP_PX, _GRID = 768, 192, 24  # longer sides
_QUALITY = 92


def write(path: Path, result: Result, job: Job) -> None:
    """Write the data of a result with maps (`keep_maps`). Raises OSError, and InputFileError where the reference frame is gone."""
    import numpy as np

    from burstsr.io.jpeg_strips import jpeg_pieces
    from burstsr.io.report_data import ReportData, write_report_data

    info = result.reference
    maps = result.robustness or tuple(None for _ in result.flows)
    index: int = result.report["reference"]
    others = [m for n, m in enumerate(maps) if m is not None and n != index]
    mean = sum(others[1:], others[0].astype(np.float32)) / np.float32(len(others)) if others else np.zeros((1, 1), np.float32)
    flow, grid_y, grid_x = _sampled(result.flows, info.shape)
    data = ReportData(
        b"".join(jpeg_pieces(path, _reference_alone(result, job), _QUALITY)),
        info.shape,
        int(info.cfa.period[0]),
        info.orientation,
        _small(mean, _MAP_PX),
        _stacked([None if m is None else _small(m, _FRAME_MAP_PX) for m in maps]),
        np.array([found is not None for found in result.flows], bool),
        grid_y,
        grid_x,
        flow,
    )
    write_report_data(path, data)


def _reference_alone(result: Result, job: Job) -> NDArray[np.uint8]:
    """Return the reference frame, demosaiced, upscaled by bicubic interpolation and rendered as the preview is."""
    import numpy as np

    from burstsr.core import large_arrays
    from burstsr.core.burst import Burst
    from burstsr.core.mono import with_equal_channels
    from burstsr.demosaic import demosaic, upscale
    from burstsr.export import as_rgb
    from burstsr.finish import finish_uint8

    frame = with_equal_channels(Burst(job.name, (_reference(result, job),))).frames[0]
    image = upscale(demosaic(frame), result.scale)
    for rows in large_arrays.strips(image):
        np.minimum(image[rows], np.float32(1), out=image[rows])
    if image.shape[2] != result.image.shape[2]:
        image = large_arrays.copied(image[..., : result.image.shape[2]])
    return finish_uint8(as_rgb(replace(result, image=image)), job.settings.finish)


def _reference(result: Result, job: Job) -> Frame:
    """Read the reference frame again, with the calibration that was applied to it."""
    from burstsr.batch.calibration_frames import calibration_of
    from burstsr.defects import repair_pixels
    from burstsr.io.discover import read_burst
    from burstsr.profiles.apply import prepared

    settings = replace(job.settings, reference=0)
    ready = prepared(replace(job.known, motion=None), read_burst([result.reference.path]), settings, (), calibration_of(job.known))
    frame = ready.burst.frames[0]
    return frame if ready.defects is None or not settings.defects.repair else repair_pixels(frame, ready.defects)


def _sampled(flows: tuple[Flow | None, ...], shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return flows on a regular grid of at most _GRID positions a side, (N, y, x, 2), NaN for frames without one, and the grid's raw y and x."""
    import numpy as np

    step = max(shape) / _GRID
    grid_y, grid_x = ((np.arange(n) + 0.5) * length / n - 0.5 for length, n in ((length, max(round(length / step), 1)) for length in shape))
    sampled = np.full((len(flows), len(grid_y), len(grid_x), 2), np.nan, np.float32)
    for out, flow in zip(sampled, flows, strict=True):
        if flow is not None:
            out[:] = flow.at(grid_y[:, None], grid_x[None, :])
    return sampled, grid_y.astype(np.float32), grid_x.astype(np.float32)


def _small(robustness: NDArray[np.float32], longest: int) -> NDArray[np.uint8]:
    """Return a map of 0 to 1 as (h, w) uint8, its longer side at most `longest`."""
    import cv2
    import numpy as np

    factor = min(longest / max(robustness.shape), 1.0)
    height, width = (max(round(length * factor), 1) for length in robustness.shape)
    small = np.asarray(cv2.resize(robustness, (width, height), interpolation=cv2.INTER_AREA))
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _stacked(maps: list[NDArray[np.uint8] | None]) -> NDArray[np.uint8]:
    """Return maps as (N, h, w); zeros for frames without one."""
    import numpy as np

    shape = next((m.shape for m in maps if m is not None), (1, 1))
    return np.stack([np.zeros(shape, np.uint8) if m is None else m for m in maps]) if maps else np.zeros((0, 1, 1), np.uint8)
