"""`burstsr benchmark pipeline`: stages, memory, growth, plot; and the asv suite."""

import json

import numpy as np
import pytest

from benchmarks import pipeline_cost, pipeline_plot, pipeline_run
from benchmarks.asv import benchmarks as suite
from benchmarks.pipeline_cost import Cost, PipelineCost, Plan, RunFailed, exponent, exponents
from burstsr.cli import main
from burstsr.core.errors import SettingsError
from burstsr.core.optional_packages import is_installed


def made(shape, frames, seconds, peak):
    return Cost(shape, frames, {"read": seconds / 2, "merge": seconds / 2}, {"read": peak // 2, "merge": peak}, 100, seconds)


@pytest.fixture
def result():
    """Seconds grow as the power 1.5 of pixels, memory in proportion to frames."""
    plan = Plan((64, 64), 13, sizes=((64, 64), (128, 128)), counts=(4, 8, 16), count_shape=(100, 100))
    sizes = {(shape, 13): made(shape, 13, (shape[0] * shape[1] / 1e6) ** 1.5, 1000) for shape in plan.sizes}
    return PipelineCost(plan, {**sizes, **{((100, 100), n): made((100, 100), n, 3.0 * n, 100 + 50 * n) for n in plan.counts}})


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponents_of_power_laws(power):
    x = [3.0, 6.0, 12.0, 24.0]
    assert exponent(x, [7.0 * value**power for value in x]) == pytest.approx(power, abs=1e-9)


def test_no_exponent_where_there_is_none():
    assert exponent([3.0], [1.0]) is None
    assert exponent([3.0, 3.0], [1.0, 2.0]) is None
    assert exponent([3.0, 6.0], [0.0, 1.0]) is None


def test_growth_of_made_up_runs(result):
    found = {name: exponents(x, costs) for name, x, costs in result.growth()}
    assert found["megapixels"]["seconds"] == pytest.approx(1.5) and found["megapixels"]["memory"] == pytest.approx(0)
    assert found["frames"]["seconds, merge"] == pytest.approx(1) and found["frames"]["memory"] == pytest.approx(1)
    reported = json.loads(json.dumps(pipeline_cost.as_json(result), allow_nan=False))
    assert len(reported["growth"]["frames"]["runs"]) == 3 and reported["growth"]["megapixels"]["exponents"]["seconds"] == pytest.approx(1.5)
    assert "seconds ~ megapixels^1.50" in pipeline_cost.as_text(result)


def test_a_run_that_serves_twice_is_run_once():
    plan = Plan((1500, 2000), 8, sizes=((1500, 2000),), counts=(4, 8), size_frames=8)
    assert plan.bursts == (((1500, 2000), 8), ((1500, 2000), 4))


def test_the_scene_is_the_same_and_alike_at_every_size():
    small, large = pipeline_run.scene((128, 160)), pipeline_run.scene((512, 640))
    assert (small == pipeline_run.scene((128, 160))).all()
    assert small.dtype == np.float32 and 0 < small.min() and large.max() < 1
    gradients = [np.abs(np.diff(image, axis=1)).mean() for image in (small, large)]
    assert gradients[1] == pytest.approx(gradients[0], rel=0.3)


def test_a_tiny_run_has_all_stages(capsys):
    assert main(["benchmark", "pipeline", "--size", "96x64", "--frames", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"read", "align", "robustness", "merge", "finish", "write"} <= set(found["stages"])
    assert found["shape"] == [64, 96] and found["frames"] == 2 and found["growth"] == {}
    assert 0 < sum(stage["seconds"] for stage in found["stages"].values()) <= found["total_seconds"] * 1.01
    assert all(0 <= stage["peak_bytes"] <= found["peak_bytes"] for stage in found["stages"].values())


def test_growth_is_measured_in_processes_of_their_own(tmp_path):
    reported = []
    plan = Plan((64, 96), 2, sizes=((64, 96),), counts=(1, 2), count_shape=(64, 96), size_frames=2)
    found = pipeline_cost.measure(plan, lambda stage, done, total: reported.append((stage.split()[0], done, total)))
    assert reported == [("simulate", 0, 3), ("run", 1, 3), ("run", 2, 3)]
    assert set(found.costs) == {((64, 96), 2), ((64, 96), 1)} and found.main.frames == 2


def test_a_peak_is_of_its_lap():
    laps = pipeline_run.Laps()
    before = laps.peak()
    if not before:
        pytest.skip("this system does not tell")
    big = np.ones(60_000_000, np.uint8)
    laps.lap("large")
    del big
    laps.lap("small")
    assert laps.peaks["large"] - before > 40_000_000
    assert laps.peaks["large"] >= laps.peaks["small"] and set(laps.seconds) == {"large", "small"}


def test_a_process_that_fails_is_reported(tmp_path):
    with pytest.raises(RunFailed, match="run in a process of its own"):
        pipeline_cost._in_a_process(do="run", frames=[str(tmp_path / "no.dng")], warm=[str(tmp_path / "no.dng")], scale=2.0, mode="fast")


@pytest.mark.parametrize("wrong", [{"shape": (63, 64)}, {"shape": (32, 64)}, {"frames": 0}, {"counts": (0,)}, {"scale": 0.5}, {"mode": "slow"}])
def test_plans_that_do_not_fit(wrong):
    with pytest.raises(SettingsError, match="allowed|must be"):
        Plan(**wrong)


def test_growth_options_without_growth(capsys):
    assert main(["benchmark", "pipeline", "--sizes", "3MP"]) == 2
    assert "--growth" in capsys.readouterr().err


def test_a_plot_needs_its_extra(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pipeline_plot, "is_installed", lambda package: False)
    assert main(["benchmark", "pipeline", "--plot", str(tmp_path / "cost.png")]) == 2
    assert "burstsr[plots]" in capsys.readouterr().err
    assert main(["benchmark", "pipeline", "--plot", str(tmp_path / "cost.bmp")]) == 2
    assert ".svg" in capsys.readouterr().err


@pytest.mark.skipif(not is_installed("matplotlib"), reason="matplotlib (extra plots) not here")
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot(result, tmp_path, suffix):
    pipeline_plot.write(tmp_path / f"cost{suffix}", result)
    assert (tmp_path / f"cost{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("kind", [suite.Merge, suite.NaiveMerge, suite.Pipeline], ids=lambda kind: kind.__name__)
def test_asv_suite_runs(kind, monkeypatch):
    """asv itself is not needed: it reads names."""
    monkeypatch.setattr(kind, "shape", (96, 128))
    monkeypatch.setattr(kind, "frames", 2)
    params = getattr(kind, "params", ())
    chosen = () if not params else (params[0][0],) if isinstance(params[0], tuple) else (params[0],)
    bench = kind()
    bench.setup(*chosen)
    calls = [name for name in dir(bench) if name.startswith(("time_", "peakmem_", "track_"))]
    assert calls
    for name in calls:
        value = getattr(bench, name)(*chosen)
        assert value > 15 if name.startswith("track_") else value is None
