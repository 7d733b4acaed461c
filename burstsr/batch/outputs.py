"""Writing of a result in each format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.core.result import Result
    from burstsr.settings import FinishSettings


def write_result(path: Path, kind: str, result: Result, settings: FinishSettings) -> None:
    """Write `result` as "dng", "tiff32" or "exr" (linear), or as "jpg" (8 bits), "tiff" or "png" (16 bits), rendered with `settings`.

    Raises OutputError.
    """
    from burstsr import export, finish
    from burstsr.io import images as files

    info = result.reference
    if kind == "dng":
        export.write_dng(path, result, settings)
    elif kind == "tiff32":
        files.write_camera_tiff(path, result)
    elif kind == "exr":
        files.write_exr(path, finish.finish_linear(result))
    elif kind == "jpg":
        files.write_jpeg(path, finish.finish_uint8(result, settings), info, result.provenance)
    elif kind == "tiff":
        files.write_tiff(path, finish.finish_uint16(result, settings), info, result.provenance)
    elif kind == "png":
        files.write_png(path, finish.finish_uint16(result, settings), result.provenance, info)
    else:
        raise ValueError(f"format {kind!r} is unknown")
