"""Motion against complex numbers, and the generators against what they promise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial import cKDTree

from burstsr.core.errors import InputFileError
from burstsr.simulate import FrameMotion, flow_at, handheld, jiggle, motions_record, read_motions, reference_at, tripod
from burstsr.simulate.motion import relative_to_first
from burstsr.simulate.trajectories import FRAME_INTERVAL_S, SWAY_TIME_S, TREMOR_HZ, TREMOR_SHARE

SHAPE = (200, 300)
CENTRE = 149.5 + 99.5j  # x + i y
ROLLING = FrameMotion(3.2, -1.7, 0.004, 0.01, -0.02, 3e-6)


def complex_of(points):
    return points[..., 1] + 1j * points[..., 0]


@pytest.fixture
def points():
    return np.random.default_rng(1).uniform(0, 200, (50, 2))


def test_flow_is_a_rotation_about_the_centre_then_a_shift(points):
    motion = FrameMotion(dy_px=2.25, dx_px=-1.5, rotation_rad=np.deg2rad(0.3))
    expected = (complex_of(points) - CENTRE) * np.exp(1j * motion.rotation_rad) + CENTRE + (-1.5 + 2.25j)
    np.testing.assert_allclose(complex_of(points + flow_at(motion, points, SHAPE)), expected, atol=1e-10)


@pytest.mark.parametrize("motion", [FrameMotion(), FrameMotion(1, 2, 0.01), ROLLING])
def test_there_and_back(motion, points):
    there = points + flow_at(motion, points, SHAPE)
    np.testing.assert_allclose(reference_at(motion, there, SHAPE), points, atol=1e-10)


def test_zero_motion_is_zero_flow(points):
    assert not flow_at(FrameMotion(), points, SHAPE).any()


def test_track_relative_to_its_first_frame_composes(points):
    track = [FrameMotion(3, -2, 0.02), FrameMotion(-1, 5, -0.01), FrameMotion(0.5, 0.25, 0.02)]
    relative = relative_to_first(track)
    assert relative[0] == FrameMotion()
    first = points + flow_at(track[0], points, SHAPE)
    for motion, own in zip(relative, track, strict=True):
        np.testing.assert_allclose(first + flow_at(motion, first, SHAPE), points + flow_at(own, points, SHAPE), atol=1e-10)


def test_handheld_statistics_are_as_stated():
    bursts = [handheld(13, np.random.default_rng(seed), deviation_px=2.0, rotation_deg=0.06) for seed in range(1500)]
    offsets = np.array([[[m.dy_px, m.dx_px, np.rad2deg(m.rotation_rad)] for m in burst] for burst in bursts])
    assert not offsets[:, 0].any()
    times = np.arange(13) * FRAME_INTERVAL_S
    hertz = np.linspace(*TREMOR_HZ, 101)
    alike = (1 - TREMOR_SHARE) * np.exp(-times / SWAY_TIME_S) + TREMOR_SHARE * np.cos(2 * np.pi * hertz[:, None] * times).mean(axis=0)
    expected = np.sqrt(2 * (1 - alike))[:, None] * [2.0, 2.0, 0.06]
    np.testing.assert_allclose(np.sqrt((offsets**2).mean(axis=0))[1:], expected[1:], rtol=0.08)
    overall = np.sqrt((offsets[:, 1:] ** 2).mean(axis=(0, 1)))
    np.testing.assert_allclose(overall, [2.34, 2.34, 0.070], rtol=0.04)
    assert abs(np.corrcoef(offsets[:, 1:, 0].ravel(), offsets[:, 1:, 1].ravel())[0, 1]) < 0.05


def test_handheld_rolling_shutter_bends_only_if_asked_for():
    still = handheld(5, np.random.default_rng(0))
    assert all(m.dy_per_row == m.dx_per_row == m.rotation_per_row == 0 for m in still)
    rolling = handheld(5, np.random.default_rng(0), rolling_shutter=0.5)
    assert [m.dy_px for m in rolling] == [m.dy_px for m in still]
    assert all(m.dx_per_row != 0 for m in rolling[1:])


def test_tripod_stands():
    assert tripod(4, np.random.default_rng(0)) == (FrameMotion(),) * 4
    residue = tripod(2000, np.random.default_rng(0), residue_px=0.1)
    assert np.std([m.dy_px for m in residue[1:]]) == pytest.approx(0.1, rel=0.1)


def widest_hole(motions, period):
    offsets = np.array([[m.dy_px, m.dx_px] for m in motions]) % period % period
    places = np.stack(np.meshgrid(*[np.arange(40) * period / 40] * 2), axis=-1).reshape(-1, 2)
    return cKDTree(offsets, boxsize=period).query(places)[0].max()


@pytest.mark.parametrize("frames", [3, 5, 8, 9, 13, 16, 30])
def test_jiggle_fills_the_cfa_more_evenly_than_chance(frames):
    rng = np.random.default_rng(0)
    motions = jiggle(frames, 2.0)
    assert len(motions) == frames and motions[0] == FrameMotion()
    assert max(max(abs(m.dy_px), abs(m.dx_px)) for m in motions) <= 1
    chance = [widest_hole([FrameMotion(*rng.uniform(0, 2, 2)) for _ in range(frames)], 2.0) for _ in range(50)]
    assert widest_hole(motions, 2.0) < np.min(chance)
    assert widest_hole(motions, 2.0) < 1.35 * np.sqrt(4 / frames * 2 / (3 * np.sqrt(3)))  # hexagons are the best there can be


def test_jiggle_of_four_at_scale_one_is_a_cameras_pixel_shift():
    assert {(abs(m.dy_px), abs(m.dx_px)) for m in jiggle(4, 1.0)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_motion_file_round_trip(tmp_path):
    motions = (FrameMotion(), FrameMotion(1.5, -2.25, 0.001), ROLLING)
    path = tmp_path / "motion.json"
    path.write_text(json.dumps(motions_record(motions)), encoding="utf-8")
    assert read_motions(path) == motions


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", '[{"dy": 1}]', '[{"dy_px": "1"}]', '[{"dy_px": NaN}]', "[{}, null]"])
def test_what_is_no_motion_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "motion.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match="motion.json"):
        read_motions(path)
