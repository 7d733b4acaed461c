import io
import struct

import numpy as np
import pytest
import tifffile

from burstsr.core.errors import OutputError
from burstsr.io import tiff


def written(directory, inner=None):
    file = io.BytesIO()
    tiff.write_directories(file, directory, inner or {})
    return file


def test_entries_come_back():
    entries = {
        271: tiff.text("Acme"),
        33434: tiff.rationals([1 / 60]),
        50721: tiff.rationals([-0.25, 1.5], tiff.SRATIONAL),
        51041: tiff.doubles([1e-9, 2.5]),
        258: tiff.integers(tiff.SHORT, 1, 2, 3),
    }
    file = written(entries, {tiff.EXIF_DIRECTORY: {34855: tiff.integers(tiff.SHORT, 800)}})
    (found,) = tiff.read_directories(file)
    assert {code: found[code] for code in entries} == entries
    assert tiff.read_directory(file, found[tiff.EXIF_DIRECTORY])[34855].numbers() == (800,)
    assert found[33434].data == struct.pack("<2I", 1, 60)


def test_big_endian_files_read_the_same(tmp_path):
    pixels = np.arange(16, dtype=np.uint16).reshape(4, 4)
    for order, name in (("<", "little.tif"), (">", "big.tif")):
        tifffile.imwrite(tmp_path / name, pixels, byteorder=order, extratags=[(51041, "d", 2, (1e-4, 2e-6), True), (34855, "H", 1, 800, True)])
    found = []
    for name in ("little.tif", "big.tif"):
        with open(tmp_path / name, "rb") as file:
            found.append(tiff.read_directories(file)[0])
    assert found[0][51041] == found[1][51041]
    assert found[1][34855].numbers() == (800,)
    assert found[1][51041].numbers() == (1e-4, 2e-6)


@pytest.mark.parametrize("cut", [*range(0, 200, 7)])
def test_a_cut_file_is_read_as_far_as_it_goes(cut):
    data = written({271: tiff.text("A long enough make"), 272: tiff.text("A long enough model"), 258: tiff.integers(tiff.SHORT, 1)}).getvalue()
    tiff.read_directories(io.BytesIO(data[:cut]))


def test_a_directory_that_points_at_itself_ends():
    data = bytearray(written({271: tiff.text("Acme Corporation")}).getvalue())
    data[8 + 2 + 12 : 8 + 2 + 16] = struct.pack("<I", 8)  # the next directory is this one
    assert len(tiff.read_directories(io.BytesIO(bytes(data)))) == 1


def test_large_fractions_stay_in_32_bits():
    assert tiff.rationals([123456.789]).numbers()[0] == pytest.approx(123456.789, rel=1e-6)
    assert tiff.rationals([0.0]).numbers() == (0.0,)


UNSIGNED, SIGNED = tiff.RATIONAL, tiff.SRATIONAL


@pytest.mark.parametrize(("value", "kind"), [(2.0**31, UNSIGNED), (2.0**32 - 1, UNSIGNED), (2.0**31 - 1, SIGNED), (-(2.0**31), SIGNED)])
def test_the_largest_fractions_are_written_and_end(value, kind):
    """Fault 6: from 2^31 on, `rationals` looped for ever."""
    assert tiff.rationals([value], kind).numbers() == (value,)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(-1.0, UNSIGNED), (2.0**32, UNSIGNED), (2.0**31, SIGNED), (-(2.0**31) - 1, SIGNED), (np.nan, UNSIGNED), (np.inf, SIGNED)],
)
def test_what_no_fraction_holds_is_an_output_error(value, kind):
    """Fault 6: a negative value of an unsigned field was an OverflowError."""
    with pytest.raises(OutputError, match="fraction of a TIFF must be between -?[0-9]+ and [0-9]+, not "):
        tiff.rationals([value], kind)
