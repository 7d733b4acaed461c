"""Formats requested after a burst was processed: made from its linear DNG, where that is equivalent to the merged image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.resume import missing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.batch.job import Job
    from burstsr.core.result import Result

BELOW_BLACK = "below_black"  # key of a record: share of the merged samples that are clipped at 0 in the DNG
_FROM_LINEAR = ("jpg", "tiff", "png")


def below_black(rgb: NDArray[np.float32]) -> float:
    """Return the share of samples below 0, which a DNG cannot hold, but which display formats mix into other channels."""
    import numpy as np

    from burstsr.core import large_arrays

    return sum(int(np.count_nonzero(rgb[rows] < 0)) for rows in large_arrays.strips(rgb)) / rgb.size


def developed(job: Job) -> Result | None:
    """Return the burst's image from the DNG of an earlier run; None where missing formats must be computed from the frames.

    That is where a linear format is missing, where the DNG is missing or was edited, and where it is clipped: values above 1 become white anyway, but samples
    below 0 contribute to display formats. Otherwise these are the same as if computed again, apart from the DNG's 16 bits.
    """
    from burstsr.io.owned import unchanged

    record = job.files.read()
    dng = job.images["dng"]
    listed = job.files.listed(record).get(dng.name)
    if record is None or listed is None or "sha256" not in listed or record.get(BELOW_BLACK) != 0 or job.overwrite:
        return None
    if not set(missing(job)) <= set(_FROM_LINEAR) or not unchanged(dng, listed, job.record):
        return None
    return _image(job, record, dng)


def _image(job: Job, record: dict[str, Any], dng: Path) -> Result | None:
    from burstsr.core.provenance import Provenance
    from burstsr.core.report import Report
    from burstsr.core.result import Result
    from burstsr.io.linear_dng import read_linear_dng
    from burstsr.io.raw import read_info

    names = [frame["file"] for frame in record["frames"] if frame["reference"]]
    paths = [path for path in job.paths if path.name in names]
    if len(paths) != 1:
        return None
    origin = record.get("provenance")
    provenance = Provenance(origin["digital_source_type"], origin["how"], origin.get("model", ""), origin.get("model_sha256", "")) if origin else None
    return Result(read_linear_dng(dng).rgb, read_info(paths[0]), job.settings.scale, report=Report(extra=record), provenance=provenance)
