"""The bracketed section of the quality benchmark: its classical merge, its figures and its table."""

import numpy as np
import pytest

from benchmarks import bracket
from burstsr.core.flow import Flow
from burstsr.simulate import SimulateSettings, simulate_burst


def test_the_classical_merge_of_still_frames_has_the_truth_s_levels():
    scene = np.full((96, 96, 3), (0.1, 0.2, 0.125), np.float32)
    scene[:, 48:] *= 20
    settings = SimulateSettings(frames=3, iso=100, motion="tripod", exposures_ev=(0.0, -3.0, 2.0), linear=True)
    made = simulate_burst(scene, settings, np.random.default_rng(0))
    merged = bracket.classical(made.burst, [Flow.zero(made.burst.info.shape, 16)] * 3)
    for part in (slice(8, 40), slice(56, 88)):
        assert merged[8:-8, part].mean((0, 1)) == pytest.approx(made.truth[8:-8, part].mean((0, 1)), rel=0.02)


def test_highlights_are_lifted_and_the_rest_is_not():
    ramp = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], 3, axis=2)
    lifted, plain = bracket.lifted(ramp), bracket.lifted(ramp, top=1.0)
    assert lifted.max() == pytest.approx(bracket.TOP, rel=0.01)
    assert np.array_equal(lifted[0, :120], plain[0, :120])


def test_the_truth_has_the_best_figures():
    scene = np.random.default_rng(0).uniform(0.05, 3, (160, 160, 3)).astype(np.float32)
    made = simulate_burst(scene, SimulateSettings(frames=1, linear=True), np.random.default_rng(0))
    worse = made.truth * np.float32(1.05)
    assert bracket.figures(made.truth, made)["psnr_mu"] > bracket.figures(worse, made)["psnr_mu"] + 20
    record = {"picture": "x", "iso": 100.0, **bracket.figures(worse, made)}
    assert "| 100 | bracket best |" in bracket.table([{**record, "row": row} for row in bracket.ROWS])
