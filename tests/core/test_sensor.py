"""Samples: what raw values become, and the two engines."""

import numpy as np
import pytest
from conftest import frame_of

from burstsr.core import loops, naive
from burstsr.core.burst import Frame, Levels
from burstsr.core.noise import Noise
from burstsr.core.sensor import cells, clipped_samples, mean_sample, red_site, samples, site_rows, stabilisation, stabilised_cells

ENGINES = {"naive": naive, "loops": loops}
BLACK = np.array([[100.0, 120.5], [90.25, 110.0]])


@pytest.fixture(params=[(2, 2), (6, 10), (64, 98)])
def frame(request, rng):
    made = frame_of(np.zeros(request.param), cfa="GRBG")
    info = made.info.__class__(**{**vars(made.info), "levels": Levels(BLACK, 4000.0)})
    return Frame(info, rng.integers(0, 4096, request.param).astype(np.uint16))


def expected(frame):
    out = np.zeros(frame.mosaic.shape)
    for y in (0, 1):
        for x in (0, 1):
            out[y::2, x::2] = (frame.mosaic[y::2, x::2] - BLACK[y, x]) / (4000.0 - BLACK[y, x])
    return out


def test_samples_are_levels_over_black(frame):
    x = expected(frame)
    np.testing.assert_allclose(samples(frame.mosaic, frame.info.levels), x, atol=1e-6)
    np.testing.assert_allclose(clipped_samples(frame), np.minimum(x, 1), atol=1e-6)
    assert samples(frame.mosaic, frame.info.levels).dtype == np.float32
    assert mean_sample(frame) == pytest.approx(x.mean(), abs=1e-9)


def test_an_odd_last_row_and_column_count_too(rng):
    mosaic = rng.integers(0, 4096, (5, 7)).astype(np.uint16)
    info = frame_of(np.zeros((4, 6))).info
    frame = Frame(info.__class__(**{**vars(info), "levels": Levels(BLACK, 4000.0)}), mosaic)
    np.testing.assert_allclose(samples(mosaic, frame.info.levels), expected(frame), atol=1e-6)
    assert mean_sample(frame) == pytest.approx(expected(frame).mean(), abs=1e-9)


def test_quads(frame):
    x = expected(frame)
    out = cells(frame)
    assert red_site(frame) == 1
    np.testing.assert_allclose(out[..., 0], x[::2, 1::2], atol=1e-6)
    np.testing.assert_allclose(out[..., 1], (x[::2, ::2] + x[1::2, 1::2]) / 2, atol=1e-6)
    np.testing.assert_allclose(out[..., 2], x[1::2, ::2], atol=1e-6)
    alpha = Noise.of_iso(400).alpha[0]
    beta = Noise.of_iso(400).beta[0]
    mean = (x[::2, ::2] + x[1::2, 1::2] + x[::2, 1::2] + x[1::2, ::2]) / 4
    root = 2 / alpha * np.sqrt(np.maximum(alpha * mean + 0.375 * alpha**2 + beta, 0))
    np.testing.assert_allclose(stabilised_cells(frame, Noise.of_iso(400)), root, rtol=1e-5)


def test_engines_agree(frame):
    mosaic = frame.mosaic
    height, width = mosaic.shape
    black, scale = site_rows(frame.info.levels, width)
    outs = []
    for module in ENGINES.values():
        x, cell = np.zeros(mosaic.shape, np.float32), np.zeros((height // 2, width // 2, 3), np.float32)
        stable, sums = np.zeros(cell.shape[:2], np.float32), np.zeros((height, 2), np.uint64)
        module.normalise_rows(0, height, mosaic, black, scale, np.float32(0.9), x)
        module.cell_rows(0, height // 2, mosaic, black, scale, 1, cell)
        module.stabilised_cell_rows(0, height // 2, mosaic, black, scale, *stabilisation(Noise.of_iso(100)), stable)
        module.site_sums(0, height, mosaic, sums)
        outs.append((x, cell, stable, sums))
    for a, b in zip(*outs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
