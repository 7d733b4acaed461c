"""A folder of results as `process --report` leaves it, made without processing anything."""

import json

import numpy as np

from burstsr.io.report_data import ReportData, jpeg_bytes, write_report_data
from burstsr.settings import Settings

SHAPE = (40, 60)  # of the raw frames


def record(name, frames=3, mode="fast", **facts):
    """A record of `name`, as it is written."""
    from dataclasses import asdict

    settings = {**asdict(Settings()), "mode": mode}
    each = [
        {"file": f"frame_{n}.dng", "reference": n == 0, "motion_px": [0.5 * n, -0.75 * n], "motion_error_px": 0.01 * n, "rotation_deg": 0.0, "robustness": 0.9,
         "used": n < 3, "unused_because": None if n < 3 else "blurred: sharper frames show more", "constant": False, "blur_px": 0.4 * n, "weight": 1.0}
        for n in range(frames)
    ]  # fmt: skip
    return {
        "schema_version": 2, "burst": name, "reference": 0, "frames": each, "coverage": 0.5, "subpixel_phases": 3, "sampling_uniformity": 0.8,
        "expected_gain_db": 2.5, "advice": None, "noise": {"source": "NoiseProfile"}, "settings": settings, "shape": [2 * SHAPE[0], 2 * SHAPE[1]],
        "seconds": {"merge": 1.25}, "versions": {"burstsr": "1.0"}, "provenance": {"how": "Merged"}, "damaged_frames": [],
        "fingerprints": [f"frame_{n}.dng, 9 bytes, no time" for n in range(frames)], "settings_asked": settings, **facts,
    }  # fmt: skip


def picture(level, shape=(2 * SHAPE[0], 2 * SHAPE[1])):
    """A textured image about a grey level."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.uint8(np.clip(level + 40 * ((x // 7 + y // 5) % 2), 0, 255))[..., None].repeat(3, axis=2)


def write_result(out, name, *, data=True, level=90, shape=(2 * SHAPE[0], 2 * SHAPE[1]), **facts):
    """Write a burst's record, preview and, with `data`, what a report needs."""
    out.mkdir(exist_ok=True)
    facts = record(name, **{"shape": list(shape), **facts})
    (out / f"{name}.json").write_text(json.dumps(facts))
    (out / f"{name}.jpg").write_bytes(jpeg_bytes(picture(level, shape), 90))
    if data:
        count = len(facts["frames"])
        flow = np.random.default_rng(0).normal(0, 0.05, (count, 4, 6, 2)).astype(np.float32)
        grid = [((np.arange(n) + 0.5) * length / n - 0.5).astype(np.float32) for n, length in zip((4, 6), SHAPE, strict=True)]
        maps = np.full((count, 20, 30), 200, np.uint8)
        reference = jpeg_bytes(picture(level + 60, shape), 90)
        write_report_data(out / f"{name}.report.npz", ReportData(reference, SHAPE, 2, 1, maps[0], maps, np.ones(count, bool), *grid, flow))
