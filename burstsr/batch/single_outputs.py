"""Upscaling of one image by `burstsr single`, from its file to its results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.batch.single_provenance import provenance_of
from burstsr.core.errors import InputFileError, OutputError

if TYPE_CHECKING:
    from burstsr.core.burst import Frame
    from burstsr.core.provenance import Provenance
    from burstsr.core.result import Result
    from burstsr.io.display import Display
    from burstsr.profiles.apply import CalibrationInputs
    from single.inference import Upscaler

log = logging.getLogger(__name__)
_SAMPLE_BYTES = 2  # maximum bytes of a sample on the disk
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Upscaled:
    """What was written. shape: (height, width). frames_left: further pages or frames of the source, which were not upscaled.

    known: calibration that was used, and from where.
    """

    shape: tuple[int, int]
    provenance: Provenance | None
    frames_left: int = 0
    known: Mapping[str, str] = field(default_factory=dict)


def upscale_display(source: Path, outputs: Mapping[str, Path], upscaler: Upscaler, progress: Progress | None) -> Upscaled:
    """Upscale a display image, keeping its bit depth; floating-point images are linear and stay so. Raises BurstsrError."""
    import numpy as np

    from burstsr.io.display import Display, read_display, write_display
    from burstsr.io.xmp import packet

    image = read_display(source)
    if image.frames > 1:
        log.warning("%s: has %d frames or pages; only the first is upscaled", source, image.frames)
    provenance = provenance_of(upscaler.model, upscaler.scale, None)
    _check_room(source, outputs, upscaler.scale**2 * image.pixels.nbytes * len(outputs))
    if image.pixels.dtype == np.float32:
        return Upscaled(_linear(source, image, outputs, upscaler, provenance, progress), provenance, image.frames - 1)
    kind = image.pixels.dtype
    most = np.float32(np.iinfo(kind).max)
    made = upscaler.image(image.pixels.astype(np.float32) / most, progress)
    blocks = dict(image.blocks) | ({"xmp": packet(provenance, image.blocks.get("xmp"))} if provenance else {})
    for format_name, path in outputs.items():
        top = np.float32(255) if format_name == "jpg" else most
        pixels = np.rint(made * top).astype(np.uint8 if format_name == "jpg" else kind)
        write_display(path, format_name, Display(pixels, blocks))
    return Upscaled((made.shape[0], made.shape[1]), provenance, image.frames - 1)


def _linear(
    source: Path, image: Display, outputs: Mapping[str, Path], upscaler: Upscaler, provenance: Provenance | None, progress: Progress | None
) -> tuple[int, int]:
    from burstsr.io.images import write_linear_tiff
    from single.inference import upscale_linear

    if image.pixels.shape[2] != 3:
        raise InputFileError(f"{source}: floating point values in {image.pixels.shape[2]} channels; must be linear RGB")
    if set(outputs) != {"tiff"}:
        raise OutputError(f"{source}: floating-point images are linear and require --format tiff")
    made = upscale_linear(image.pixels, upscaler, progress)
    write_linear_tiff(outputs["tiff"], made, provenance)
    return made.shape[0], made.shape[1]


def upscale_raw(source: Path, outputs: Mapping[str, Path], upscaler: Upscaler, progress: Progress | None, known: CalibrationInputs) -> Upscaled:
    """Upscale a raw file, or a linear DNG of process, to a linear DNG, or rendered as process does. known: its calibration. Raises BurstsrError."""
    from burstsr.batch.outputs import write_result
    from burstsr.settings import FinishSettings

    image, used = _upscaled(source, outputs, upscaler, progress, known)
    for kind, path in outputs.items():
        write_result(path, kind, image, FinishSettings())
    return Upscaled((image.image.shape[0], image.image.shape[1]), image.provenance, known=used)


def _check_room(source: Path, outputs: Mapping[str, Path], needed: float) -> None:
    """Raise OutputError, before anything is computed, where the disk has too little space for the results."""
    from burstsr.batch.locks import check_space

    check_space(next(iter(outputs.values())).parent, round(needed), str(source))


def _upscaled(
    source: Path, outputs: Mapping[str, Path], upscaler: Upscaler, progress: Progress | None, known: CalibrationInputs
) -> tuple[Result, Mapping[str, str]]:
    from burstsr import __version__
    from burstsr.core.provenance import Provenance
    from burstsr.core.result import Result
    from burstsr.io.linear_dng import is_linear_dng, linear_info, read_linear_dng
    from burstsr.io.raw import read_frame
    from single.inference import upscale_frame, upscale_image

    if is_linear_dng(source):
        if upscaler.kind == "bayer":
            raise InputFileError(f"{source}: already demosaiced; model {upscaler.model.name} takes raw mosaics")
        linear = read_linear_dng(source)
        _check_room(source, outputs, upscaler.scale**2 * linear.rgb.size * _SAMPLE_BYTES * len(outputs))
        made = upscale_image(Result(linear.rgb, linear_info(source, linear), 1.0), upscaler, progress)
        return replace(made, provenance=provenance_of(upscaler.model, upscaler.scale, None)), {}
    how = f"Developed from one raw frame and upscaled {upscaler.scale:g} times by burstsr {__version__} ({upscaler.model.name})"
    origin = Provenance("digitalCapture", how)
    frame = read_frame(source)
    _check_room(source, outputs, upscaler.scale**2 * frame.mosaic.size * 3 * _SAMPLE_BYTES * len(outputs))
    frame, used = _calibrated(frame, known)
    made = upscale_frame(frame, upscaler, progress)
    return replace(made, provenance=provenance_of(upscaler.model, upscaler.scale, origin)), used


def _calibrated(frame: Frame, known: CalibrationInputs) -> tuple[Frame, Mapping[str, str]]:
    """Return the frame with its calibrated noise and black, its known defects repaired, and the sources of what was used.

    The lens's blur is not: sharpening what demosaicing made of it does harm (docs/single.md).
    """
    from burstsr.core.burst import Burst
    from burstsr.defects import repair_pixels
    from burstsr.profiles.apply import prepared
    from burstsr.settings import Settings

    ready = prepared(known, Burst(frame.info.path.name, (frame,)), Settings())
    used = {name: source for name, source in ready.sources.items() if name != "lens"}
    frame = ready.burst.frames[0]
    return frame if ready.defects is None else repair_pixels(frame, ready.defects), used
