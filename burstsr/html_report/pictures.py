"""The images of a burst's page: tiles of what is compared, and robustness maps. Made once, and again only when their sources change."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.core.orientation import orient
from burstsr.html_report import pyramid
from burstsr.html_report.burst_page import Pictures
from burstsr.html_report.collect import BurstResult
from burstsr.html_report.pyramid import thumbnail, write_pyramid
from burstsr.io.report_data import ReportData, jpeg_pixels

THUMBNAIL = "thumbnail.jpg"
_VERSION = 2
_THUMBNAIL_PX = 480
_PREFIX, _LIST = "img-", "images.json"
# Robustness 0 to 1: dark blue, grey, light yellow, ordered by lightness for every kind of colour vision
_STOPS = np.array([[0, 25, 70], [75, 85, 120], [150, 145, 130], [225, 205, 110], [255, 240, 165]], np.float32)


def make_pictures(burst: BurstResult, data: ReportData | None, folder: Path, notes: list[str]) -> tuple[Pictures, dict[str, Any]]:
    """Return the images of a burst, made where they are missing, and what the index needs of them: `thumbnail` as (path, width, height), or None.

    folder: of the burst's page. notes: receives what cannot be shown, and why. Raises OSError where nothing can be written.
    """
    name = f"{_PREFIX}{digest_of_images(burst)}"
    made = folder / name
    if not (made / _LIST).is_file():
        partial = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        try:
            listed = _make(burst, data, partial)
            (partial / _LIST).write_text(json.dumps(listed), encoding="utf-8")
            partial.chmod(0o755)
            shutil.rmtree(made, ignore_errors=True)
            partial.rename(made)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    listed = json.loads((made / _LIST).read_text(encoding="utf-8"))
    notes += listed["notes"]
    compared = [{**picture, "path": f"{name}/{picture['path']}"} for picture in listed["compared"]]
    maps = [path and f"{name}/{path}" for path in listed["maps"]]
    small = listed["thumbnail"]
    return Pictures(compared, maps, tuple(listed["map_shape"])), {"thumbnail": small and (f"{name}/{THUMBNAIL}", *small)}


def remove_old(folder: Path, burst: BurstResult) -> None:
    """Remove images of earlier states of the burst, and what killed runs left."""
    for path in folder.iterdir():
        if path.name.startswith((_PREFIX, ".part-")) and path.name != f"{_PREFIX}{digest_of_images(burst)}":
            shutil.rmtree(path, ignore_errors=True)


def digest_of_images(burst: BurstResult) -> str:
    """Return what identifies the sources of the images."""
    parts: list[object] = [_VERSION]
    for variant in burst.variants:
        parts += [variant.label, state_of(variant.preview), state_of(variant.data)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def state_of(path: Path) -> tuple[int, int] | None:
    """Return time and size of a file; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _make(burst: BurstResult, data: ReportData | None, folder: Path) -> dict[str, Any]:
    """Write all images to `folder`; return their list."""
    notes: list[str] = []
    compared: list[dict[str, Any]] = []
    small: tuple[int, int] | None = None
    known = [variant for variant in burst.variants if variant.facts is not None]
    sources = [("one frame", None, known[0].facts)] * (data is not None) + [(variant.label, variant.preview, variant.facts) for variant in known]
    for n, (label, path, facts) in enumerate(sources):
        try:
            coded = data.reference if path is None and data is not None else path.read_bytes()  # type: ignore[union-attr]
            image = jpeg_pixels(coded, facts.shape if facts else None)
        except (OSError, ValueError) as error:
            notes.append(f"{'the reference frame' if path is None else path.name} cannot be shown ({getattr(error, 'strerror', None) or error})")
            continue
        compared.append({"label": label, "path": str(n), "tile": pyramid.TILE_PX, "levels": write_pyramid(folder / str(n), image)})
        if path is not None and small is None:
            coded = thumbnail(image, _THUMBNAIL_PX)
            (folder / THUMBNAIL).write_bytes(coded)
            small = jpeg_pixels(coded).shape[1], jpeg_pixels(coded).shape[0]
    maps: list[str | None] = []
    shape = (0, 0)
    if data is not None:
        whole = coloured(orient(data.robustness, data.orientation))
        compared.append({"label": "robustness", "path": "map", "tile": pyramid.TILE_PX, "levels": write_pyramid(folder / "map", whole), "map": True})
        for n, (robustness, registered) in enumerate(zip(data.frame_robustness, data.registered, strict=True)):
            image = coloured(orient(robustness, data.orientation))
            maps.append(f"frame-{n}.png" if registered else None)
            if registered:
                (folder / f"frame-{n}.png").write_bytes(imagecodecs.png_encode(image, level=6))
                shape = image.shape[:2]
    return {"compared": compared, "maps": maps, "map_shape": shape, "thumbnail": small, "notes": notes}


def coloured(robustness: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an (h, w) map, 0 to 255, in colours, (h, w, 3)."""
    at = np.linspace(0, len(_STOPS) - 1, 256)
    table = np.stack([np.interp(at, np.arange(len(_STOPS)), _STOPS[:, k]) for k in range(3)], axis=1)
    return np.ascontiguousarray(np.rint(table).astype(np.uint8)[robustness])


def read_data(burst: BurstResult, notes: list[str]) -> ReportData | None:
    """Return what `process --report` wrote beside the result whose numbers are shown; None, with a note, where it is missing or damaged."""
    from burstsr.io.report_data import read_report_data

    shown = burst.shown
    if shown is None or not shown.data.exists():
        notes.append(
            "the reference alone, robustness and flow are shown where bursts are processed with --report; process it again with that option to add them"
        )
        return None
    try:
        return read_report_data(shown.data)
    except InputFileError as error:
        notes.append(str(error))
        return None
