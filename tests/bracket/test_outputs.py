"""Files of a bracket: grouping, and highlights above the reference's saturation in every format."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from burstsr import Settings
from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import BurstError
from burstsr.core.result import Result
from burstsr.export import render, write_dng
from burstsr.finish import finish_linear
from burstsr.io.consistency import check_burst
from burstsr.io.grouping import group_frames
from burstsr.io.linear_dng import read_linear_dng
from burstsr.io.tags import BASELINE_EXPOSURE, read_tags

NEUTRAL = np.array([0.5, 1.0, 0.625])


def info(n=0, **changes):
    known = FrameInfo(Path(f"{n}.dng"), (64, 64), Cfa.parse("RGGB"), Levels(np.full((2, 2), 512.0), 16383.0), Colour(NEUTRAL), "Acme One", iso=100.0)
    return replace(known, exposure_s=0.01, aperture=2.0, time=datetime(2025, 1, 1) + timedelta(seconds=0.2 * n), **changes)


def ramp(peak=6.0):
    level = np.geomspace(0.002, peak, 96, dtype=np.float32)
    image = np.repeat((level[None, :, None] * NEUTRAL).astype(np.float32), 64, axis=0)
    return Result(image, info(), 1.0, peak=peak)


def test_exposures_and_isos_are_one_burst_unless_split():
    frames = [info(0), replace(info(1), exposure_s=0.04), replace(info(2), iso=400.0), info(3)]
    assert [len(group) for group in group_frames(frames)] == [4]
    assert sorted(len(group) for group in group_frames(frames, split_exposures=True)) == [1, 1, 2]
    check_burst(frames)


def test_levels_that_depend_on_the_iso_are_no_mismatch():
    check_burst([info(0), replace(info(1), iso=1600.0, levels=Levels(np.full((2, 2), 600.0), 15000.0))])


def test_another_aperture_is_refused_with_a_reason():
    frames = [info(0), replace(info(1), aperture=4.0)]
    with pytest.raises(BurstError, match="aperture f/4, but f/2 in"):
        check_burst(frames)
    assert [len(group) for group in group_frames(frames)] == [1, 1]


def test_a_dng_keeps_highlights_and_appears_as_exposed_as_the_reference(tmp_path):
    result = ramp()
    write_dng(tmp_path / "b.dng", result)
    assert read_tags(tmp_path / "b.dng").first[BASELINE_EXPOSURE].numbers()[0] == pytest.approx(np.log2(6.0), abs=1e-5)
    assert read_linear_dng(tmp_path / "b.dng").rgb == pytest.approx(result.image, abs=6.0 / 65535)


def test_a_dng_without_highlights_is_that_of_any_burst(tmp_path):
    plain = replace(ramp(), image=np.minimum(ramp().image, 0.9), peak=1.0)
    for name, peak in (("plain", 1.0), ("bracket", 6.0)):
        write_dng(tmp_path / name, replace(plain, peak=peak))
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "bracket").read_bytes()


def test_the_preview_compresses_highlights_monotonically_without_a_tint():
    result = ramp()
    shown = render(result, replace(Settings().finish, sharpen=0.0))[0]
    assert (np.diff(shown[:, 1]) > 0).all() and shown[-1] == pytest.approx(1, abs=0.01)
    assert np.abs(shown - shown[:, 1:2]).max() < 0.02
    clipped = render(result, replace(Settings().finish, sharpen=0.0, compress_highlights=False))[0]
    dark = result.image[0, :, 1] < 0.45
    assert shown[dark] == pytest.approx(clipped[dark], abs=1e-4)
    assert (clipped[result.image[0, :, 1] > 1] > 0.99).all()


def test_compression_has_no_halo():
    result = ramp()
    image = result.image.copy()
    cv2.circle(image, (20, 32), 8, (3.0, 6.0, 3.75), -1)
    settings = replace(Settings().finish, sharpen=0.0)
    difference = np.abs(render(replace(result, image=image), settings) - render(result, settings)).max(axis=-1)
    assert difference[(image == result.image).all(axis=-1)].max() < 1e-6


def test_linear_srgb_keeps_highlights():
    assert finish_linear(ramp())[0, -1] == pytest.approx([6, 6, 6], rel=0.01)
