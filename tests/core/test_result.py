"""The result and its report: names, old names, JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.noise import Noise
from burstsr.core.report import FrameReport, NoiseReport, Report
from burstsr.core.result import Result

IMAGE = np.full((32, 32, 3), 0.25, np.float32)
INFO = frame_of(np.full((16, 16), 0.5)).info
MODEL = Noise(np.full(3, 1e-4), np.full(3, 1e-6))


def test_old_names_of_a_result_are_read_and_taken_with_a_warning():
    with pytest.warns(DeprecationWarning, match="rgb of Result is now called image"):
        result = Result(rgb=IMAGE, reference=INFO, scale=2.0)
    with pytest.warns(DeprecationWarning, match="Result.rgb is Result.image"):
        assert result.rgb is IMAGE and result.image is IMAGE
    with pytest.warns(DeprecationWarning, match="rgb of Result is now called image"):
        assert replace(result, rgb=IMAGE[:2]).image.shape == (2, 32, 3)


def test_the_noise_of_a_result_was_its_model_and_is_its_map():
    with pytest.warns(DeprecationWarning, match="noise of Result is noise_model"):
        result = Result(IMAGE, INFO, 2.0, noise=MODEL)
    assert result.noise_model is MODEL
    with pytest.warns(DeprecationWarning, match="noise_model"):
        assert result.noise is MODEL  # as long as there is no map
    assert replace(result, variance=IMAGE).noise is IMAGE
    assert replace(result, noise_model=None).noise is None


def test_a_report_is_typed_and_still_a_mapping_of_its_json():
    frames = (FrameReport("a.dng", reference=True, robustness=1.0), FrameReport("b.dng", motion_px=(0.5, -1.0), rotation_deg=0.1, unused_because="blurred"))
    report = Report("burst", 0, frames, noise=NoiseReport("NoiseProfile", MODEL), output_noise=MODEL, shape=(64, 48))
    assert report.frames_used == 1 and report["frames_used"] == 1 and report["frames"][1]["motion_px"] == [0.5, -1.0]
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict() == dict(report)
    more = report.with_facts(fallback=None, advice="again")
    assert more["fallback"] is None and more["advice"] == "again" and more.frames is frames and "fallback" not in report
    assert dict(Report()) == {}
    assert Result(IMAGE, INFO, 2.0, report={"coverage": 0.5}).report["coverage"] == 0.5
