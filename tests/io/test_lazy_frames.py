"""Frames decoded in the background, and where their mosaics lie."""

import gc
import pickle
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numba
import numpy as np
import pytest

from burstsr.core import temporary_file
from burstsr.core.burst import Frame
from burstsr.core.errors import InputFileError
from burstsr.io import lazy_frames, mosaic_store
from burstsr.io.discover import read_burst
from burstsr.io.dng import write_cfa_dng
from burstsr.io.lazy_frames import LazyFrame

SHAPE = (64, 80)
BYTES = 64 * 80 * 2


@pytest.fixture
def folder(tmp_path, make_frame):
    """Eight frames that differ, and their mosaics."""
    mosaics = [np.random.default_rng(n).integers(0, 16383, SHAPE).astype(np.uint16) for n in range(8)]
    for n, mosaic in enumerate(mosaics):
        write_cfa_dng(tmp_path / f"{n}.dng", make_frame(mosaic=mosaic))
    return tmp_path, mosaics


@pytest.fixture
def small(monkeypatch):
    """Memory for four such mosaics: three, and one that is mapped."""
    monkeypatch.setattr(mosaic_store, "MEMORY_BYTES", 4 * BYTES)


def test_pixels_are_those_of_the_files(folder):
    path, mosaics = folder
    for found, mosaic in zip(read_burst(path), mosaics, strict=True):
        assert np.array_equal(found.mosaic, mosaic)
        assert found.mosaic is found.mosaic


def test_what_exceeds_the_memory_lies_in_a_file_and_is_the_same(folder, small):
    path, mosaics = folder
    burst = read_burst(path)
    for _ in range(2):
        for found, mosaic in zip(burst, mosaics, strict=True):
            assert np.array_equal(found.mosaic, mosaic)
    owned = [found.mosaic.base is None for found in burst]
    assert owned == [True] * 3 + [False] * 5
    assert {numba.typeof(found.mosaic) for found in burst} == {numba.typeof(mosaics[0])}  # else every loop is compiled twice


def test_few_maps_are_open_and_held_arrays_outlive_them(folder, small):
    path, mosaics = folder
    burst = read_burst(path)
    held = [found.mosaic for found in burst]
    assert all(map(np.array_equal, held, mosaics))
    del burst
    gc.collect()
    assert all(map(np.array_equal, held, mosaics))


def test_threads_may_ask_at_once(folder, small):
    path, mosaics = folder
    burst = read_burst(path)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert all(pool.map(lambda n: np.array_equal(burst.frames[n].mosaic, mosaics[n]), [*range(8)] * 4))


