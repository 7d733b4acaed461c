"""Scenes of the real world: exact where the simple simulator is, and true to what they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from burstsr.core.cfa import Cfa
from burstsr.core.errors import SettingsError
from burstsr.core.noise import Noise
from burstsr.simulate import FrameMotion, flow_at
from burstsr.simulate.exposure_paths import exposure_path, rigid_poses, second_moments, wobble
from burstsr.simulate.scene import apply_psf, camera_colour
from burstsr.simulate.scenes import SCENES, Request, take_scene
from burstsr.simulate.sensor import expose, margin_for
from burstsr.simulate.worlds import Camera, Exposure, Layer, photograph

QUIET = Noise(np.zeros(3), np.zeros(3))


def smooth(shape=(96, 128), seed=0, sigma=1.5):
    rng = np.random.default_rng(seed)
    return np.clip(0.5 + ndimage.gaussian_filter(rng.normal(size=(*shape, 3)), (sigma, sigma, 0)) * sigma, 0.05, 0.95).astype(np.float32)


def samples(world, index):
    frame = world.burst.frames[index]
    return (frame.mosaic - frame.info.levels.black[0, 0]) / (frame.info.levels.white - frame.info.levels.black[0, 0])


def test_a_rigid_world_is_what_the_simple_simulator_exposes():
    scene, motion = smooth(), FrameMotion(0.7, -1.3, 0.004)
    camera = Camera(camera_colour(), QUIET, 100, blur_px=(0, 0, 0))
    world = photograph([Layer(scene)], [Exposure(rigid_poses(m, 48)) for m in (FrameMotion(), motion)], camera, 2.0, None, np.random.default_rng(0))
    margin = margin_for((motion,), (48, 64), 2.0)
    expected = expose(apply_psf(scene, 0, None, margin), margin, 2.0, motion, (48, 64), Cfa.parse("RGGB"))
    np.testing.assert_allclose(samples(world, 1)[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-4)
    y, x = np.mgrid[8:40:4, 8:56:4].astype(float)
    np.testing.assert_allclose(world.flows[1][8:40:4, 8:56:4], flow_at(motion, np.stack([y, x], -1), (48, 64)), atol=1e-5)


def test_flow_leads_to_what_the_reference_shows():
    """Of leaves and parallax: the frame, sampled at p + flow, equals the reference at p where the surface is visible."""
    for name in ("leaves", "rolling-shutter"):
        world = take_scene(name, Request(smooth(sigma=4.0), 100, 3), np.random.default_rng(1))
        clean = [ndimage.gaussian_filter(samples(world, i)[0::2, 1::2], 0.7) for i in (0, 2)]  # one green plane
        y, x = np.mgrid[8:40:2, 8:56:2]
        at = (np.stack([y, x], -1) + world.flows[2][y, x] - (0, 1)) / 2
        seen = ndimage.map_coordinates(clean[1], at.transpose(2, 0, 1), order=3)
        there = ndimage.map_coordinates(clean[0], np.stack([y / 2, (x - 1) / 2]), order=3)
        unmoved = ndimage.map_coordinates(clean[1], np.stack([y / 2, (x - 1) / 2]), order=3)
        assert np.abs(seen - there).mean() < 0.4 * np.abs(unmoved - there).mean(), name


@pytest.mark.parametrize("name", SCENES)
def test_every_scene_has_its_truth(name):
    request = Request(smooth(), 400, 3)
    world, again = (take_scene(name, request, np.random.default_rng(2)) for _ in range(2))
    assert world.truth.shape == (96, 128, 3) and np.isfinite(world.truth).all() and world.affected.any()
    assert not world.flows[0].any() and world.flows.shape == (3, 48, 64, 2) and not world.occluded[0].any()
    assert all(np.array_equal(a.mosaic, b.mosaic) for a, b in zip(world.burst, again.burst, strict=True))


def test_walkers_hide_the_background():
    world = take_scene("walkers", Request(smooth((192, 256)), 100, 3), np.random.default_rng(3))
    assert 0.001 < world.occluded[2].mean() < 0.5 and 0.02 < world.affected.mean() < 0.9


def test_blur_is_as_long_as_it_says():
    path = exposure_path(3.0, 64, np.random.default_rng(0))
    assert np.linalg.norm(path[:, None] - path[None], axis=-1).max() == pytest.approx(3.0)
    assert second_moments(path * 2)[0] == pytest.approx(4 * second_moments(path)[0])
    assert np.sqrt((wobble(200, 1.5, 3.0, np.random.default_rng(0)) ** 2).sum(1).mean()) == pytest.approx(1.5)
    sharp, blurred = (take_scene(n, Request(smooth(sigma=1.0), 100, 6), np.random.default_rng(4)) for n in ("clean", "motion-blur"))
    assert not sharp.blur_moments.any() and blurred.blur_moments[1:, [0, 2]].sum(1).max() > 1.0
    assert np.diff(samples(blurred, int(blurred.blur_moments[:, [0, 2]].sum(1).argmax())), axis=0).std() < np.diff(samples(sharp, 1), axis=0).std()


def test_an_unknown_scene_is_refused():
    with pytest.raises(SettingsError, match="must be one of"):
        take_scene("nowhere", replace(Request(smooth()), frames=2), np.random.default_rng(0))
