import numpy as np
import pytest
from conftest import frame_of

from burstsr.demosaic import demosaic, loops, naive, upscale, upscale_rows
from burstsr.demosaic.stage import _taps


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_constant_in_constant_out(cfa):
    colour = (0.1, 0.4, 0.7)
    out = demosaic(frame_of(np.broadcast_to(colour, (32, 32, 3)), cfa=cfa))
    np.testing.assert_allclose(out, np.broadcast_to(colour, out.shape), atol=1e-4)


def test_samples_stay(rng):
    frame = frame_of(rng.uniform(0.05, 0.95, (32, 32)))
    out = demosaic(frame)
    np.testing.assert_allclose(out[::2, ::2, 0], (frame.mosaic[::2, ::2] - 1024.0) / (65535 - 1024), atol=1e-4)
    np.testing.assert_allclose(out[1::2, 1::2, 2], (frame.mosaic[1::2, 1::2] - 1024.0) / (65535 - 1024), atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_edge_has_no_zipper(axis):
    y_or_x = np.mgrid[:32, :32][axis]
    scene = np.where(y_or_x < 15, 0.1, 0.8)
    out = demosaic(frame_of(np.repeat(scene[..., None], 3, 2)))[6:-6, 6:-6]
    assert out.std(axis=1 - axis).max() < 0.01  # constant along the edge
    assert np.abs(out[..., 0] - out[..., 1]).max() < 0.1


def test_upscale_keeps_position():
    y, x = np.mgrid[:20, :24].astype(np.float32)
    ramp = np.repeat((y + 2 * x)[..., None], 3, 2)
    for scale in (1.0, 1.5, 2.0, 3.3):
        out = upscale(ramp, scale)
        oy, ox = np.mgrid[: out.shape[0], : out.shape[1]]
        expected = (oy + 0.5) / scale - 0.5 + 2 * ((ox + 0.5) / scale - 0.5)
        error = (out[..., 1] - expected)[8:-8, 8:-8]
        assert abs(error.mean()) < 0.02
        assert np.abs(error).max() < 0.25  # OpenCV's bicubic does not reproduce ramps between samples
    assert upscale(ramp, 1.0) is not ramp


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize("shape", [(2, 2), (6, 10), (48, 240), (50, 242), (130, 500)])
def test_engines_agree(texture, rng, cfa, shape):
    """Save where the two directions are equally good, which falls to either."""
    frame = frame_of(texture(*np.mgrid[: shape[0], : shape[1]]) + rng.normal(0, 0.05, shape), cfa=cfa)
    x = ((frame.mosaic - 1024.0) / (65535 - 1024)).astype(np.float32)
    gain = np.array([2.0, 1.0, 1.5], np.float32)
    a, b = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
    naive.demosaic_rows(0, shape[0], x, np.array(frame.info.cfa), gain, a)
    loops.demosaic_rows(0, shape[0], x, np.array(frame.info.cfa), gain, b)
    assert (np.abs(a - b).max(-1) > 1e-5).mean() < 0.002


@pytest.mark.parametrize("scale", [1.5, 2.0, 3.3, 4.0])
def test_upscaling_engines_agree(rng, scale):
    image = rng.uniform(-0.1, 1, (9, 13, 3)).astype(np.float32)
    height, width = round(scale * 9), round(scale * 13)
    a, b = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 3), np.float32)
    for module, out in ((naive, a), (loops, b)):
        module.upscale_rows(0, height, image, *_taps(9, scale), *_taps(13, scale), 0, out)
    np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.3])
def test_rows_of_the_upscaled_image_are_its_rows(rng, scale):
    image = rng.uniform(0, 1, (70, 31, 3)).astype(np.float32)
    whole = upscale(image, scale)
    assert whole.shape == (round(70 * scale), round(31 * scale), 3)
    for first, last in ((0, 1), (0, 40), (13, 66), (len(whole) - 9, len(whole))):
        np.testing.assert_array_equal(upscale_rows(image, scale, first, last), whole[first:last])
        out = np.zeros_like(whole[first:last])
        assert upscale_rows(image, scale, first, last, out) is out
        np.testing.assert_array_equal(out, whole[first:last])


def test_flat_stays_flat_when_upscaled():
    out = upscale(np.full((5, 7, 3), 0.3, np.float32), 2.7)
    np.testing.assert_allclose(out, 0.3, rtol=1e-5)


def test_other_samples_than_the_frames_own(rng):
    frame = frame_of(rng.uniform(0.05, 0.95, (32, 32)))
    x = ((frame.mosaic - 1024.0) / (65535 - 1024)).astype(np.float32)
    before = x.copy()
    np.testing.assert_allclose(demosaic(frame, x), demosaic(frame), atol=1e-5)
    np.testing.assert_array_equal(x, before)
