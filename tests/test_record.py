"""What is compiled on the first run is told, and counted, under a name of its own."""

from pkgutil import resolve_name

import numba
import numpy as np
import pytest
from conftest import burst_of

from burstsr.pipeline import super_resolve
from burstsr.report import COMPILING, Record
from burstsr.settings import ReconstructSettings, Settings


def compiles_and_returns():
    def double(x):
        return 2 * x

    return numba.njit(double)(21)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_compiling_is_a_stage_of_its_own():
    reported = []
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), lambda stage, done, total: reported.append(stage))
    record.stage("first")
    assert record.timed("second", compiles_and_returns) == 42
    record.stage("third")
    assert reported == ["first", "first", COMPILING, "first", "third"]
    assert set(record._seconds) == {"first", "second", "compile"}
    assert record._seconds["compile"] > record._seconds["first"]
    assert all(seconds >= 0 for seconds in record._seconds.values())


def test_without_compiling_there_is_no_such_stage():
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), None)
    record.stage("first")
    record.stage("second")
    assert set(record._seconds) == {"first"}


def test_progress_names_the_stage_that_is_being_done():
    """Fault 10: it named the one that had ended."""
    reported = []
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), lambda stage, done, total: reported.append(stage))
    record.stage("noise")
    assert reported == ["noise"]
    record.stage("align")
    record.timed("merge", lambda: reported.append("adding"))
    assert reported == ["noise", "align", "align", "adding"], "what is a part of aligning is no stage"


PLACES = [  # where a stage is at work, and its name
    ("burstsr.prepare.scenes", "choose the scene"),
    ("burstsr.prepare.find_defects", "repair"),
    ("burstsr.prepare.select_reference", "choose the reference"),
    ("burstsr.registration._models", "prepare the reference"),
    ("burstsr.registration.observe", "align"),
    ("burstsr.merge.SamePhaseMean.add", "align"),
    ("burstsr.registration.repair_reference", "robustness"),
    ("burstsr.lateral.measure_lateral", "lens"),
    ("burstsr.develop._merged", "merge"),
    ("burstsr.develop.add_reference_detail", "merge"),
    ("burstsr.develop._sharpen", "sharpen"),
    ("burstsr.develop.denoise_colour", "sharpen"),
    ("burstsr.develop.reconstruct", "reconstruct"),
    ("burstsr.pipeline.output_noise", "residual noise"),
]


def test_progress_is_in_step_with_every_stage(monkeypatch, texture):
    """Fault 10: the bar lagged by one stage, and said "merge" while frames were aligned."""
    reported, found = [""], {}

    def watched(place):
        module, _, name = place.rpartition(".")
        owner = resolve_name(module)
        original = getattr(owner, name)

        def call(*arguments, **named):
            found.setdefault(place, reported[-1])
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    for place, _ in PLACES:
        watched(place)
    y, x = np.mgrid[:64, :64]
    burst = burst_of([texture(y, x), texture(y + 0.5, x), texture(y, x + 0.5)])
    settings = Settings(mode="best", reconstruct=ReconstructSettings(outer_iterations=1))
    super_resolve(burst, settings, progress=lambda stage, done, total: reported.append(reported[-1] if stage == COMPILING else stage))
    assert found == dict(PLACES)
    names = list(dict.fromkeys(reported[1:]))
    assert names == ["choose the scene", "noise", *dict.fromkeys(name for _, name in PLACES[1:])]
