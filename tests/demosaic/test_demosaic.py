import numpy as np
import pytest
from conftest import frame_of

from burstsr.demosaic import demosaic, enlarge


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


def test_enlarge_keeps_position():
    y, x = np.mgrid[:20, :24].astype(np.float32)
    ramp = np.repeat((y + 2 * x)[..., None], 3, 2)
    for scale in (1.0, 1.5, 2.0, 3.3):
        out = enlarge(ramp, scale)
        oy, ox = np.mgrid[: out.shape[0], : out.shape[1]]
        expected = (oy + 0.5) / scale - 0.5 + 2 * ((ox + 0.5) / scale - 0.5)
        error = (out[..., 1] - expected)[8:-8, 8:-8]
        assert abs(error.mean()) < 0.02
        assert np.abs(error).max() < 0.25  # OpenCV's bicubic does not reproduce ramps between samples
    assert enlarge(ramp, 1.0) is not ramp
