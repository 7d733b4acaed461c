"""Images larger than memory: the same result, from temporary files, strip by strip. `core.large_arrays`, `super_resolve(memory_limit=...)`."""

import os
import re
import sys
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from skimage import data

from burstsr import Settings, super_resolve
from burstsr.core import large_arrays, mapped_pages
from burstsr.core.large_arrays import arrays_on_disk
from burstsr.core.resized import resized_rows
from burstsr.io.dng_previews import reduced
from burstsr.io.jpeg_strips import jpeg_pieces
from burstsr.settings import ReconstructSettings
from burstsr.simulate import SimulateSettings, simulate_burst


@pytest.fixture
def small_strips(monkeypatch):
    """Strips of a few rows, and no array that is too small for a file."""
    monkeypatch.setattr(large_arrays, "_LEAST_BYTES", 1)
    monkeypatch.setattr(mapped_pages, "ROWS", 16)


def is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, memoryview)


@pytest.mark.parametrize(("mode", "scale", "cfa"), [("fast", 2.0, "RGGB"), ("fast", 1.5, "mono"), ("best", 2.0, "RGGB")])
def test_images_on_disk_are_the_same(small_strips, mode, scale, cfa):
    image = data.coffee()[:232, :264]
    burst = simulate_burst(image, SimulateSettings(frames=3, iso=400, cfa=cfa), np.random.default_rng(1)).burst
    settings = Settings(scale=scale, mode=mode, reference=0, measure_noise=mode == "fast", reconstruct=ReconstructSettings(outer_iterations=3))
    whole = super_resolve(burst, settings, keep_maps=True)
    strips = super_resolve(burst, settings, keep_maps=True, memory_limit=1)
    assert is_mapped(strips.image) and not is_mapped(whole.image)
    for name in ("image", "weight", "variance"):
        np.testing.assert_array_equal(getattr(strips, name), getattr(whole, name))
    assert strips.report.to_dict()["output_noise"] == whole.report.to_dict()["output_noise"]


def test_an_image_that_fits_stays_in_memory(small_strips):
    burst = simulate_burst(data.coffee()[:64, :64], SimulateSettings(frames=1), np.random.default_rng(1)).burst
    assert not is_mapped(super_resolve(burst, Settings(measure_noise=False), memory_limit=10**10).image)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_memory_does_not_grow_with_an_array_on_disk(tmp_path):
    def resident():
        return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10

    before, most = resident(), 0
    with arrays_on_disk(tmp_path):
        array = large_arrays.empty((4096, 4096))  # 64 MB
    for rows in large_arrays.strips(array):
        array[rows] = rows.start
        most = max(most, resident() - before)
    assert most < 16 << 20
    assert all((array[rows] == rows.start).all() for rows in large_arrays.strips(array))


def test_a_full_disk_leaves_arrays_in_memory(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(large_arrays, "_reserve", lambda file, size: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with arrays_on_disk(tmp_path):
        assert not is_mapped(large_arrays.empty((1024, 1024)))
    assert "No space left" in caplog.text and os.listdir(tmp_path) == []


@pytest.mark.parametrize("shape", [(200, 123, 3), (64, 64, 3), (65, 40, 1), (20, 30, 3)])
def test_a_jpeg_in_strips_has_the_pixels_of_one_at_once(rng, shape):
    pixels = rng.integers(0, 255, shape, np.uint8)
    once = imagecodecs.jpeg8_encode(pixels if shape[2] == 3 else pixels[..., 0], level=92, subsampling="444")
    strips = b"".join(jpeg_pieces("a.jpg", pixels, 92))
    np.testing.assert_array_equal(imagecodecs.jpeg8_decode(strips), imagecodecs.jpeg8_decode(once))
    flags = cv2.IMREAD_UNCHANGED  # another decoder
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(strips, np.uint8), flags), cv2.imdecode(np.frombuffer(once, np.uint8), flags))


def test_resizing_by_rows_is_that_of_the_whole(rng):
    plane = rng.uniform(0, 1, (37, 41)).astype(np.float32)
    whole = cv2.resize(plane, (150, 101), interpolation=cv2.INTER_LINEAR)
    rows = np.concatenate([resized_rows(plane, (101, 150), slice(first, min(first + 10, 101))) for first in range(0, 101, 10)])
    np.testing.assert_allclose(rows, whole, atol=1e-5)
    image = rng.uniform(0, 1, (301, 203, 3)).astype(np.float32)
    np.testing.assert_allclose(reduced(image, 120), cv2.resize(image, (81, 120), interpolation=cv2.INTER_AREA), atol=2e-5)
