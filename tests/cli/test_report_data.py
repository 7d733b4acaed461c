"""`process --report`: what the page of a burst needs beside its record."""

import json

import numpy as np
import pytest

from burstsr.batch.journal import NAME, read
from burstsr.core.errors import InputFileError
from burstsr.io.images import read_image
from burstsr.io.report_data import jpeg_pixels, read_report_data
from burstsr.quality.display import psnr
from cli.conftest import contents


def test_report_adds_its_data_and_changes_nothing_else(run, bursts, tmp_path):
    out = tmp_path / "out"
    run("process", bursts / "apple", "-o", out)
    before = contents(out)
    status, text, err = run("process", bursts / "apple", "-o", out, "--report")
    assert (status, err) == (0, "") and (out / "apple.report.npz").is_file()
    assert all(contents(out)[name] == before[name] for name in ("apple.dng", "apple.jpg"))
    record = json.loads((out / "apple.json").read_text())
    assert "apple.report.npz" in [entry["name"] for entry in record["outputs"]]
    assert [(entry.burst, entry.status) for entry in read(out / NAME)] == [("apple", "done")]
    again = run("process", bursts / "apple", "-o", out, "--report")
    assert again[0] == 0 and "already processed" in again[1] and read(out / NAME)[0].status == "done"


def test_report_data_agree_with_the_truth(run, bursts, tmp_path):
    out = tmp_path / "out"
    run("process", bursts / "birch", "-o", out, "--report", "--reference", 1)
    data = read_report_data(out / "birch.report.npz")
    truth = json.loads((bursts / "birch" / "truth.json").read_text())
    shown = jpeg_pixels(data.reference).astype(np.float32) / 255
    merged = read_image(out / "birch.jpg").rgb
    assert data.shape == (80, 96) and shown.shape == merged.shape == (160, 192, 3) and psnr(shown, merged) > 20
    assert data.registered.all() and data.period == 2 and data.flow.shape == (4, 20, 24, 2)
    assert np.abs(data.flow[1]).max() == 0  # the reference
    dy, dx = (truth["motions"][0][k] - truth["motions"][1][k] for k in ("dy_px", "dx_px"))
    assert np.abs(np.median(data.flow[0], axis=(0, 1)) - (dy, dx)).max() < 0.3
    assert data.robustness.mean() > 128 and data.frame_robustness.shape[0] == 4


def test_failed_bursts_are_in_the_journal(run, bursts, tmp_path):
    (tmp_path / "out" / "cedar.json").mkdir(parents=True)
    bad = bursts / "cedar" / "frame_003.dng"
    bad.write_bytes(bad.read_bytes()[:100])
    status, _, _ = run("process", bursts / "cedar", "-o", tmp_path / "out", "--report")
    failed, rejected = sorted(read(tmp_path / "out" / NAME), key=lambda entry: entry.status)
    assert (status, failed.burst, failed.status, rejected.burst, rejected.status) == (1, "cedar", "failed", str(bad), "rejected")
    assert "cedar.json: is a directory" in failed.reason


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x93NUMPY"])
def test_damaged_data_are_an_input_error(tmp_path, content):
    (tmp_path / "a.report.npz").write_bytes(content)
    with pytest.raises(InputFileError, match="not readable"):
        read_report_data(tmp_path / "a.report.npz")
