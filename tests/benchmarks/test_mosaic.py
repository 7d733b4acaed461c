"""The section of other mosaics of the quality benchmark: its single frames, its figures and its table."""

import numpy as np
import pytest

from benchmarks import mosaic
from benchmarks.shots import Shot
from burstsr.simulate import SimulateSettings, simulate_burst


@pytest.mark.parametrize("sensor", mosaic.SENSORS)
def test_a_single_frame_of_every_sensor_shows_a_flat_scene_at_its_place(sensor):
    scene = np.full((144, 144, 3), (0.1, 0.2, 0.125), np.float32)
    scene[:, 72:] *= 3
    made = simulate_burst(scene, SimulateSettings(frames=1, iso=100, cfa=sensor, blur_sigma_px=0.0, linear=True), np.random.default_rng(0))
    image = mosaic.single(Shot(made, (), 0.0, ()))
    assert image.shape == made.truth.shape
    for part in (slice(12, 60), slice(84, 132)):
        assert image[8:-8, part].mean((0, 1)) == pytest.approx(made.truth[8:-8, part].mean((0, 1)), rel=0.03)


def test_the_truth_has_the_best_figures_and_the_table_names_every_sensor():
    scene = np.random.default_rng(0).uniform(0.05, 0.9, (128, 128, 3)).astype(np.float32)
    records = []
    for sensor in mosaic.SENSORS:
        made = simulate_burst(scene, SimulateSettings(frames=1, cfa=sensor, linear=True), np.random.default_rng(0))
        shot = Shot(made, (), 0.0, ())
        for row, gain in zip(mosaic.ROWS, (1.05, 1.02, 1.01), strict=True):
            figures = mosaic.figures(made.truth * np.float32(gain), shot)
            records.append({"picture": "x", "iso": 400.0, "sensor": sensor, "row": row, "cpu_seconds": 1.0, **figures})
    by_row = [r["psnr"] for r in records[:3]]
    assert by_row == sorted(by_row)
    table = mosaic.table(records)
    assert all(f"| {sensor} |" in table for sensor in mosaic.SENSORS) and "| linear values | +0.00 (+0.00) |" in table
