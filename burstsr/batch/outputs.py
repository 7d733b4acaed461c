"""Writing of a result in each format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.core.result import Result
    from burstsr.settings import FinishSettings


def write_result(path: Path, kind: str, result: Result, settings: FinishSettings) -> None:
    """Write `result` as "dng", "tiff32", "fits" or "exr" (linear), or as "jpg" (8 bits), "tiff" or "png" (16 bits), rendered with `settings`.

    A monochrome result becomes a grey image, where the format has one. Raises OutputError.
    """
    from burstsr import export, finish
    from burstsr.io import images as files
    from burstsr.io.fits_result import write_fits

    info, channels = result.reference, result.image.shape[2]
    shown = export.as_rgb(result)
    if kind == "dng":
        export.write_dng(path, result, settings)
    elif kind == "tiff32":
        files.write_camera_tiff(path, result)
    elif kind == "fits":
        write_fits(path, result)
    elif kind == "exr":
        files.write_exr(path, finish.finish_linear(shown))
    elif kind == "jpg":
        files.write_jpeg(path, finish.finish_uint8(shown, settings), info, result.provenance)
    elif kind == "tiff":
        files.write_tiff(path, finish.finish_uint16(shown, settings)[..., :channels], info, result.provenance)
    elif kind == "png":
        files.write_png(path, finish.finish_uint16(shown, settings)[..., :channels], result.provenance, info)
    else:
        raise ValueError(f"format {kind!r} is unknown")
