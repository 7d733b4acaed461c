"""Gain maps of DNGs as fields of frames: issue 15, fault 5."""

import numpy as np
import pytest

from burstsr.core.noise import Noise
from burstsr.io import tags as t
from burstsr.io.dng import write_cfa_dng
from burstsr.io.opcodes import whole_frame, written_gain_maps
from burstsr.io.raw import read_frame, read_info
from burstsr.io.tiff import UNDEFINED, Entry


def test_gain_maps_of_a_dng_become_the_frames_field(tmp_path, make_frame, rng):
    """Alpha and beta hold at the mean gain; a corner's variance is that of its own."""
    gain = np.linspace(1.0, 4.0, 9)[None].repeat(9, 0).astype(np.float32)
    noise = Noise(np.full(3, 1e-4), np.full(3, 1e-5))
    frame = make_frame(noise=noise)
    level = 0.2
    dn = frame.info.levels.black[0, 0] + (level + np.sqrt(noise.variance(level, 1)) * rng.standard_normal((64, 80))) * (16383 - 512)
    frame = frame.with_mosaic(np.rint(dn).astype(np.uint16))
    opcodes = Entry(UNDEFINED, written_gain_maps([whole_frame(gain, (64, 80))]))
    write_cfa_dng(tmp_path / "a.dng", frame, extra={t.OPCODES_2: opcodes})
    read = read_frame(tmp_path / "a.dng")
    assert read.info.gain == read_info(tmp_path / "a.dng").gain and read.info.gain.points.mean() == pytest.approx(1, abs=1e-3)
    values = (read.mosaic - read.info.levels.black[0, 0]) / (read.info.levels.white - read.info.levels.black[0, 0])
    x = np.arange(80)
    found = read.info.gain.at(np.array([30.0]), x)[1, 0]
    np.testing.assert_allclose(found, np.interp(x + 0.5, np.linspace(0, 80, 9), gain[0]) / 2.5, rtol=0.02)
    for part in (slice(0, 16), slice(64, 80)):
        mean, factor = values[:, part].mean(), found[part].mean()
        assert values[:, part].std() ** 2 - values[:, part].mean(0).var() == pytest.approx(float(read.info.noise.variance(mean, 1, factor)), rel=0.15)


def test_a_frame_without_gain_maps_has_no_field(tmp_path, make_frame):
    write_cfa_dng(tmp_path / "a.dng", make_frame())
    assert read_frame(tmp_path / "a.dng").info.gain is None
