"""What a reconstruction leaves out, counts and reports, and its knobs."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of

from burstsr import super_resolve
from burstsr.core.burst import Burst
from burstsr.core.errors import SettingsError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.demosaic import demosaic, upscale
from burstsr.quality.image_error import psnr_linear
from burstsr.reconstruct import RegisteredFrame, Task, reconstruct, stage
from burstsr.settings import ReconstructSettings
from reconstruct.scenes import BEST, EDGE, changed


def views_of(burst, robustness=1.0):
    """Frames that stand still, and are believed."""
    height, width = burst.info.shape
    return [RegisteredFrame(f, Flow.zero((height, width), 16), np.full((height // 2, width // 2), robustness, np.float32)) for f in burst]


def outcome_of(burst, defects=(), calls=None, **settings):
    start = upscale(demosaic(burst.frames[0]), 2.0)
    calls = [] if calls is None else calls
    wild = np.array(defects, np.int64).reshape(-1, 2)
    arguments = (views_of(burst), 0, burst.info.noise, np.ones(3), 2.0, ReconstructSettings(**settings), wild)
    return reconstruct(Task(start, *arguments), lambda done, total: calls.append((done, total)))


def still(texture, rng, frames=3):
    y, x = np.mgrid[:48, :64].astype(float)
    noise = Noise.of_iso(100)
    clean = 0.1 + 0.7 * np.clip(texture(y, x), 0, 1)
    return burst_of([clean + np.sqrt(noise.variance(clean, 1)) * rng.standard_normal(clean.shape) for _ in range(frames)], noise=noise)


def test_defects_are_left_out(texture, rng):
    """A wild sample in every frame, its place known, is as if no sample were there; unknown, it shows."""
    burst = still(texture, rng)
    start = upscale(demosaic(burst.frames[0]), 2.0)
    wild = [(20, 30), (33, 41)]
    spoilt = [replace(frame, mosaic=frame.mosaic.copy()) for frame in burst]
    for frame in spoilt:
        for place in wild:
            frame.mosaic[place] = 65000
    views = [views_of(b) for b in (burst, Burst("spoilt", tuple(spoilt)))]

    def image(views, defects):
        arguments = (0, burst.info.noise, np.ones(3), 2.0, ReconstructSettings(recheck_rejected_frames=False), np.array(defects, np.int64).reshape(-1, 2))
        return reconstruct(Task(start, views, *arguments), lambda done, total: None).image

    clean = image(views[0], wild)
    np.testing.assert_array_equal(image(views[1], wild), clean)
    assert np.abs(image(views[1], []) - clean).max() > 0.1


def test_progress_counts_tiles(texture, rng, monkeypatch):
    monkeypatch.setattr(stage, "SIDE", 40)
    calls = []
    outcome_of(still(texture, rng), calls=calls)
    assert calls == [(n, 12) for n in range(1, 13)]


def test_progress_reaches_the_caller(made):
    calls = []
    super_resolve(made.burst, BEST, lambda *call: calls.append(call))
    done = [(n, total) for stage_name, n, total in calls if stage_name == "reconstruct"]
    assert (done[0][1], done[0][1]) in done and all(n <= total for n, total in done)


def test_report_states_what_happened(fast, best):
    assert fast.report["reconstruction"] is None and fast.report["settings"]["mode"] == "fast"
    facts = best.report["reconstruction"]
    assert set(facts) >= {"outer_iterations", "residual", "rechecked_tiles"}
    assert 1 <= facts["outer_iterations"] <= 10 and 0.7 < facts["residual"] < 1.5 and 0 <= facts["rechecked_tiles"] <= 1
    assert best.report["settings"]["mode"] == "best" and "reconstruct" in best.report["seconds"]


def test_noise_left_is_below_a_samples(best):
    left, sample = best.report["output_noise"], best.report["noise"]
    for kind in ("alpha", "beta"):
        assert all(0 < a < b for a, b in zip(left[kind], sample[kind], strict=True))


def test_noise_left_is_what_is_left(rng):
    """On a flat scene the image's noise model agrees with its own variance within a factor of two."""
    noise, level = Noise.of_iso(800), 0.3
    burst = burst_of([level + np.sqrt(noise.variance(level, 1)) * rng.standard_normal((96, 96)) for _ in range(8)], noise=noise)
    image = super_resolve(burst, replace(BEST, measure_noise=True))
    for channel in range(3):
        measured = image.image[32:-32, 32:-32, channel].var()
        assert 0.5 < float(image.noise_model.variance(level, channel)) / measured < 2.0


CHANGES = [
    "psf_sigma_px=0.4",
    "outer_iterations=3",
    "cg_iterations=2",
    "sigma_start=2",
    "sigma_end=2",
    "dct_threshold=4",
    "chroma_noise=3",
    "chroma_penalty=10",
    "sqrt_offset=0.05",
    "stop_tolerance=10",
    "denoised_fraction=0",
    "denoised_fraction=1",
    "recheck_rejected_frames=false",
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_knob_reaches_the_image(made, best, change):
    other = super_resolve(made.burst, changed(f"reconstruct.{change}")).image
    assert np.isfinite(other).all()
    assert np.abs(other - best.image).max() > 1e-4


@pytest.mark.parametrize("change", ["dct_threshold=0", "chroma_penalty=0", "stop_tolerance=0", "outer_iterations=1", "cg_iterations=1"])
def test_knobs_at_null_are_accepted(made, change):
    image = super_resolve(made.burst, changed(f"reconstruct.{change}")).image
    assert np.isfinite(image).all() and psnr_linear(image, made.truth, EDGE) > 25


def test_no_chroma_noise_is_accepted(texture, rng):
    assert np.isfinite(outcome_of(still(texture, rng), chroma_noise=0.0).image).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("psf_sigma_px", 1.6), ("outer_iterations", 0), ("cg_iterations", 51), ("sigma_start", 0.0), ("sigma_end", 1e4), ("dct_threshold", -1.0)]
    + [
        ("chroma_noise", -0.1),
        ("chroma_penalty", 101.0),
        ("sqrt_offset", 0.0),
        ("stop_tolerance", 11.0),
        ("denoised_fraction", 1.1),
        ("denoised_fraction", -0.1),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        ReconstructSettings(**{name: value})
