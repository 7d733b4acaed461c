"""Files whose pixels are missing or blank: issue 15, fault 16. They were developed into a black image without a word."""

import logging

import numpy as np
import pytest

from burstsr import Settings, super_resolve
from burstsr.batch.damage import without_damaged_frames
from burstsr.batch.job import Job
from burstsr.core.burst import Burst
from burstsr.core.errors import BurstError, InputFileError
from burstsr.core.sensor import shows_nothing
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.dng import write_cfa_dng
from burstsr.io.raw import read_frame


def without_counts(path):
    """The file with the byte counts of its strips or tiles set to 0."""
    with path.open("rb") as file:
        (directory,) = [d for d in tiff.read_directories(file) if t.PHOTOMETRIC in d and d[t.PHOTOMETRIC].numbers()[0] == t.CFA_PHOTOMETRIC]
    data = path.read_bytes()
    for code in (279, 325):
        if code in directory:
            counts = directory[code].data
            assert data.count(counts) >= 1
            path.write_bytes(data.replace(counts, bytes(len(counts))))
    return path


@pytest.mark.parametrize("dn", [0, 300, 511])
def test_a_blank_dng_is_refused(tmp_path, make_frame, dn):
    write_cfa_dng(tmp_path / "a.dng", make_frame(mosaic=np.full((64, 80), dn, np.uint16)))
    with pytest.raises(InputFileError, match=rf"a\.dng: blank: every pixel is {dn}"):
        read_frame(tmp_path / "a.dng")


def test_a_dng_without_pixel_data_is_refused(tmp_path, make_frame):
    write_cfa_dng(tmp_path / "a.dng", make_frame())
    with pytest.raises(InputFileError, match=r"a\.dng"):
        read_frame(without_counts(tmp_path / "a.dng"))


def test_a_blank_frame_costs_itself_and_a_burst_of_them_is_refused(tmp_path, make_frame):
    paths = [tmp_path / f"{i}.dng" for i in range(3)]
    for i, path in enumerate(paths):
        write_cfa_dng(path, make_frame(mosaic=np.zeros((64, 80), np.uint16) if i == 1 else None))
    job = Job("b", tuple(paths), tmp_path, ("dng", "jpg"), Settings(), tuple(p.name for p in paths))
    sound, burst = without_damaged_frames(job, "why")
    assert sound.omitted == (1,) and len(burst) == 2 and "blank" in sound.reasons[0]
    for path in paths:
        write_cfa_dng(path, make_frame(mosaic=np.zeros((64, 80), np.uint16)))
    with pytest.raises(BurstError, match="no frame can be read.*blank"):
        without_damaged_frames(job, "why")


def test_a_constant_frame_is_named(make_frame, caplog):
    frame = make_frame(mosaic=np.full((64, 80), 16383, np.uint16))
    with caplog.at_level(logging.WARNING, logger="burstsr"):
        report = super_resolve(Burst("b", (frame,)), Settings(measure_noise=False)).report.to_dict()
    assert "1 of 1 frames are constant" in report["advice"] and report["frames"][0]["constant"]
    assert "simulated" in caplog.text


def test_a_frame_that_is_all_but_white_is_named(make_frame, caplog):
    """Issue 18: as a black one is. raw_more/traps/all_white.dng has 135 different levels."""
    mosaic = np.full((64, 80), 16383, np.uint16)
    mosaic[5, 7], mosaic[40, 3] = 9000, 12000
    with caplog.at_level(logging.WARNING, logger="burstsr"):
        report = super_resolve(Burst("b", (make_frame(mosaic=mosaic),)), Settings(measure_noise=False)).report.to_dict()
    assert report["frames"][0]["constant"] and "saturated" in caplog.text
    mosaic[:16] = 9000
    assert not shows_nothing(make_frame(mosaic=mosaic)), "a quarter shows something"


def test_frames_with_light_are_not_called_constant(make_frame):
    report = super_resolve(Burst("b", (make_frame(),)), Settings(measure_noise=False)).report.to_dict()
    assert "constant" not in report["advice"] and not report["frames"][0]["constant"]
