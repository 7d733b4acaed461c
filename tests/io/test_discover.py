from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from burstsr.core.errors import BurstError, InputFileError
from burstsr.core.result import Result
from burstsr.io.discover import discover, group_frames, read_burst
from burstsr.io.dng import write_cfa_dng, write_dng

START = datetime(2024, 1, 1, 12)


@pytest.fixture
def write(tmp_path, make_frame):
    def at(name, seconds=0.0, **changes):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_cfa_dng(path, make_frame(time=START + timedelta(seconds=seconds), **changes))
        return path

    return at


def names(discovery):
    return {burst.name: [info.path.name for info in burst.infos] for burst in discovery.bursts}


def test_one_sub_folder_is_one_burst(write, tmp_path):
    for n in range(2):
        write(f"day/a/f{n}.dng", n)
        write(f"day/b/deeper/f{n}.DNG", n)
    assert names(discover([tmp_path / "day"])) == {"a": ["f0.dng", "f1.dng"], "deeper": ["f0.DNG", "f1.DNG"]}


def test_a_flat_folder_splits_by_time(write, tmp_path):
    for n, seconds in enumerate([0, 0.1, 0.2, 0.3, 60, 60.1, 60.2]):
        write(f"flat/{n}.dng", seconds)
    assert names(discover([tmp_path / "flat"])) == {"0": ["0.dng", "1.dng", "2.dng", "3.dng"], "4": ["4.dng", "5.dng", "6.dng"]}


def test_one_burst_keeps_the_folder_name(write, tmp_path):
    for n in range(3):
        write(f"one/{n}.dng", n * 0.3)
    assert names(discover([tmp_path / "one"])) == {"one": ["0.dng", "1.dng", "2.dng"]}


@pytest.mark.parametrize("changes", [{"camera": "Other Two"}, {"shape": (64, 96)}, {"aperture": 8.0}, {"order": "BGGR"}])
def test_a_flat_folder_splits_by_what_differs(write, tmp_path, changes):
    for n in range(4):
        write(f"mixed/{n}.dng", n * 0.1, **(changes if n % 2 else {}))
    assert sorted(names(discover([tmp_path / "mixed"])).values()) == [["0.dng", "2.dng"], ["1.dng", "3.dng"]]


def test_orientation_does_not_split(write, tmp_path):
    write("turned/0.dng", 0, orientation=1)
    write("turned/1.dng", 0.1, orientation=6)
    assert len(discover([tmp_path / "turned"]).bursts) == 1


def test_long_exposures_stay_together(make_frame):
    infos = [make_frame(time=START + timedelta(seconds=11.5 * n), exposure_s=10.0).info for n in range(6)]
    assert [len(g) for g in group_frames(infos)] == [6]


def test_without_times_a_folder_is_one_group(make_frame):
    assert [len(g) for g in group_frames([make_frame(time=None).info] * 5 + [make_frame().info])] == [6]


def test_names_sort_as_people_do(write, tmp_path):
    for n in (10, 9, 1, 2):
        write(f"n/frame_{n}.dng", -0.1 * n)
    assert names(discover([tmp_path / "n"]))["n"] == ["frame_1.dng", "frame_2.dng", "frame_9.dng", "frame_10.dng"]
    assert [f.info.path.name for f in read_burst(tmp_path / "n")] == ["frame_1.dng", "frame_2.dng", "frame_9.dng", "frame_10.dng"]


def test_what_is_not_raw_is_passed_over(write, tmp_path):
    write("f/Bild Ä 1.DNG")
    for name in (".hidden.dng", "a.jpg", "a.xmp", "truth.tif", "truth.json"):
        (tmp_path / "f" / name).write_bytes(b"x")
    found = discover([tmp_path / "f"])
    assert names(found) == {"f": ["Bild Ä 1.DNG"]}
    assert not found.problems


def test_problems_are_named_and_the_rest_goes_on(write, tmp_path, make_frame):
    write("f/1.dng")
    (tmp_path / "f" / "2.dng").write_bytes(b"")
    write_dng(tmp_path / "f" / "3.dng", Result(np.zeros((64, 64, 3), np.float32), make_frame().info, 1.0))
    (tmp_path / "nothing").mkdir()
    found = discover([tmp_path / "f", tmp_path / "nothing", tmp_path / "missing"])
    assert names(found) == {"f": ["1.dng"]}
    reasons = {problem.path.name: problem.reason for problem in found.problems}
    assert "empty" in reasons["2.dng"]
    assert ["3.dng"] == [passed.path.name for passed in found.passed_over]
    assert "no raw frames" in reasons["nothing"]
    assert "no such file" in reasons["missing"]


def test_named_files_are_grouped_and_names_are_distinct(write, tmp_path):
    files = [write(f"x/same/{n}.dng", n * 0.1) for n in range(3)]
    write("y/same/0.dng")
    found = discover([*map(str, files), files[0], tmp_path / "x", tmp_path / "y"])
    assert names(found) == {"same": ["0.dng", "1.dng", "2.dng"], "same_2": ["0.dng"]}
    assert sorted(passed.path for passed in found.passed_over) == files  # named one by one, and again in their folder


def test_read_burst_takes_folder_and_files(write, tmp_path):
    files = [write(f"b/{n}.dng", n) for n in (2, 1)]
    for burst in (read_burst(tmp_path / "b"), read_burst(str(tmp_path / "b")), read_burst(files), read_burst(map(str, files))):
        assert burst.name == "b"
        assert [f.info.path.name for f in burst] == ["1.dng", "2.dng"]
    assert len(read_burst(files[0])) == 1


def test_read_burst_refuses(write, tmp_path):
    write("b/1.dng")
    write("b/2.dng", aperture=8.0)
    with pytest.raises(BurstError, match=r"2\.dng.*aperture f/8.*1\.dng"):
        read_burst(tmp_path / "b")
    (tmp_path / "none").mkdir()
    for nothing in (tmp_path / "none", []):
        with pytest.raises(BurstError, match="no raw frames|at least one frame"):
            read_burst(nothing)
    with pytest.raises(InputFileError, match="missing"):
        read_burst(tmp_path / "missing")


def test_real_burst(data):
    found = discover([data / "seestar_m94"])
    assert names(found) == {"seestar_m94": [f"light_{n:02d}.dng" for n in range(10)]}
    singles = discover([data / "raw_singles"])
    assert [len(b.infos) for b in singles.bursts] == [1, 1, 1, 1]
    assert sorted(Path(p.path).name for p in singles.problems) == ["05_PGTM2_unsigned8.dng", "14_hdr_sdr_profiles.dng"]