def test_the_file_leaves_nothing_behind(folder, small, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(temporary_file.tempfile, "gettempdir", lambda: str(place))
    monkeypatch.setattr(temporary_file, "on_disk", lambda folder: True)
    burst = read_burst(folder[0])
    held = [found.mosaic for found in burst]
    del burst, held
    gc.collect()
    assert not list(place.iterdir())


@pytest.mark.parametrize("trouble", ["memory", "room", "missing"])
def test_without_a_disk_all_stays_in_memory(folder, small, monkeypatch, caplog, trouble):
    if trouble == "memory":
        monkeypatch.setattr(temporary_file, "on_disk", lambda folder: False)
    elif trouble == "room":
        monkeypatch.setattr(temporary_file.shutil, "disk_usage", lambda folder: temporary_file.shutil._ntuple_diskusage(1, 1, 0))
    else:
        monkeypatch.setattr(temporary_file.shutil, "disk_usage", lambda folder: (_ for _ in ()).throw(OSError(2, "gone")))
    path, mosaics = folder
    burst = read_burst(path)
    assert all(np.array_equal(found.mosaic, mosaic) and found.mosaic.base is None for found, mosaic in zip(burst, mosaics, strict=True))
    assert caplog.text.count("stay in memory") == 1


def test_a_disk_that_fills_up_keeps_the_rest_in_memory(small, tmp_path, caplog):
    class Full:
        def seek(self, place):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    kept = mosaic_store.MosaicStore(8, tmp_path)
    kept._file = Full()
    mosaic = np.ones(SHAPE, np.uint16)
    assert kept.put(mosaic, 7)() is mosaic and kept.put(mosaic, 6)() is mosaic
    assert caplog.text.count("No space left") == 1


def test_memory_file_systems_are_no_disk(tmp_path, monkeypatch):
    inner = tmp_path / "a b" / "c"
    inner.mkdir(parents=True)
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(temporary_file, "_MOUNTS", mounts)
    spaced = str(inner.parent.resolve()).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\ntmpfs {spaced} tmpfs rw 0 0\n")
    assert temporary_file.on_disk(tmp_path) and not temporary_file.on_disk(inner) and not temporary_file.on_disk(tmp_path / "nowhere")
    mounts.unlink()
    assert temporary_file.on_disk(inner)


def test_damaged_pixels_are_reported_to_whoever_asks_for_them(folder):
    path, mosaics = folder
    data = bytearray((path / "3.dng").read_bytes())
    data[300:302] = b"\xff\xd9"
    (path / "3.dng").write_bytes(data)
    burst = read_burst(path)
    for _ in range(2):
        with pytest.raises(InputFileError, match=r"3\.dng.*corrupt"):
            _ = burst.frames[3].mosaic
    assert np.array_equal(burst.frames[4].mosaic, mosaics[4])


def test_a_frame_of_the_background_is_a_frame(folder):
    path, mosaics = folder
    found = read_burst(path).frames[1]
    with pytest.raises(AttributeError):
        found.mosaic = mosaics[0]
    copy = pickle.loads(pickle.dumps(found))
    assert type(copy) is Frame and np.array_equal(copy.mosaic, mosaics[1]) and copy.info.path == found.info.path
    assert replace(found, mosaic=mosaics[2]).mosaic is mosaics[2]
    assert replace(found, info=copy.info).mosaic is found.mosaic
    assert "1.dng" in repr(found)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_what_is_made_of_frames_goes_to_the_file_once_memory_is_full(folder, small, frames):
    path, mosaics = folder
    burst = read_burst([path / f"{n}.dng" for n in range(frames)])
    others = [found.with_mosaic(mosaics[7 - n].copy()) for n, found in enumerate(burst)]
    assert all(np.array_equal(other.mosaic, mosaics[7 - n]) for n, other in enumerate(others))
    assert all(np.array_equal(found.mosaic, mosaic) for found, mosaic in zip(burst, mosaics, strict=False))
    assert sum(other.mosaic.base is None for other in others) == min(4 - frames, frames)


def test_a_frame_in_memory_takes_other_pixels(make_frame):
    mosaic = make_frame().mosaic.copy()
    assert make_frame().with_mosaic(mosaic).mosaic is mosaic


def test_asking_waits_and_need_not_be_on_the_threads_that_decode(make_frame):
    waiting: Future = Future()
    frame = LazyFrame(make_frame().info, waiting)
    got = []
    thread = threading.Thread(target=lambda: got.append(frame.mosaic))
    thread.start()
    mosaic = make_frame().mosaic
    waiting.set_result(lambda: mosaic)
    thread.join()
    assert got == [mosaic]


def test_what_nobody_waits_for_is_not_begun(make_frame):
    waiting: Future = Future()
    frame = LazyFrame(make_frame().info, waiting)
    assert not waiting.cancelled()
    del frame
    gc.collect()
    assert waiting.cancelled()


def test_frames_that_are_no_dngs_are_decoded_once(make_frame, tmp_path, monkeypatch):
    calls = []

    def open_raw(path):
        calls.append(path)
        return make_frame(path=path).info, make_frame().mosaic

    monkeypatch.setattr(lazy_frames, "open_raw", open_raw)
    frames = lazy_frames.read_frames([tmp_path / "a.nef", tmp_path / "b.nef"])
    assert sorted(calls) == [tmp_path / "a.nef", tmp_path / "b.nef"]
    assert all(np.array_equal(frame.mosaic, make_frame().mosaic) for frame in frames)
    assert sorted(calls) == [tmp_path / "a.nef", tmp_path / "b.nef"]
