"""The scripts in examples/ do what they say, on small data."""

import runpy
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from conftest import burst_of

from burstsr.io.dng import write_cfa_dng
from burstsr.io.linear_dng import read_linear_dng

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture(scope="module")
def stage(texture):
    """Positions of a stage in micrometres, pixels of 2 micrometres, and the frames that it makes."""
    positions = np.array([[0.0, 0.0], [1.0, 0.5], [-0.75, 1.5], [2.0, -1.0]])
    y, x = np.mgrid[:64, :80].astype(float)
    return positions, burst_of([texture(y - dy, x - dx) for dy, dx in positions / 2.0])


@pytest.fixture
def folder(stage, tmp_path):
    place = tmp_path / "photos" / "bench"
    place.mkdir(parents=True)
    for frame in stage[1]:
        write_cfa_dng(place / frame.info.path.name, frame)
    return place


def test_a_folder_is_processed(folder, tmp_path, capsys):
    example("process_folder")["main"](str(folder.parent), str(tmp_path / "out"))
    assert "bench: 4 of 4 frames" in capsys.readouterr().out
    assert read_linear_dng(tmp_path / "out" / "bench.dng").rgb.shape == (128, 160, 3) == iio.imread(tmp_path / "out" / "bench.jpg").shape


def test_arrays_are_merged(tmp_path, capsys):
    np.save(tmp_path / "frames.npy", np.random.default_rng(0).integers(900, 1100, (3, 48, 64)).astype(np.uint16))
    example("own_arrays")["main"](str(tmp_path / "frames.npy"), str(tmp_path / "merged.npz"))
    merged = np.load(tmp_path / "merged.npz")
    assert merged["image"].shape == merged["variance"].shape == merged["weight"].shape == (96, 128, 3)
    assert "estimated from the burst" in capsys.readouterr().out


def test_the_motion_of_a_stage_is_what_is_found(stage, folder, tmp_path, capsys):
    import burstsr

    script = example("known_motion")
    np.savetxt(tmp_path / "positions.txt", stage[0])
    script["main"](str(folder), str(tmp_path / "positions.txt"), "2.0", str(tmp_path / "merged.dng"))
    assert "4 frames" in capsys.readouterr().out and (tmp_path / "merged.dng").exists()
    reported = script["flows_of"](stage[0], 2.0, (64, 80))
    found = burstsr.register(stage[1], burstsr.Settings(reference=0)).flows
    for a, b in zip(reported, found, strict=True):
        np.testing.assert_allclose(np.median(b.tiles, axis=(0, 1)), a.tiles[0, 0], atol=0.1)


def test_methods_are_compared(texture):
    y, x = np.mgrid[:128, :160] / 2.0
    image = np.clip(255 * np.stack([texture(y, x)] * 3, -1), 0, 255).astype(np.uint8)
    scores = example("compare_methods")["scores"](image, frames=4)
    assert scores["best"] > scores["one frame"] and scores["fast"] > scores["one frame"] and list(scores) == ["one frame", "streaming", "fast", "best"]
