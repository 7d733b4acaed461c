"""What is compiled on the first run is told, and counted, under a name of its own."""

import numba
import numpy as np
import pytest
from conftest import burst_of

from burstsr.report import COMPILING, Record
from burstsr.settings import Settings


def compiles_and_returns():
    def double(x):
        return 2 * x

    return numba.njit(double)(21)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_compiling_is_a_stage_of_its_own():
    told = []
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), lambda stage, done, total: told.append(stage))
    record.stage("first")
    assert record.timed("second", compiles_and_returns) == 42
    record.stage("third")
    assert told == ["choose the scene", "first", "second", COMPILING, "second", "third"]
    assert set(record._seconds) == {"first", "second", "third", "compile"}
    assert record._seconds["compile"] > record._seconds["third"]
    assert all(seconds >= 0 for seconds in record._seconds.values())


def test_without_compiling_there_is_no_such_stage():
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), None)
    record.stage("first")
    assert set(record._seconds) == {"first"}


def test_progress_names_the_stage_that_is_being_done():
    """It named the one that had ended."""
    told = []
    record = Record(burst_of([np.full((32, 32), 0.5)]), Settings(), lambda stage, done, total: told.append(stage))
    record.stage("noise")
    assert told == ["choose the scene", "repair"]
    record.timed("align", lambda: told.append("aligning"))
    assert told[2:] == ["align", "aligning"]
