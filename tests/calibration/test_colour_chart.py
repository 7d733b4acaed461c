"""Item 12 of issue 21: the colour matrix of a chart of 24 patches, and that results have it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import frame_of

from burstsr import Settings, super_resolve
from burstsr.core.burst import Burst
from burstsr.core.errors import SettingsError
from burstsr.core.srgb import SRGB_TO_XYZ
from burstsr.io.dng import write_cfa_dng, write_dng
from burstsr.io.raw import read_frame
from burstsr.profiles.apply import CalibrationInputs, prepared
from burstsr.profiles.files import write_record
from burstsr.simulate.scene import camera_colour
from calibration.chart_reference import LAB_D50, chromatic_adaptation, lab_to_xyz, xyz_to_lab
from calibration.colour_chart import colour_from_chart

D50, D65 = np.array([0.96422, 1.0, 0.82521]), SRGB_TO_XYZ.sum(axis=1)
CORNERS = ((40.0, 30.0), (250.0, 44.0), (240.0, 160.0), (30.0, 150.0))
TRUE = camera_colour().xyz_to_camera / (camera_colour().xyz_to_camera @ D65)[1]


def chart(rng, shape=(192, 288), exposure=0.8):
    """A frame of the chart in perspective, by a camera whose matrix is TRUE."""
    grid = np.array([(0, 0), (5, 0), (5, 3), (0, 3)], np.float32)
    to_grid = cv2.getPerspectiveTransform(np.array(CORNERS, np.float32), grid)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    u, v, w = (a * x + b * y + c for a, b, c in to_grid)
    u, v = u / w, v / w
    column, row = np.clip(np.rint(u), 0, 5).astype(int), np.clip(np.rint(v), 0, 3).astype(int)
    on = (np.abs(u - column) < 0.4) & (np.abs(v - row) < 0.4)
    rgb = lab_to_xyz(np.array(LAB_D50), D50) @ chromatic_adaptation(D50, D65).T @ TRUE.T * exposure
    scene = np.where(on[..., None], rgb[row * 6 + column], 0.03)
    plain = frame_of(np.zeros(shape))
    channel = plain.info.cfa.channel_map(shape).astype(int)
    light = np.take_along_axis(scene, channel[..., None], 2)[..., 0]
    frame = frame_of(light + 0.002 * rng.standard_normal(shape))
    return frame.with_info(replace(frame.info, camera="X1"))


def test_the_matrix_is_that_of_the_camera(rng):
    record = colour_from_chart(chart(rng), CORNERS)
    found = np.array(record.xyz_to_camera)
    assert found / (found @ D65)[1] == pytest.approx(TRUE, abs=0.02)
    assert record.delta_e_mean < 0.5 and record.delta_e_max < 2
    assert record.neutral == pytest.approx(tuple(TRUE @ D65), rel=0.03)
    assert record.corners_px == CORNERS


def test_other_corners_and_clipped_patches_are_refused(rng):
    frame = chart(rng)
    for corners in (CORNERS[::-1], (*CORNERS[1:], CORNERS[0]), ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (0.0, 5.0))):
        with pytest.raises(SettingsError, match="--corners"):
            colour_from_chart(frame, corners)
    with pytest.raises(SettingsError, match="clipped"):
        colour_from_chart(chart(rng, exposure=1.5), CORNERS)


def test_lab_comes_back():
    lab = np.array(LAB_D50)
    assert xyz_to_lab(lab_to_xyz(lab, D50), D50) == pytest.approx(lab, abs=1e-9)


def test_results_have_the_measured_matrix_in_place_of_the_file_s(rng, tmp_path):
    path = tmp_path / "frame.dng"
    write_cfa_dng(path, chart(rng))
    frame = read_frame(path)
    record = colour_from_chart(chart(rng), CORNERS)
    write_record(tmp_path / "colour.json", replace(record, camera=frame.info.camera))
    ready = prepared(CalibrationInputs(folder=tmp_path), Burst("b", (frame,)), Settings())
    assert ready.sources["colour"].endswith("colour.json")
    write_dng(tmp_path / "out.dng", super_resolve(ready.burst, Settings(scale=1.0)))
    from burstsr.io.linear_dng import read_linear_dng

    written = read_linear_dng(tmp_path / "out.dng").colour
    assert written.xyz_to_camera == pytest.approx(np.array(record.xyz_to_camera), abs=1e-3)
    assert written.as_shot_neutral == pytest.approx(frame.info.colour.as_shot_neutral, abs=1e-3)
