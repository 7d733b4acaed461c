"""A result in each of its formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.ground.burst import Picture
    from burstsr.settings import FinishSettings


def write_picture(path: Path, kind: str, picture: Picture, settings: FinishSettings) -> None:
    """Write `picture` as "dng", "tiff32" or "exr" (linear), or as "jpg" (8 bits), "tiff" or "png" (16 bits), finished with `settings`.

    Raises OutputError.
    """
    from burstsr import export, finish
    from burstsr.files import picture as files

    info = picture.reference
    if kind == "dng":
        export.write_dng(path, picture, settings)
    elif kind == "tiff32":
        files.write_camera_tiff(path, picture)
    elif kind == "exr":
        files.write_exr(path, finish.finish_linear(picture))
    elif kind == "jpg":
        files.write_jpeg(path, finish.finish_uint8(picture, settings), info, picture.provenance)
    elif kind == "tiff":
        files.write_tiff(path, finish.finish_uint16(picture, settings), info, picture.provenance)
    elif kind == "png":
        files.write_png(path, finish.finish_uint16(picture, settings), picture.provenance, info)
    else:
        raise ValueError(f"format {kind!r} is unknown")
