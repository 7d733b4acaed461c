"""One picture of `burstsr single`, from its file to its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.cli.single_work import provenance_of
from burstsr.ground.errors import InputFileError, OutputError

if TYPE_CHECKING:
    from burstsr.files.display import Display
    from burstsr.ground.burst import Picture
    from burstsr.ground.provenance import Provenance
    from single.inference import Enlarger

_SAMPLE_BYTES = 2  # as much as one of a result may need on the disk
Progress = Callable[[int, int], None]
Result = tuple[tuple[int, int], "Provenance | None"]  # (width, height), where it comes from


def enlarge_display(source: Path, outputs: Mapping[str, Path], enlarger: Enlarger, progress: Progress | None) -> Result:
    """A display picture, in as many bits as it has; or, of floating point, linear light, which stays so. Raises BurstsrError."""
    import numpy as np

    from burstsr.files.display import Display, read_display, write_display
    from burstsr.files.xmp import packet

    picture = read_display(source)
    provenance = provenance_of(enlarger.model, enlarger.scale, None)
    _check_room(source, outputs, enlarger.scale**2 * picture.pixels.nbytes * len(outputs))
    if picture.pixels.dtype == np.float32:
        return _linear(source, picture, outputs, enlarger, provenance, progress), provenance
    kind = picture.pixels.dtype
    most = np.float32(np.iinfo(kind).max)
    made = enlarger.picture(picture.pixels.astype(np.float32) / most, progress)
    blocks = dict(picture.blocks) | ({"xmp": packet(provenance, picture.blocks.get("xmp"))} if provenance else {})
    for format_name, path in outputs.items():
        top = np.float32(255) if format_name == "jpg" else most
        pixels = np.rint(made * top).astype(np.uint8 if format_name == "jpg" else kind)
        write_display(path, format_name, Display(pixels, blocks))
    return (made.shape[1], made.shape[0]), provenance


def _linear(
    source: Path, picture: Display, outputs: Mapping[str, Path], enlarger: Enlarger, provenance: Provenance | None, progress: Progress | None
) -> tuple[int, int]:
    from burstsr.files.picture import write_linear_tiff
    from single.inference import enlarge_linear

    if picture.pixels.shape[2] != 3:
        raise InputFileError(f"{source}: floating point values in {picture.pixels.shape[2]} channels; linear RGB is needed")
    if set(outputs) != {"tiff"}:
        raise OutputError(f"{source}: floating point values are linear light, which only --format tiff keeps")
    made = enlarge_linear(picture.pixels, enlarger, progress)
    write_linear_tiff(outputs["tiff"], made, provenance)
    return made.shape[1], made.shape[0]


def enlarge_raw(source: Path, outputs: Mapping[str, Path], enlarger: Enlarger, progress: Progress | None) -> Result:
    """A raw file, or a linear DNG of process: to a linear DNG, or finished as process finishes. Raises BurstsrError."""
    from burstsr.cli.pictures import write_picture
    from burstsr.settings import FinishSettings

    picture = _enlarged(source, outputs, enlarger, progress)
    for kind, path in outputs.items():
        write_picture(path, kind, picture, FinishSettings())
    return (picture.rgb.shape[1], picture.rgb.shape[0]), picture.provenance


def _check_room(source: Path, outputs: Mapping[str, Path], needed: float) -> None:
    """Raise OutputError, before anything is computed, where results will not find room."""
    from burstsr.cli.claim import check_space

    check_space(next(iter(outputs.values())).parent, round(needed), str(source))


def _enlarged(source: Path, outputs: Mapping[str, Path], enlarger: Enlarger, progress: Progress | None) -> Picture:
    from burstsr import __version__
    from burstsr.files.linear import is_linear_dng, linear_info, read_linear_dng
    from burstsr.files.raw import read_frame
    from burstsr.ground.burst import Picture
    from burstsr.ground.provenance import Provenance
    from single.inference import enlarge_frame, enlarge_picture

    if is_linear_dng(source):
        if enlarger.kind == "bayer":
            raise InputFileError(f"{source}: already demosaiced; model {enlarger.model.name} takes raw frames, straight from the mosaic")
        linear = read_linear_dng(source)
        _check_room(source, outputs, enlarger.scale**2 * linear.rgb.size * _SAMPLE_BYTES * len(outputs))
        made = enlarge_picture(Picture(linear.rgb, linear_info(source, linear), 1.0), enlarger, progress)
        return replace(made, provenance=provenance_of(enlarger.model, enlarger.scale, None))
    how = f"Developed from one raw frame and enlarged {enlarger.scale:g} times by burstsr {__version__} ({enlarger.model.name})"
    origin = Provenance("digitalCapture", how)
    frame = read_frame(source)
    _check_room(source, outputs, enlarger.scale**2 * frame.mosaic.size * 3 * _SAMPLE_BYTES * len(outputs))
    made = enlarge_frame(frame, enlarger, progress)
    return replace(made, provenance=provenance_of(enlarger.model, enlarger.scale, origin))
