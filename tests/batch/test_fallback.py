"""`process --fallback`: what upscales a burst whose frames give no resolution."""

import json
from dataclasses import replace
from inspect import signature

import numpy as np
import pytest
from conftest import burst_of

from burstsr import pipeline
from burstsr.batch import fallback
from burstsr.batch.damage import Sound
from burstsr.batch.job import Job
from burstsr.batch.run import _image
from burstsr.core.burst import Burst
from burstsr.profiles.apply import CalibrationInputs
from burstsr.profiles.files import write_record
from burstsr.profiles.records import DefectRecord, LensRecord, NoiseRecord
from burstsr.settings import Settings

pytest.importorskip("torch")
from single.inference import Model, Upscaler  # noqa: E402

SHAPE = (64, 64)


@pytest.fixture(params=["rgb", "bayer"])
def copier(request, monkeypatch):
    """A network that only repeats pixels, in the place of the one that the job names."""

    def run(planes, progress=None):
        return planes[[0, 1, 3]].repeat(4, 1).repeat(4, 2) if len(planes) == 4 else planes.repeat(2, 1).repeat(2, 2)

    model = Upscaler(Model("copier", learned=True), 2.0, 2.0, request.param, run)
    monkeypatch.setattr(fallback, "_make_upscaler", lambda name, scale: model)
    return request.param


def made(burst, known=None, name="srcnn"):
    """The image of a burst, of which there is no file to read again."""
    job = Job("test", (), None, ("dng",), Settings(), (), known=known or CalibrationInputs(), fallback=name)
    return _image(Sound(job), lambda: burst, None)[0]


def test_the_fallback_keeps_what_is_known_of_the_burst(copier, tmp_path):
    """Fault 2: it read the files again, so that noise, black, defects, lens and motion that were known were lost."""
    burst = burst_of([np.full(SHAPE, 0.25)], black=3024.0)
    mosaic = burst.frames[0].mosaic.copy()
    mosaic[31, 30] = 65535
    levels = replace(burst.info.levels, black=np.full((2, 2), 1024.0))
    burst = Burst("test", (burst.frames[0].with_mosaic(mosaic).with_info(replace(burst.info, levels=levels)),))
    noise = NoiseRecord("", 0.0, "", "photon transfer", (1e-4,) * 3, (1e-7,) * 3, black_dn=((3024.0,) * 2,) * 2, white_dn=65535.0)
    files = [tmp_path / "noise.json", tmp_path / "defects.json"]
    write_record(files[0], noise)
    write_record(files[1], DefectRecord("", 0.0, "", "darks", SHAPE, ((31, 30),), ()))
    image = made(burst, CalibrationInputs(tuple(files)))
    assert image.report["fallback"]["method"] == "srcnn"
    np.testing.assert_allclose(image.image, 0.25, atol=2e-3)


def test_a_network_that_is_told_the_noise_gets_the_frame_as_it_is(tmp_path, monkeypatch):
    """Merged alone the frame was smoothed: `srmd-noise` lost 2 dB against Lanczos at ISO 100, and now gains."""
    seen = []

    def run(planes, progress=None):
        seen.append(planes)
        return planes[:3].repeat(2, 1).repeat(2, 2)

    model = Upscaler(Model("told", learned=True), 2.0, 2.0, "rgb", run, noise_map=True)
    monkeypatch.setattr(fallback, "_make_upscaler", lambda name, scale: model)
    write_record(tmp_path / "noise.json", NoiseRecord("", 0.0, "", "flat fields", (4e-4,) * 3, (1e-6,) * 3))
    image = made(burst_of([np.full(SHAPE, 0.25)]), CalibrationInputs((tmp_path / "noise.json",)))
    assert image.image.shape == (2 * SHAPE[0], 2 * SHAPE[1], 3) and image.report["fallback"]["why"] == "one frame"
    assert len(seen) == 1 and seen[0].shape == (4, *SHAPE) and 0.003 < seen[0][3].mean() < 0.05
    np.testing.assert_allclose(image.image, 0.25, atol=2e-3)


def test_the_fallback_of_a_tripod_keeps_motion_and_lens(copier, tmp_path, monkeypatch, rng):
    """Fault 2, where frames are merged before they are upscaled."""
    burst = burst_of([np.full(SHAPE, 0.25)] * 3)
    files = tmp_path / "lens.json", tmp_path / "motion.json"
    write_record(files[0], LensRecord("", 0.0, "", "slanted edge", 0.6))
    files[1].write_text(json.dumps([{}, {"dy_px": 2.0}, {"dx_px": -2.0}]))
    seen = []

    def spy(*arguments, **named):
        given = signature(merge).bind(*arguments, **named).arguments
        settings, flows = given["settings"], given["flows"]
        seen.append((settings.scale, settings.reconstruct.psf_sigma_px, settings.reference, [flow.tiles[0, 0].tolist() for flow in flows]))
        return merge(*arguments, **named)

    merge = pipeline.super_resolve
    monkeypatch.setattr(pipeline, "super_resolve", spy)
    image = made(burst, CalibrationInputs(files[:1], motion=files[1]))
    assert image.report["fallback"]["why"] == "no sub-pixel phase"
    assert seen == [(scale, 0.6, 0, [[0, 0], [2, 0], [0, -2]]) for scale in (2.0, 1.0)]


def test_the_fallback_repairs_hot_pixels(copier, rng):
    """Fault 3: defects were looked for in a burst of one frame, where none can be told from the scene. Frames of other scenes show them too."""
    images = [np.clip(np.kron(rng.uniform(0.1, 0.6, (8, 8)), np.ones((8, 8))) + rng.normal(0, 0.002, SHAPE), 0, 1) for _ in range(4)]
    sound = burst_of(images)
    hot = [(20, 21), (41, 40)]
    frames = []
    for frame in sound:
        mosaic = frame.mosaic.copy()
        mosaic[tuple(np.transpose(hot))] = 60000
        frames.append(frame.with_mosaic(mosaic))
    image, truth = made(Burst("test", tuple(frames))), made(sound)
    assert image.report["fallback"]["why"] == "one usable frame"
    assert np.abs(image.image - truth.image).max() < 0.1


def test_the_record_states_what_the_default_fallback_did():
    """Fault 4: it said "lanczos", and nothing had been resampled with Lanczos."""
    image = made(burst_of([np.full(SHAPE, 0.25)]), name=fallback.FALLBACK)
    assert image.report["fallback"] == {"method": "merge", "why": "one frame", "learned": False}


def test_results_of_the_default_under_its_old_name_are_not_of_other_settings(tmp_path):
    job = Job("test", (), tmp_path, ("dng",), Settings(), ())
    job.record.write_text(json.dumps({"settings_asked": {**job.asked, "fallback": "lanczos"}}))
    assert not job.other_settings()
    assert replace(job, fallback="zoom").other_settings()
