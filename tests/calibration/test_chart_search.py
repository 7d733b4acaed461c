"""Item 12 of issue 21: the chart of 24 patches is found by itself, at any angle and in perspective, and nothing else is taken for it."""

import cv2
import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.errors import SettingsError
from burstsr.io.raw import read_frame
from burstsr.simulate.scene import camera_colour
from calibration.chart_reference import D65, PATCH_XYZ
from calibration.chart_search import find_chart
from calibration.colour_chart import colour_from_chart

if not hasattr(getattr(cv2, "mcc", None), "CCheckerDetector"):
    pytest.skip("this OpenCV has no detector of charts", allow_module_level=True)
SHAPE = (400, 600)
CAMERA = camera_colour().xyz_to_camera / (camera_colour().xyz_to_camera @ D65)[1]
CORNERS = np.array([(0, 0), (5, 0), (5, 3), (0, 3)], np.float64)  # in distances of patches
BOARD = np.array([(-0.8, -0.8), (5.8, -0.8), (5.8, 3.8), (-0.8, 3.8)])
GREY = CAMERA @ D65


def background(rng, level=0.4):
    soft = cv2.GaussianBlur(rng.random((*SHAPE, 3)), (0, 0), 15)
    return level * GREY * (soft - soft.min()) / np.ptp(soft)


def board_at(angle_deg, height, middle, lean=0.0):
    """Return corners (4, 2) of a board that is turned, and narrower at its top."""
    plane = (BOARD - (2.5, 1.5)) / 4.6
    plane[:, 0] *= 1 + lean * plane[:, 1]
    sin, cos = np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))
    return height * plane @ np.array([[cos, sin], [-sin, cos]]) + middle


def with_chart(scene, board, exposure=0.5):
    """Return the scene with a chart whose board has these corners, and the patches in its corners, x and y."""
    to_grid = cv2.getPerspectiveTransform(np.float32(board), np.float32(BOARD))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    u, v, w = (a * x + b * y + c for a, b, c in to_grid)
    u, v = u / w, v / w
    column, row = np.clip(np.rint(u), 0, 5).astype(int), np.clip(np.rint(v), 0, 3).astype(int)
    patch = (np.abs(u - column) < 0.42) & (np.abs(v - row) < 0.42)
    within = (np.abs(u - 2.5) < 3.3) & (np.abs(v - 1.5) < 2.3)
    colours = np.where(patch[..., None], exposure * (PATCH_XYZ @ CAMERA.T)[row * 6 + column], 0.03 * exposure * GREY)
    return np.where(within[..., None], colours, scene), cv2.perspectiveTransform(CORNERS[None], np.linalg.inv(to_grid))[0]


def taken(scene, rng, noise=0.005, cfa="RGGB"):
    blurred = cv2.GaussianBlur(scene, (0, 0), 0.7)
    return frame_of(blurred + noise * rng.standard_normal(scene.shape), cfa=cfa)


@pytest.mark.parametrize(
    ("angle", "height", "lean", "exposure", "noise"),
    [
        (0, 180, 0.0, 0.5, 0.005),  # 15 % of the frame
        (27, 200, 0.3, 0.5, 0.005),
        (45, 170, 0.0, 0.05, 0.003),  # underexposed
        (90, 230, 0.0, 0.5, 0.03),
        (180, 300, 0.2, 0.9, 0.01),
        (250, 220, 0.4, 0.5, 0.005),
        (0, 415, 0.0, 0.5, 0.005),  # its board is larger than the frame is high
    ],
)
def test_a_chart_is_found_at_any_angle(angle, height, lean, exposure, noise, rng):
    scene, true = with_chart(background(rng), board_at(angle, height, (300, 200), lean), exposure)
    found = np.array(find_chart(taken(scene, rng, noise)))
    assert np.abs(found - true).max() < 0.12 * height / 4.6


def test_the_matrix_of_a_chart_that_was_found(rng):
    scene, true = with_chart(background(rng), board_at(200, 300, (300, 200), 0.2))
    record = colour_from_chart(taken(scene, rng))
    matrix = np.array(record.xyz_to_camera)
    assert matrix / (matrix @ D65)[1] == pytest.approx(CAMERA, abs=0.03)
    assert np.array(record.corners_px) == pytest.approx(true, abs=8) and record.delta_e_mean < 1


@pytest.mark.parametrize("cfa", ["BGGR", "X-Trans"])
def test_a_chart_is_found_whatever_the_colour_filters(cfa, rng):
    scene, true = with_chart(background(rng), board_at(12, 330, (300, 200)))
    assert np.abs(np.array(find_chart(taken(scene, rng, cfa=cfa))) - true).max() < 10


def test_no_chart_is_refused(rng):
    squares = background(rng)
    for y in range(4):  # as many patches, of other colours
        for x in range(6):
            squares[60 + 70 * y : 120 + 70 * y, 80 + 70 * x : 140 + 70 * x] = rng.random(3) * 0.5
    for scene in (background(rng), np.full((*SHAPE, 3), 0.3), squares):
        with pytest.raises(SettingsError, match=r"no chart .* found; .*--corners"):
            find_chart(taken(scene, rng))


def test_two_charts_are_refused(rng):
    scene, _ = with_chart(background(rng), board_at(5, 185, (155, 130)))
    scene, _ = with_chart(scene, board_at(-8, 175, (440, 270)))
    with pytest.raises(SettingsError, match=r"2 charts .*--corners"):
        find_chart(taken(scene, rng))


def test_an_opencv_without_the_detector_is_named(rng, monkeypatch):
    monkeypatch.delattr(cv2, "mcc")
    with pytest.raises(SettingsError, match=r"opencv-python 5 .*--corners"):
        find_chart(taken(background(rng), rng))


def test_a_real_chart(data):
    """The passport's other half, and a bright window, are in the picture; centres by eye, to 4 raw pixels."""
    frame = read_frame(data / "raw_singles" / "colorchart.dng")
    found = np.array(find_chart(frame))
    assert found == pytest.approx(np.array([(715, 627), (1251, 615), (1256, 919), (703, 930)]), abs=12)
    assert colour_from_chart(frame).delta_e_mean < 4.5
