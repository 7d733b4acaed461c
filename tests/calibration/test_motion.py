"""Motion is found again, and offsets for driven cameras fill the gaps."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from burstsr.align import expected_gain_db, sampling_uniformity
from burstsr.core.errors import BurstError, InputFileError, SettingsError
from burstsr.profiles.files import write_record
from burstsr.simulate import FrameMotion, SimulateSettings, flows_from_motions, handheld, read_motions, simulate_burst, tripod
from calibration.coverage import measure_coverage
from calibration.gyro import GyroLog, Plan, bursts_from_log, read_gyro
from calibration.jiggle import jiggle_offsets
from calibration.motion import motion_from_bursts, motion_from_gyro


def scene():
    rng = np.random.default_rng(2)
    squares = rng.uniform(0.1, 0.9, (30, 40, 1)).repeat(12, 0).repeat(12, 1)
    return np.clip(squares * [1.0, 0.9, 0.8], 0, 1)


def made(frames=6, motion="handheld", seed=0, **more):
    return simulate_burst(scene(), SimulateSettings(frames=frames, iso=100, motion=motion, **more), np.random.default_rng(seed))


def offsets(motions):
    return np.array([(m.dy_px, m.dx_px) for m in motions])


def test_motion_of_bursts_is_theirs(tmp_path):
    simulated = made()
    record = motion_from_bursts([simulated.burst])
    found = [(m["dy_px"], m["dx_px"]) for m in record.motions]
    assert np.array(found) == pytest.approx(offsets(simulated.motions), abs=0.06)
    assert record.frame_interval_s == pytest.approx(1 / 30, rel=1e-3)
    assert record.deviation_px == pytest.approx(tuple(offsets(simulated.motions).std(axis=0, ddof=1)), abs=0.05)
    write_record(tmp_path / "motion.json", record)
    assert offsets(read_motions(tmp_path / "motion.json")) == pytest.approx(np.array(found))


def test_read_out_time_of_a_rolling_shutter():
    simulated = made(frames=12, rolling_shutter=1.0, deviation_px=6.0)
    seconds = simulated.burst.info.shape[0] / 1000 / 30
    record = motion_from_bursts([simulated.burst])
    assert record.readout_s is not None
    assert record.readout_s == pytest.approx(seconds, rel=0.1)  # measured 3 %
    assert motion_from_bursts([made(frames=12, deviation_px=6.0).burst]).readout_s is None


def test_single_frames_have_no_motion():
    with pytest.raises(BurstError, match="two or more frames"):
        motion_from_bursts([made(frames=1).burst])


def log(tmp_path, rate=(0.01, 0.02, 0.0), hertz=400.0, seconds=4.0, unit=1e-6):
    t = np.arange(0, seconds, 1 / hertz)
    rates = np.array(rate) * np.sin(2 * np.pi * 8.0 * t)[:, None]
    path = tmp_path / "gyro.txt"
    np.savetxt(path, np.column_stack([rates, t / unit]), delimiter=",", header="x, y, z, t")
    return path


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-6, 1e-9])
def test_gyro(unit, tmp_path):
    read = read_gyro(log(tmp_path, unit=unit))
    assert read.times_s[-1] == pytest.approx(4.0, abs=0.01)
    record = motion_from_gyro(read, Plan(focal_px=3000.0, frames=13))
    amplitude = 3000 * 0.01 / (2 * np.pi * 8)
    assert record.tremor_hz == pytest.approx(8, abs=0.5)
    assert record.deviation_px == pytest.approx((amplitude / np.sqrt(2), 2 * amplitude / np.sqrt(2)), rel=0.1)
    assert len(record.motions) == 13 and record.motions[0]["dy_px"] == 0


def test_gyro_with_a_rolling_shutter_shears(tmp_path):
    read = read_gyro(log(tmp_path))
    burst = bursts_from_log(read, Plan(3000.0, 4, 1 / 30, readout_s=0.01, rows=1000))[0]
    assert any(abs(m.dy_per_row) > 1e-5 for m in burst) and burst[0] == FrameMotion()


def test_logs_that_are_none_are_refused(tmp_path):
    path = tmp_path / "gyro.txt"
    path.write_text("hello\n1,2,3\n")
    with pytest.raises(InputFileError, match="0 lines"):
        read_gyro(path)
    path.write_text("\n".join("0,0,0,5" for _ in range(20)))
    with pytest.raises(InputFileError, match="do not increase"):
        read_gyro(path)
    with pytest.raises(SettingsError, match="take"):
        bursts_from_log(read_gyro(log(tmp_path, seconds=0.2)), Plan(3000.0, 13))
    with pytest.raises(SettingsError, match="focal_px"):
        Plan(0.0)


def test_jiggle_gains_more_than_a_hand():
    record = jiggle_offsets(4, 2.0, focal_px=3000.0)
    places = np.array([(m["dy_px"], m["dx_px"]) for m in record.motions])
    assert places[0] == pytest.approx(0) and np.abs(places).max() <= 1
    hands = [expected_gain_db(offsets(handheld(4, np.random.default_rng(seed))), 2.0, 30.0) for seed in range(6)]
    assert expected_gain_db(places, 2.0, 30.0) > max(hands) - 0.05
    assert record.angles_rad[1] == pytest.approx((np.arctan(places[1][0] / 3000), -np.arctan(places[1][1] / 3000)))
    assert json.dumps(record.motions)


@pytest.mark.parametrize(("frames", "scale", "focal"), [(1, 2.0, None), (4, 5.0, None), (4, 2.0, 0.0)])
def test_jiggle_out_of_range(frames, scale, focal):
    with pytest.raises(SettingsError, match="must be between"):
        jiggle_offsets(frames, scale, focal)


def test_expected_gain_and_evenness():
    still, even = np.zeros((16, 2)), np.array([(y / 2, x / 2) for y in range(4) for x in range(4)])
    assert sampling_uniformity(still, 2.0) == pytest.approx(0) and sampling_uniformity(even, 2.0) == pytest.approx(1)
    assert expected_gain_db(np.zeros((1, 2)), 2.0, 30.0) == pytest.approx(0)
    assert 0 < expected_gain_db(still, 2.0, 30.0) < 1 < 4 < expected_gain_db(even, 2.0, 30.0)
    assert expected_gain_db(even + 0.37, 2.0, 30.0) == pytest.approx(expected_gain_db(even, 2.0, 30.0), rel=1e-6)
    assert expected_gain_db(even + 2.0, 2.0, 30.0) == pytest.approx(expected_gain_db(even, 2.0, 30.0), rel=1e-6)


def test_coverage_of_a_hand_and_of_a_tripod():
    hand, stand = measure_coverage(made().burst), measure_coverage(made(motion="tripod").burst)
    assert hand.sampling_uniformity > 0.5 and hand.expected_gain_db > 1 and hand.advice == ""
    assert stand.sampling_uniformity < 0.05 and "move the camera" in stand.advice
    assert measure_coverage(made(frames=1).burst).expected_gain_db == 0


def test_flows_of_motions_are_relative_to_any_frame():
    motions = tripod(4, np.random.default_rng(0), residue_px=1.0)
    flows = flows_from_motions(motions, 2, (64, 64))
    assert np.abs(flows[2].tiles).max() == 0
    assert flows[0].tiles[0, 0] == pytest.approx((-motions[2].dy_px, -motions[2].dx_px), abs=1e-5)


def test_a_camera_that_turns_by_jiggle_s_angles_moves_the_image_as_told():
    """Points of the scene, seen by a pinhole camera (x right, y down, z to the scene) that turns by right-handed rotations."""
    record = jiggle_offsets(3, 2.0, focal_px=3000.0)
    scene = np.array([[0.0, 0.0, 1.0], [0.001, -0.002, 1.0]])
    for motion, (about_x, about_y) in zip(record.motions, record.angles_rad, strict=True):
        turn = Rotation.from_rotvec([about_x, about_y, 0.0])
        for point in scene:
            x, y, z = turn.inv().apply(point)
            moved = 3000 * np.array([y / z - point[1] / point[2], x / z - point[0] / point[2]])
            assert moved == pytest.approx((motion["dy_px"], motion["dx_px"]), abs=2e-3)


def test_a_gyroscope_moves_the_image_as_a_turning_camera_does(tmp_path):
    rates = np.zeros((400, 3))
    rates[100:] = (0.001, 0.002, 0.003)
    times = np.arange(400) / 100
    burst = bursts_from_log(GyroLog(times, rates, tmp_path), Plan(3000.0, 2, 1.9))[0]
    angles = GyroLog(times, rates, tmp_path).angles()[190]
    x, y, z = Rotation.from_rotvec(angles).inv().apply([0.0, 0.0, 1.0])
    assert (burst[1].dy_px, burst[1].dx_px) == pytest.approx((3000 * y / z, 3000 * x / z), rel=0.02)
    beside = Rotation.from_rotvec(angles).inv().apply([0.1, 0.0, 1.0])
    assert burst[1].rotation_rad == pytest.approx((beside[1] / beside[2] - y / z) / 0.1, rel=0.05)
