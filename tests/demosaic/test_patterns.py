"""Demosaicing of X-Trans and quad Bayer."""

import cv2
import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.cfa import Cfa
from burstsr.demosaic import demosaic, naive, pattern_loops

PATTERNS = ["X-Trans", "quad RGGB", "quad GBRG", "GR/RB"]


@pytest.mark.parametrize("shape", [(9, 13), (12, 400)])
@pytest.mark.parametrize("period", [(6, 6), (4, 4), (2, 3)])
def test_engines_agree(shape, period, rng):
    samples, weights = rng.normal(size=shape).astype(np.float32), rng.normal(size=(*period, 5, 49)).astype(np.float32)
    whole = np.pad(samples, ((0, 0), (0, -shape[1] % period[1] + 2 * period[1])))
    planes = np.ascontiguousarray(whole.reshape(shape[0], -1, period[1]).swapaxes(1, 2))
    out = np.empty((5, shape[0] - 6, shape[1] - 6), np.float32)
    pattern_loops.predict(planes, weights, out)
    np.testing.assert_allclose(out, naive.predict_pattern(samples, weights), atol=2e-5)


@pytest.mark.parametrize("cfa", PATTERNS)
def test_constant_in_constant_out(cfa):
    colour = (0.1, 0.4, 0.7)
    out = demosaic(frame_of(np.broadcast_to(colour, (38, 52, 3)), cfa=cfa))
    np.testing.assert_allclose(out, np.broadcast_to(colour, out.shape), atol=3e-4)


@pytest.mark.parametrize("cfa", PATTERNS)
def test_a_strip_more_or_less_changes_nothing(cfa, rng):
    """Strips of rows are computed apart: a row's result is the same in an image that ends elsewhere."""
    mosaic = rng.uniform(0, 1, (240, 40))
    tall, short = demosaic(frame_of(mosaic, cfa=cfa)), demosaic(frame_of(mosaic[:120], cfa=cfa))
    np.testing.assert_allclose(tall[:96], short[:96], atol=1e-5)


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
@pytest.mark.parametrize("cfa", PATTERNS[:2])
def test_edges_of_any_direction_are_nearly_grey(cfa, angle):
    y, x = np.mgrid[:60, :66]
    across = np.cos(np.deg2rad(angle)) * (y - 30) + np.sin(np.deg2rad(angle)) * (x - 33)
    scene = cv2.GaussianBlur(np.where(across < 0, 0.1, 0.7), (0, 0), 0.7)
    out = demosaic(frame_of(scene, cfa=cfa))[8:-8, 8:-8]
    assert np.abs(np.sqrt(out) - np.sqrt(scene[8:-8, 8:-8, None])).max() < 0.13
    assert np.mean((out - scene[8:-8, 8:-8, None]) ** 2) < 2e-4


@pytest.mark.parametrize("cfa", PATTERNS[:2])
def test_a_crop_of_the_pattern_is_demosaiced_alike(cfa, texture):
    y, x = np.mgrid[:60, :64].astype(float)
    scene = texture(0.3 * y, 0.3 * x)
    whole, part = demosaic(frame_of(scene, cfa=cfa)), demosaic(frame_of(scene[6:, 7:], cfa=Cfa.parse(cfa).shifted(6, 7)))
    np.testing.assert_allclose(whole[18:-12, 19:-12], part[12:-12, 12:-12], atol=1e-5)
