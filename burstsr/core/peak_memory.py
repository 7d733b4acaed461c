"""Peak memory of processing a burst, estimated."""

from __future__ import annotations

from burstsr.core.parallel import thread_count

# 4 to 18 % above peaks measured: at scale 2, in either mode, 0.84 GB (8 frames of 3 megapixels), 1.37 GB (4 of 6), 2.4 GB (13 of 12); 4 of 3 megapixels at
# scales 1, 3 and 4 0.53, 1.37 and 2.10 GB; on disk, at scale 2, 0.99 GB (8 of 6) and 1.09 GB (8 of 12)
_PROGRAM_BYTES = 350e6
_OUTPUT_BYTES = 36.0  # per output pixel: three images of 3 x 32 bits
_MAP_BYTES = 24.0  # more, with maps
_RAW_BYTES = 28.0  # per raw pixel: of the frame at work
_SAMPLE_BYTES, _ROBUSTNESS_BYTES = 2.0, 0.5  # per raw pixel of each frame
_STRIP_BYTES = 24e3  # per output pixel along a row and thread, of images on disk: the strips at work, of 128 rows and those around
_HELD_BYTES = 400e6  # of mosaics, beyond which they wait in a temporary file


def peak_bytes(shape: tuple[int, int], frames: int, scale: float, *, maps: bool = False, on_disk: bool = False) -> int:
    """Estimate the peak memory of processing `frames` of `shape` (H, W) in a process of its own. on_disk: images wait in files, see `large_arrays`."""
    raw = float(shape[0]) * shape[1]
    out = _STRIP_BYTES * thread_count() * shape[1] * scale if on_disk else raw * scale**2 * (_OUTPUT_BYTES + (_MAP_BYTES if maps else 0.0))
    return round(_PROGRAM_BYTES + out + raw * (_RAW_BYTES + _ROBUSTNESS_BYTES * frames) + min(_SAMPLE_BYTES * raw * frames, _HELD_BYTES))
