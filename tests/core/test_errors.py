"""Errors are also those that Python has for their kind, and pass through whoever catches these."""

import pickle

import numpy as np
import pytest
import tifffile

import burstsr
from burstsr.batch.locks import locked
from burstsr.core.errors import BurstError, BurstsrError, BusyError, Cancelled, InputFileError, OutputError, RangeError, SettingsError
from burstsr.core.tables import read_text
from burstsr.io.atomic import atomic
from burstsr.io.display import read_display
from burstsr.io.images import read_image
from burstsr.io.linear_dng import read_linear_dng
from burstsr.io.psf import read_psf
from burstsr.simulate import read_truth


@pytest.mark.parametrize(
    ("error", "builtin"),
    [(InputFileError, OSError), (OutputError, OSError), (BusyError, OSError), (BurstError, ValueError), (SettingsError, ValueError), (Cancelled, Exception)],
)
def test_errors_are_builtin_ones_too(error, builtin):
    made = error("frame.dng: truncated")
    assert isinstance(made, builtin) and isinstance(made, BurstsrError) and str(made) == "frame.dng: truncated"
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is error and str(again) == str(made)
    with pytest.raises(builtin):
        raise made


def test_a_user_who_knows_only_python_catches_them(tmp_path):
    with pytest.raises(OSError, match="no such file"):
        burstsr.read_burst([tmp_path / "none.dng"])
    with pytest.raises(ValueError, match="scale"):
        burstsr.Settings(scale=9.0)
    assert str(pickle.loads(pickle.dumps(RangeError("scale", "must be small")))) == "scale must be small"


def _cmyk(path):
    tifffile.imwrite(path, np.zeros((8, 8, 4), np.uint8), photometric="separated")
    return path


READERS = {
    "text": (read_text, lambda folder: folder / "none.toml"),
    "image": (read_image, lambda folder: _cmyk(folder / "a.tif")),
    "display": (read_display, lambda folder: _cmyk(folder / "a.tif")),
    "psf": (read_psf, lambda folder: folder / "none.png"),
    "linear DNG": (read_linear_dng, lambda folder: _cmyk(folder / "a.tif")),
    "truth": (read_truth, lambda folder: folder / "truth.json"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_names_the_file_once(name, tmp_path):
    """What was an error of ours inside is not caught as an OSError and wrapped in another."""
    read, make = READERS[name]
    path = make(tmp_path)
    with pytest.raises(InputFileError) as caught:
        read(path)
    assert str(caught.value).count(path.name) == 1


def test_an_error_of_ours_while_writing_stays_what_it_is(tmp_path):
    with pytest.raises(OutputError, match="^no room$"), atomic(tmp_path / "a.dng"):
        raise OutputError("no room")
    with pytest.raises(InputFileError, match="^b.dng: damaged$"), atomic(tmp_path / "a.dng"):
        raise InputFileError("b.dng: damaged")
    assert not list(tmp_path.iterdir())


def test_a_busy_result_stays_busy(tmp_path):
    with locked(tmp_path, "a.json"), pytest.raises(BusyError), locked(tmp_path, "a.json"):
        pass
