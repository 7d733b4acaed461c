"""A region of interest is that part of the whole image: `Settings.crop` and `zoom`, `burstsr.core.window`, `burstsr.region`."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of
from skimage import data

from burstsr import Settings, super_resolve
from burstsr.core.errors import SettingsError
from burstsr.core.fields import parsed_crop
from burstsr.core.flow import Flow
from burstsr.core.gain import GainField
from burstsr.core.noise import Noise
from burstsr.core.window import Window, region_of_interest
from burstsr.io.fits_result import scaled_wcs
from burstsr.quality.image_error import psnr_linear
from burstsr.reconstruct import RegisteredFrame
from burstsr.region import cut_to_region
from burstsr.registration import Registered
from burstsr.simulate import SimulateSettings, simulate_burst

BASE = Settings(reference=0, measure_noise=False)


@pytest.fixture(scope="module")
def made():
    image = data.coffee()[:384, :448]
    return simulate_burst(image, SimulateSettings(frames=4, iso=200), np.random.default_rng(1))


@pytest.fixture(scope="module")
def burst(made):
    return made.burst


@pytest.mark.parametrize("scale", [1.5, 2.0, 2.75])
def test_a_region_is_that_part_of_the_whole_image(burst, scale):
    settings = replace(BASE, scale=scale)
    whole = super_resolve(burst, settings, keep_maps=True)
    part = super_resolve(burst, replace(settings, crop="64,80,72,64"), keep_maps=True)
    rows, columns = (slice(round(first * scale), round(first * scale) + round(length * scale)) for first, length in ((64, 72), (80, 64)))
    assert part.image.shape == (round(72 * scale), round(64 * scale), 3)
    difference = part.image - whole.image[rows, columns]
    assert np.sqrt(np.mean(difference**2)) < 2e-3
    assert part.weight.shape == part.variance.shape == part.image.shape
    np.testing.assert_array_equal(part.robustness[1], whole.robustness[1][32:68, 40:72])
    assert (part.origin, part.reference.shape) == ((64, 80), (72, 64))
    np.testing.assert_array_equal(part.flows[1].tiles, whole.flows[1].tiles)


def test_a_reconstructed_region_is_as_close_to_the_truth(made):
    settings = replace(BASE, mode="best")
    whole, part = super_resolve(made.burst, settings), super_resolve(made.burst, replace(settings, crop="64,80,72,64"))
    truth, inside = made.truth[128:272, 160:288], whole.image[128:272, 160:288]
    assert abs(psnr_linear(part.image, truth, 0) - psnr_linear(inside, truth, 0)) < 0.05


def test_zoom_is_the_middle(burst):
    height, width = burst.info.shape
    part = super_resolve(burst, replace(BASE, zoom=2.0))
    assert part.image.shape[:2] == (height, width)  # x2 of half the frame
    named = super_resolve(burst, replace(BASE, crop=f"{height // 4},{width // 4},{height // 2},{width // 2}"))
    np.testing.assert_array_equal(part.image, named.image)


def test_a_region_that_is_the_whole_frame_changes_nothing(burst):
    height, width = burst.info.shape
    assert region_of_interest(f"0,0,{height},{width}", 1.0, (height, width)) is None


def test_sides_become_even():
    assert region_of_interest("101,7,63,64", 1.0, (480, 640)) == Window(100, 6, 64, 66)
    assert region_of_interest("464,0,16,16", 1.0, (480, 640)) == Window(464, 0, 16, 16)


@pytest.mark.parametrize("crop", ["470,0,16,16", "0,600,64,64", "0,0,8,64", "900,900,64,64"])
def test_a_region_outside_the_frames_or_too_small_is_refused(crop):
    with pytest.raises(SettingsError, match=rf"crop {crop}.*(480 rows of 640 pixels|at least 16)"):
        region_of_interest(crop, 1.0, (480, 640))


@pytest.mark.parametrize("crop", ["1,2,3", "a,b,c,d", "-1,0,64,64", "0,0,0,64", "1;2;3;4", "1.5,0,64,64"])
def test_other_texts_are_refused(crop):
    with pytest.raises(SettingsError, match="Y,X,H,W"):
        parsed_crop(crop)
    with pytest.raises(SettingsError, match="Y,X,H,W"):
        Settings(crop=crop)


def test_a_region_is_checked_before_work_begins(burst):
    stages = []
    with pytest.raises(SettingsError, match="must lie in the frames"):
        super_resolve(burst, replace(BASE, crop="5000,0,64,64"), progress=lambda *stage: stages.append(stage))
    assert not stages


def test_pixels_flow_gain_and_crop_of_a_window_are_those_of_the_frame():
    image = np.random.default_rng(0).uniform(0, 1, (96, 128)).astype(np.float32)
    frame = frame_of(image)
    gain = GainField(np.random.default_rng(1).uniform(0.5, 2, (3, 4, 5)).astype(np.float32), (96, 128))
    frame = frame.with_info(replace(frame.info, gain=gain, crop=(4.0, 4.0, 92.0, 124.0)))
    window = Window(32, 16, 48, 64)
    cut = window.frame(frame)
    np.testing.assert_array_equal(cut.mosaic, frame.mosaic[32:80, 16:80])
    np.testing.assert_array_equal(cut.info.gain.cells((48, 64)), gain.cells((96, 128))[:, 16:40, 8:40])
    assert cut.info.shape == (48, 64)
    assert cut.info.crop == (0.0, 0.0, 48.0, 64.0)
    flow = Flow(np.random.default_rng(2).normal(0, 3, (6, 8, 2)).astype(np.float32), 16)
    inside = window.flow(flow)
    np.testing.assert_allclose(inside.at(20, 30), flow.at(52, 46), atol=1e-5)
    np.testing.assert_array_equal(window.positions(np.array([[31, 20], [32, 16], [79, 79], [80, 20]])), [[0, 0], [47, 63]])


def test_a_window_holds_its_margin_and_begins_at_multiples():
    window = Window(100, 200, 64, 64).around(40, 16, (480, 640))
    assert window.top % 16 == window.left % 16 == 0
    assert window.top <= 60
    assert window.top + window.height >= 204
    assert Window(0, 600, 64, 40).around(40, 16, (480, 640)) == Window(0, 560, 104, 80)


def test_the_wcs_of_a_region_shows_the_same_sky():
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 100.5, "CRPIX2": 50.5, "CDELT1": 1.0, "CDELT2": 1.0}
    whole, part = scaled_wcs(header, 2.0), scaled_wcs(header, 2.0, (20, 40))
    assert whole["CRPIX1"] - part["CRPIX1"] == 80  # FITS axis 1 is x
    assert whole["CRPIX2"] - part["CRPIX2"] == 40


def test_a_lost_tile_does_not_widen_the_window():
    views = []
    for shift in (0.0, 3.0):
        tiles = np.full((30, 40, 2), shift, np.float32)
        if shift:
            tiles[15, 20] = 300
        frame = frame_of(np.full((480, 640), 0.5, np.float32))
        views.append(RegisteredFrame(frame, Flow(tiles, 16), np.ones((240, 320), np.float32)))
    registered = Registered(views, 0, Noise.of_iso(100), None)
    cut, _, region = cut_to_region(registered, np.zeros((0, 2), np.int64), replace(BASE, crop="200,280,64,64"))
    assert max(region.window.height, region.window.width) <= 64 + 2 * (40 + 3 + 16)
    assert cut.views[1].frame.mosaic.shape == region.window[2:]
