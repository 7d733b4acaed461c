"""A card of photographs, as cameras and people leave it: what is a burst, what it is called, and what is passed over by name."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import tifffile

from burstsr.core.errors import SettingsError
from burstsr.core.result import Result
from burstsr.io import sniff
from burstsr.io.discover import discover, read_burst
from burstsr.io.dng import write_cfa_dng, write_dng
from burstsr.io.grouping import Grouping, group_frames

START = datetime(2024, 1, 1, 12)
HOUR = 3600.0


@pytest.fixture
def shoot(tmp_path, make_frame):
    """Write frames as IMG_0001.dng ... into a folder, at the seconds given."""

    def at(folder, seconds, first=1, **changes):
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        paths = [place / f"IMG_{first + n:04d}.dng" for n in range(len(seconds))]
        for path, second in zip(paths, seconds, strict=True):
            mosaic = np.full(changes.get("shape", (64, 80)), int(path.stem[4:]) + 600, np.uint16)
            write_cfa_dng(path, make_frame(time=START + timedelta(seconds=second), mosaic=mosaic, **changes))
        return paths

    return at


@pytest.fixture
def infos(make_frame):
    """Descriptions of frames at the seconds given."""
    return lambda seconds, **changes: [make_frame(path=Path(f"{n}.dng"), time=START + timedelta(seconds=s), **changes).info for n, s in enumerate(seconds)]


def found_in(*inputs, **grouping):
    found = discover(inputs, Grouping(**grouping))
    assert not found.problems
    return {burst.name: len(burst.infos) for burst in found.bursts}


def passed(found):
    return {problem.path.name: problem.kind for problem in found.passed_over}


def test_sub_folders_are_split_by_time(shoot, tmp_path):
    """DCIM/100CANON with three scenes over 25 hours became one burst, and two subjects vanished."""
    for n, hour in enumerate((0, 1, 25)):
        shoot("DCIM/100CANON", [hour * HOUR + 0.2 * i for i in range(6)], first=6 * n + 1)
    expected = {"100CANON_IMG_0001": 6, "100CANON_IMG_0007": 6, "100CANON_IMG_0013": 6}
    assert found_in(tmp_path / "DCIM") == expected
    assert found_in(tmp_path) == expected
    assert found_in(tmp_path / "DCIM" / "100CANON") == {"IMG_0001": 6, "IMG_0007": 6, "IMG_0013": 6}


def test_a_folder_of_mixed_sizes_is_several_bursts(shoot, tmp_path):
    shoot("DCIM/100CANON", [0, 0.1, 0.2])
    shoot("DCIM/100CANON", [0.3, 0.4], first=4, shape=(64, 64))
    assert found_in(tmp_path / "DCIM") == {"100CANON_IMG_0001": 3, "100CANON_IMG_0004": 2}


def test_names_do_not_shift_when_frames_come_or_go_elsewhere(shoot, tmp_path):
    old = shoot("card", [0, 0.1], first=10)
    shoot("card", [60, 60.1], first=20)
    shoot("card", [90, 90.1], first=30)
    before = found_in(tmp_path / "card")
    assert before == {"IMG_0010": 2, "IMG_0020": 2, "IMG_0030": 2}
    shoot("card", [-60, -59.9], first=1)
    shoot("card", [30, 33], first=15)
    assert before.items() <= found_in(tmp_path / "card").items()
    for path in old:
        path.unlink()
    assert found_in(tmp_path / "card").keys() >= {"IMG_0020", "IMG_0030"}


def test_bursts_that_begin_with_one_stem_are_named_by_suffix_too(shoot, tmp_path):
    shoot("card", [0, 0.1])
    for path in shoot("other", [0, 0.1], camera="Acme Two"):
        path.rename(tmp_path / "card" / f"{path.stem}.nef")
    assert found_in(tmp_path / "card") == {"IMG_0001_dng": 2, "IMG_0001_nef": 2}


def test_long_names_stay_short_enough_for_a_file(shoot, tmp_path):
    folder = "x" * 180
    shoot(f"top/{folder}", [0, 60])
    shoot(f"top/{folder}", [120], first=30)
    assert found_in(tmp_path / "top") == {f"{folder}_IMG_0001": 1, f"{folder}_IMG_0002": 1, f"{folder}_IMG_0030": 1}
    longer = tmp_path / "top" / ("y" * 230)
    (tmp_path / "top" / folder).rename(longer)
    assert found_in(tmp_path / "top") == {"IMG_0001": 1, "IMG_0002": 1, "IMG_0030": 1}


@pytest.mark.parametrize(
    ("seconds", "exposure_s", "sizes"),
    [
        ([0, 8, 16, 24], 1 / 60, [1, 1, 1, 1]),  # single shots
        ([0, 8.25, 16.5, 24.75], 1 / 60, [1, 1, 1, 1]),
        ([1.2 * n for n in range(9)], 0.005, [9]),  # imx296_static
        ([0, 12, 23, 34, 46, 62, 73, 85, 96, 107], 10.0, [10]),  # seestar_m94
        ([0, 0.1, 0.2, 60, 60.1], 1 / 60, [3, 2]),
        ([0, 61, 122, 183, 500], 30.0, [4, 1]),  # a dark after every exposure
        ([0, 0, 0, 1, 1, 3, 3], 1 / 60, [7]),  # whole seconds: the pause is between 1 and 3
        ([0.5, 1.5, 4.25, 5.25], 1 / 60, [2, 2]),
    ],
)
def test_the_pause_between_exposures_ends_a_burst(infos, seconds, exposure_s, sizes):
    assert [len(group) for group in group_frames(infos(seconds, exposure_s=exposure_s))] == sizes


def test_gap_sets_how_long_a_pause_may_be(shoot, tmp_path):
    shoot("card", [0, 5, 10, 40, 45])
    assert len(found_in(tmp_path / "card")) == 5
    assert found_in(tmp_path / "card", gap_s=5) == {"IMG_0001": 3, "IMG_0004": 2}
    assert found_in(tmp_path / "card", gap_s=float("inf")) == {"card": 5}
    assert len(found_in(tmp_path / "card", gap_s=4.5)) == 5


def test_a_frame_without_a_time_goes_with_the_one_before_it(make_frame, infos):
    timed = infos([0, 0.1, 60, 60.1])
    strays = [make_frame(time=None).info, make_frame(time=None, camera="Other").info]
    groups = group_frames([*timed[:2], strays[0], *timed[2:], strays[1]])
    assert [list(map(id, group)) for group in groups] == [[id(strays[1])], list(map(id, [*timed[:2], strays[0]])), list(map(id, timed[2:]))]


def test_one_burst_takes_a_folder_whole_and_refuses_by_name_what_cannot_belong(shoot, tmp_path):
    shoot("DCIM/a", [0, 600, 1200])
    shoot("DCIM/a", [1], first=7, shape=(64, 64))
    shoot("DCIM/a", [2], first=8, order="BGGR")
    shoot("DCIM/a", [3], first=9, camera="Acme Two")
    found = discover([tmp_path / "DCIM"], Grouping(one_burst=True))
    assert [(burst.name, len(burst.infos)) for burst in found.bursts] == [("a", 3)]
    reasons = {problem.path.name: problem.reason for problem in found.problems}
    assert "size 64 x 64" in reasons["IMG_0007.dng"] and "CFA" in reasons["IMG_0008.dng"] and "camera Acme Two" in reasons["IMG_0009.dng"]


def test_short_bursts_are_passed_over_by_name(shoot, tmp_path):
    shoot("card", [0, 0.1, 0.2, 60, 120, 120.1])
    found = discover([tmp_path / "card"], Grouping(min_frames=3))
    assert [burst.name for burst in found.bursts] == ["IMG_0001"] and not found.problems
    assert [p.path.name for p in found.passed_over] == ["IMG_0004.dng", "IMG_0005.dng"]
    assert "1 of at least 3 frames" in found.passed_over[0].reason


@pytest.mark.parametrize("wrong", [{"gap_s": -1.0}, {"gap_s": float("nan")}, {"min_frames": 0}, {"gap_s": 1.0, "one_burst": True}])
def test_grouping_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Grouping(**wrong)


def test_copies_are_no_frames(shoot, tmp_path):
    paths = shoot("card", [0, 0.1, 0.2])
    for name in ("IMG_0001 (1).dng", "IMG_0001 - Copy.dng", "Copy of IMG_0002.dng"):
        shutil.copy(paths[1 if "2" in name else 0], tmp_path / "card" / name)
    found = discover([tmp_path / "card"])
    assert [info.path for info in found.bursts[0].infos] == paths
    assert passed(found) == {"IMG_0001 (1).dng": "copies", "IMG_0001 - Copy.dng": "copies", "Copy of IMG_0002.dng": "copies"}
    assert [frame.info.path for frame in read_burst(tmp_path / "card")] == paths


def test_frames_that_only_look_alike_are_all_taken(tmp_path, make_frame):
    for n in range(3):
        mosaic = np.full((64, 80), 600, np.uint16)
        mosaic[40, 40] += n
        write_cfa_dng(tmp_path / f"{n}.dng", make_frame(mosaic=mosaic, time=None))
    assert len(discover([tmp_path]).bursts[0].infos) == 3


def test_own_results_are_no_frames_with_or_without_their_record(shoot, tmp_path, make_frame):
    paths = shoot("card", [0, 0.1])
    (tmp_path / "card" / "out").mkdir()
    for name in ("card/IMG_0001_x2.dng", "card/out/result.dng"):
        write_dng(tmp_path / name, Result(np.zeros((64, 64, 3), np.float32), make_frame().info, 1.0))
    found = discover([tmp_path / "card"])
    assert [info.path for info in found.bursts[0].infos] == paths and not found.problems
    assert passed(found) == {"IMG_0001_x2.dng": "results of burstsr", "result.dng": "results of burstsr"}
    named = discover([tmp_path / "card" / "out" / "result.dng"])
    assert "demosaiced" in named.problems[0].reason  # whoever names it wants to know


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_links_lead_to_again_is_no_frame(shoot, tmp_path):
    paths = shoot("card/b", [0, 0.1])
    (tmp_path / "card" / "a_link").symlink_to(tmp_path / "card" / "b")
    (tmp_path / "card" / "b" / "up").symlink_to(tmp_path / "card")
    (tmp_path / "card" / "b" / "A.dng").symlink_to(paths[0])
    os.link(paths[1], tmp_path / "card" / "b" / "IMG_0002_again.dng")
    (tmp_path / "card" / "picks").mkdir()
    (tmp_path / "card" / "picks" / "IMG_0001.dng").symlink_to(paths[0])
    found = discover([tmp_path / "card"])
    assert {burst.name: [info.path for info in burst.infos] for burst in found.bursts} == {"b": paths} and not found.problems
    again = "file reached twice"
    assert passed(found) == {"a_link": "folder reached twice", "up": "folder reached twice", "A.dng": again, "IMG_0002_again.dng": again, "IMG_0001.dng": again}
    assert found_in(tmp_path / "card" / "a_link") == {"b": 2}  # a link that is named, or leads elsewhere, is as good as what it leads to


def test_a_folder_that_cannot_be_read_costs_itself_only(shoot, tmp_path, monkeypatch):
    shoot("card/a", [0, 0.1])
    for name in ("System Volume Information", "locked", "$RECYCLE.BIN"):
        shoot(f"card/{name}", [0, 0.1])
    real = Path.iterdir

    def guarded(self):
        if self.name in ("System Volume Information", "locked"):
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", guarded)
    found = discover([tmp_path / "card"])
    assert [(burst.name, len(burst.infos)) for burst in found.bursts] == [("a", 2)]
    assert [(p.path.name, "Permission denied" in p.reason) for p in found.problems] == [("locked", True)]
    assert set(passed(found)) == {"System Volume Information", "$RECYCLE.BIN"}


def test_a_link_into_nowhere_is_named(shoot, tmp_path):
    shoot("card", [0, 0.1])
    try:
        (tmp_path / "card" / "IMG_0003.dng").symlink_to(tmp_path / "gone.dng")
    except OSError:
        pytest.skip("no links here")
    found = discover([tmp_path / "card"])
    assert [p.path.name for p in found.problems] == ["IMG_0003.dng"] and len(found.bursts[0].infos) == 2


def test_raw_files_of_unknown_suffix_are_taken_by_content(shoot, tmp_path):
    paths = shoot("card", [0, 0.1, 0.2])
    paths[1].rename(tmp_path / "card" / "IMG_0002.foo")
    paths[2].rename(tmp_path / "card" / "IMG_0003")
    assert found_in(tmp_path / "card") == {"card": 3}


def test_images_sidecars_and_data_are_left_alone(shoot, tmp_path, monkeypatch):
    (path,) = shoot("card", [0])
    for name in ("IMG_0001.tif", "IMG_0001.JPG"):
        shutil.copy(path, tmp_path / "card" / name)
    pixels = np.random.default_rng(0).integers(0, 65535, (480, 640)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "card" / "scan.lsm", pixels)  # LibRaw would take it for a mosaic
    (tmp_path / "card" / "data.bin").write_bytes(b"\1" * 307200)  # and this, by its size
    (tmp_path / "card" / "notes").write_text("II" * 100)
    (tmp_path / "card" / "IMG_0001.xmp").write_text("<x/>")
    found = discover([tmp_path / "card"])
    assert [len(burst.infos) for burst in found.bursts] == [1] and not found.problems and not found.passed_over
    monkeypatch.setattr(sniff.libraw_process, "opens", None)  # LibRaw is not even asked about what does not begin as raw files do
    assert not sniff.holds_raw(tmp_path / "card" / "data.bin")


def test_backups_of_raw_files_are_named_and_no_frames(shoot, tmp_path):
    (path,) = shoot("card", [0])
    for name in ("IMG_0001.dng_original", "IMG_0001.dng.bak"):
        shutil.copy(path, tmp_path / "card" / name)
    (tmp_path / "card" / "letter.bak").write_text("Dear Sir" * 20)
    found = discover([tmp_path / "card"])
    assert [len(burst.infos) for burst in found.bursts] == [1] and not found.problems
    assert passed(found) == {"IMG_0001.dng_original": "backup", "IMG_0001.dng.bak": "backup"}


def test_real_quicktake_pair_is_found_in_its_folder(data):
    assert found_in(data / "raw_more" / "quicktake_pair") == {"quicktake_pair": 2}
    assert found_in(data / "raw_more" / "imx296_static") == {"imx296_static": 9}


def test_thousands_of_frames_are_grouped_quickly(infos):
    """Every frame is compared with the few bursts it may belong to, not with all: 4000 exposures that all differ."""
    frames = infos([10.0 * n for n in range(4000)])
    compared = 0

    def counting(a, b):
        nonlocal compared
        compared += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("burstsr.io.grouping.first_mismatch", counting)
        assert len(group_frames(frames)) == 4000
    assert compared < 4000
