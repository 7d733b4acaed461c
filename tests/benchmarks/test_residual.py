"""`burstsr benchmark residual`: the forward model against the simulator, and the ratio against known noise."""

import json

import numpy as np
import pytest

from benchmarks import residual
from benchmarks.forward import predicted
from burstsr.cli import main
from burstsr.cli.simulated_files import write_simulated
from burstsr.core.burst import Burst
from burstsr.core.errors import SettingsError
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples
from burstsr.simulate import SimulateSettings, simulate_burst


@pytest.fixture(scope="module")
def still(shot):
    """Six frames of a soft scene, whose detail the merge recovers whole."""
    return shot(frames=6, iso=800, blur_sigma_px=1.0)


@pytest.fixture(scope="module")
def measured(still):
    return residual.measure(still.burst, residual.Plan(folds=2, reference=0), lambda *_: None)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_forward_model_is_the_sensors(scale, shot):
    """The truth, through the forward model at the true motion, is the noise-free frame."""
    taken = shot(scale=scale, noise=Noise(np.zeros(3), np.zeros(3)), bits=16)
    info = taken.burst.info
    for frame, flow in zip(taken.burst, taken.true_flows, strict=True):
        found = predicted(taken.made.truth, scale, flow, info.cfa, info.shape)
        assert found.seen.mean() > 0.7
        np.testing.assert_allclose(found.samples[found.seen], samples(frame.mosaic, info.levels)[found.seen], atol=1e-3)


def test_residual_of_a_still_scene_is_noise(measured):
    total = measured.total["merge"]
    assert total.mean["all"] == pytest.approx(1.0, abs=0.1)
    assert total.median["all"] == pytest.approx(1.0, abs=0.1)
    assert set(measured.frames) == {f"frame_00{i}.dng" for i in range(1, 6)}
    assert total.mean["frame"] < measured.total["single"].mean["frame"]  # one frame predicts worse than many


def test_a_noise_model_that_is_too_small_shows(still):
    small = still.made.noise.scaled(0.5)
    found = residual.measure(still.burst, residual.Plan(folds=2, reference=0, noise=small), lambda *_: None)
    assert found.total["merge"].mean["all"] == pytest.approx(2.0, rel=0.1) and found.noise_source == "given"


def test_bursts_and_plans_that_do_not_fit(still):
    two = Burst("two", still.burst.frames[:2])
    wrong = ((two, residual.Plan(), "at least 3"), (still.burst, residual.Plan(reference=6), "between 0 and 5"), (still.burst, residual.Plan(6), "folds"))
    for burst, plan, message in wrong:
        with pytest.raises(SettingsError, match=message):
            residual.measure(burst, plan, lambda *_: None)


def test_command_line(scene, tmp_path, capsys):
    made = simulate_burst(scene(128, 160), SimulateSettings(frames=3, iso=400), np.random.default_rng(0), "tile")
    write_simulated(tmp_path / "tile", made, 0)
    assert main(["benchmark", "residual", str(tmp_path / "tile"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["frames"]) == 2 and found["total"]["merge"]["mean"]["all"] > 0.5
    assert found["mode"] == "fast"
    assert main(["benchmark", "residual", str(tmp_path / "tile"), "--noise", "1e-3,1e-5", "--mode", "best"]) == 0
    message = capsys.readouterr().out
    assert "| all " in message and "mode best" in message
