"""Files that are no DNG are decoded once: issue 15, fault 9. They were decoded for grouping, thrown away and decoded again."""

import os

import numpy as np
import pytest

from burstsr.io import decoded, raw
from burstsr.io.discover import discover, read_burst


@pytest.fixture(autouse=True)
def nothing_kept():
    decoded.forget()
    yield
    decoded.forget()


def test_raw_files_are_decoded_once_for_grouping_and_reading(data, tmp_path, monkeypatch):
    names = [path.name for path in sorted((data / "raw_more" / "quicktake_pair").glob("*.qtk"))]
    for name in names:
        (tmp_path / name).write_bytes((data / "raw_more" / "quicktake_pair" / name).read_bytes())
    count, real = [], raw.decoded_by_libraw
    monkeypatch.setattr(raw, "decoded_by_libraw", lambda path: count.append(path.name) or real(path))
    found = discover([tmp_path])
    bursts = [read_burst([info.path for info in burst.infos]) for burst in found.bursts]
    mosaics = {frame.info.path.name: frame.mosaic for burst in bursts for frame in burst}
    assert sorted(count) == names
    again = {frame.info.path.name: frame.mosaic for burst in found.bursts for frame in read_burst([info.path for info in burst.infos])}
    assert len(count) == 2 * len(names)  # what was taken is not held any longer
    assert all((mosaics[name] == again[name]).all() for name in names)


def test_a_file_that_has_changed_is_not_taken_for_what_was_kept(tmp_path, make_frame):
    path, frame = tmp_path / "a.crw", make_frame()
    path.write_bytes(b"1")
    decoded.keep(path, (frame.info, frame.mosaic))
    os.utime(path, ns=(1, 1))
    assert decoded.take(path) is None
    path.unlink()
    assert decoded.take(path) is None


def test_no_more_is_kept_than_memory_allows(tmp_path, make_frame, monkeypatch):
    frame = make_frame()
    monkeypatch.setattr(decoded, "MEMORY_BYTES", 2 * frame.mosaic.nbytes)
    paths = [tmp_path / f"{i}.crw" for i in range(3)]
    for path in paths:
        path.write_bytes(b"1")
        decoded.keep(path, (frame.info, frame.mosaic))
    taken = [decoded.take(path) for path in paths]
    assert [found is None for found in taken] == [False, False, True]
    assert np.shares_memory(taken[0][1], frame.mosaic) and decoded.take(paths[0]) is None
