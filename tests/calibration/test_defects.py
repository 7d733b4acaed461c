"""What a sensor gets wrong is found, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of

from burstsr.core.burst import Burst, Frame
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.noise import Noise
from burstsr.simulate import SimulateSettings, simulate_burst
from calibration.defects import measure_defects
from calibration.synthetic import flat_frames

HOT, DEAD = ((10, 12), (33, 5), (0, 0)), ((20, 20),)


def darks(rng, offsets=0.0):
    frames = flat_frames((0.0,), Noise.of_iso(400), rng, frames=6, shape=(96, 128))[0]
    made = []
    for frame in frames:
        mosaic = frame.mosaic.astype(float) + offsets
        for at in HOT:
            mosaic[at] += 2500
        for at in DEAD:
            mosaic[at] = 0
        made.append(Frame(frame.info, np.clip(np.rint(mosaic), 0, 16383).astype(np.uint16)))
    return Burst("darks", tuple(made))


def test_darks_show_hot_and_dead_pixels_only(rng):
    record = measure_defects(darks(rng))
    assert record.method == "darks"
    assert set(record.hot) == set(HOT)
    assert set(record.dead) == set(DEAD)
    assert record.row_offset_dn is None and record.column_offset_dn is None
    assert record.positions.shape == (4, 2)


def test_darks_show_uneven_rows_and_columns(rng):
    rows, columns = 40 * rng.standard_normal(96), 40 * rng.standard_normal(128)
    record = measure_defects(darks(rng, rows[:, None] + columns))
    for found, true in ((record.row_offset_dn, rows), (record.column_offset_dn, columns)):
        assert np.std(np.array(found) - true) < 10  # measured 6; a pixel's noise is 114
    assert set(record.hot) == set(HOT)


def test_row_noise_that_changes_from_frame_to_frame_is_no_offset(rng):
    """It was taken for fixed rows: ten frames leave a third of it."""
    frames = [Frame(f.info, f.mosaic + np.rint(60 * rng.standard_normal((96, 1))).astype(np.int64)) for f in darks(rng).frames]
    changing = Burst("darks", tuple(Frame(f.info, f.mosaic.astype(np.uint16)) for f in frames))
    assert measure_defects(changing).row_offset_dn is None
    rows = 300 * rng.standard_normal((96, 1))
    fixed = Burst("darks", tuple(f.with_mosaic(np.clip(f.mosaic + rows, 0, 16383).astype(np.uint16)) for f in changing))
    assert np.corrcoef(measure_defects(fixed).row_offset_dn, rows[:, 0])[0, 1] > 0.95


def test_a_burst_shows_hot_pixels_and_columns(rng):
    y, x = np.mgrid[:300, :400]
    image = (0.5 + 0.2 * np.sin(x / 30) + 0.2 * np.cos(y / 25))[..., None] * np.ones(3)
    simulated = simulate_burst(image, SimulateSettings(frames=6, iso=100, hot_pixels=12), np.random.default_rng(3))
    columns = 60 * rng.standard_normal(simulated.burst.info.shape[1])
    frames = tuple(Frame(f.info, np.clip(np.rint(f.mosaic + columns), 0, 16383).astype(np.uint16)) for f in simulated.burst)
    record = measure_defects(Burst("b", frames))
    assert record.method == "burst"
    fine = columns - np.convolve(columns, np.ones(9) / 9, "same")
    assert np.corrcoef(np.array(record.column_offset_dn)[8:-8], fine[8:-8])[0, 1] > 0.8
    plain = measure_defects(simulated.burst)
    assert plain.column_offset_dn is None
    assert set(plain.hot) <= {tuple(p) for p in simulated.hot_pixels.tolist()} and len(plain.hot) >= 6


@pytest.mark.parametrize("cfa", ["X-Trans", "quad RGGB"])
def test_of_patterns_whose_lines_differ_in_colour_no_line_is_uneven(cfa, rng):
    y, x = np.mgrid[:300, :400]
    image = (0.5 + 0.2 * np.sin(x / 30) + 0.2 * np.cos(y / 25))[..., None] * np.array([1.0, 0.7, 0.4])
    simulated = simulate_burst(image, SimulateSettings(cfa=cfa, frames=6, iso=100, hot_pixels=12), np.random.default_rng(3))
    record = measure_defects(simulated.burst)
    assert record.row_offset_dn is None and record.column_offset_dn is None
    assert set(record.hot) <= {tuple(p) for p in simulated.hot_pixels.tolist()} and len(record.hot) >= 6
    dark = tuple(frame.with_info(replace(frame.info, cfa=cfa)) for frame in darks(rng))
    assert set(measure_defects(Burst("darks", dark)).hot) == set(HOT)


def test_too_few_frames_and_thresholds_out_of_range_are_refused(rng):
    with pytest.raises(BurstError, match="at least 3"):
        measure_defects(burst_of([np.full((64, 64), 0.2)] * 2))
    with pytest.raises(SettingsError, match="sigma must be between 3 and 100"):
        measure_defects(darks(rng), sigma=1.0)
