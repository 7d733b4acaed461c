"""Formats that are asked for after a burst was done: made from its linear DNG, where that says as much as the merged picture did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.resume import missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.batch.job import Job
    from burstsr.core.result import Result

BELOW_BLACK = "below_black"  # key of a record: share of the merged samples that the DNG clips at 0
_FROM_LINEAR = ("jpg", "tiff", "png")


def below_black(rgb: NDArray[np.float32]) -> float:
    """Share of samples below 0, which a DNG cannot hold: display formats still mix them into other channels."""
    import numpy as np

    return sum(int(np.count_nonzero(row < 0)) for row in rgb) / rgb.size


def developed(job: Job) -> Result | None:
    """The burst's picture, from the DNG of an earlier run; None where what is missing must be computed from the frames.

    That is where a linear format is missing, where the DNG is gone or was edited, and where it clips: what is above 1 becomes white anyhow, but samples below
    0 count in display formats. Without such, these are the same as computed anew, but for the DNG's 16 bits.
    """
    from burstsr.io.owned import unchanged

    record = job.files.read()
    dng = job.images["dng"]
    said = job.files.listed(record).get(dng.name)
    if record is None or said is None or "sha256" not in said or record.get(BELOW_BLACK) != 0 or job.overwrite:
        return None
    if not set(missing(job)) <= set(_FROM_LINEAR) or not unchanged(dng, said, job.record):
        return None
    return _image(job, record, dng)


def _image(job: Job, record: dict[str, Any], dng: Path) -> Result | None:
    from burstsr.core.provenance import Provenance
    from burstsr.core.result import Result
    from burstsr.io.linear_dng import read_linear_dng
    from burstsr.io.raw import read_info

    names = [frame["file"] for frame in record["frames"] if frame["reference"]]
    paths = [path for path in job.paths if path.name in names]
    if len(paths) != 1:
        return None
    origin = record.get("provenance")
    provenance = Provenance(origin["digital_source_type"], origin["how"], origin.get("model", ""), origin.get("model_sha256", "")) if origin else None
    return Result(read_linear_dng(dng).rgb, read_info(paths[0]), job.settings.scale, report=record, provenance=provenance)
