"""`burstsr benchmark quality --sections real`: scores against truth, table, options."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import real
from burstsr.cli import benchmark_real, main
from burstsr.core.flow import Flow


@pytest.fixture(scope="module")
def image(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "scene.png"
    cv2.imwrite(str(path), np.uint8(scene(160, 192) * 255))
    return path


@pytest.fixture(scope="module")
def world(image):
    return real.world_of(real.Case("walkers", image, frames=3))


def test_scores_are_against_the_single_frame_block_by_block(world):
    rng = np.random.default_rng(0)
    single = world.truth + rng.normal(0, 0.002, world.truth.shape).astype(np.float32)
    same = real.score(single, single, world)
    assert (same.gain_db, same.bad, same.worst_db) == (0, 0, 0)
    better = world.truth + 0.5 * (single - world.truth)
    assert real.score(better, single, world).gain_db == pytest.approx(6, abs=0.4)
    broken = better.copy()
    broken[64:96, 64:96] = 0.5  # one of 3 x 4 blocks
    found = real.score(broken, single, world)
    assert found.bad == pytest.approx(1 / 12) and found.worst_db < -3


def test_flow_error_is_against_the_dense_truth(world):
    still = replace(world, flows=np.zeros_like(world.flows), occluded=np.zeros_like(world.occluded))
    shape = world.burst.info.shape
    shifted = Flow(np.broadcast_to(np.float32([0.3, 0.4]), (shape[0] // 16, shape[1] // 16, 2)).copy(), 16)
    assert real.flow_error(still, [Flow.zero(shape, 16), shifted, None]) == pytest.approx((0.5, 0.5))
    assert real.flow_error(still, [Flow.zero(shape, 16), None, None]) is None


def test_the_same_case_is_the_same_burst_and_splits_share_nothing(image, world):
    again = real.world_of(real.Case("walkers", image, frames=3))
    assert all(np.array_equal(a.mosaic, b.mosaic) for a, b in zip(world.burst, again.burst, strict=True))
    images, seeds = zip(*real.SPLITS.values(), strict=True)
    assert not set(images[0]) & set(images[1]) and not set(seeds[0]) & set(seeds[1])
    assert tuple(real.SPLITS) == benchmark_real.SPLITS


def _stub(case):
    known = {"scene": case.scene, "picture": case.image.stem, "iso": case.iso, "seed": case.seed}
    figures = {"inside_db": None, "outside_db": None, "bad": 0.01, "worst_db": -1.5, "flow_median_px": 0.02, "flow_p95_px": 0.1}
    return [{**known, "mode": mode, "gain_db": 2.0 + case.seed - 10, **figures} for mode in ("fast", "best")]


def test_command_line_writes_the_table(image, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(real, "measure", _stub)
    options = ["--sections", "real", "--split", "test", "--scenes", "leaves,chart", "--iso", "100,400", "-o", str(tmp_path)]
    assert main(["benchmark", "quality", str(image), *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "real.json").read_text()) and len(found["records"]) == 2 * 2 * 3 * 2
    table = (tmp_path / "real.md").read_text()
    assert "test split" in table and "| leaves | fast | +3.00 | - | - | 1.0 % | -1.5 | 0.020 | 0.100 | 6 |" in table
    assert main(["benchmark", "quality", str(image), *options, "--quick"]) == 0
    assert "| chart | best | +2.00 | - | - | 1.0 % | -1.5 | 0.020 | 0.100 | 2 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "test"], "only with --sections real"),
        (["--sections", "real,grid"], "cannot be combined"),
        (["--sections", "real", "--motion", "tripod"], "takes no --motion"),
        (["--sections", "real", "--rows", "ours"], "takes no --rows"),
        (["--sections", "real", "--data", "nowhere"], "Kodak24"),
        (["--sections", "real", "--scenes", "seaside"], "focus-breathing"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, capsys):
    try:
        status = main(["benchmark", "quality", *options])
    except SystemExit as leave:
        status = leave.code
    assert status == 2 and message in capsys.readouterr().err


def test_measure_scores_both_modes(image):
    fast, best = real.measure(real.Case("clean", image, frames=4))
    assert (fast["mode"], best["mode"]) == ("fast", "best") and min(fast["gain_db"], best["gain_db"]) > 0 and best["flow_median_px"] < 0.1
