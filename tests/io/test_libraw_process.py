"""LibRaw in a process of its own: what it does to that process costs a file, nothing else."""

import os
import signal
import sys

import numpy as np
import pytest

from burstsr.core.errors import InputFileError
from burstsr.io import libraw_process, raw
from burstsr.io.dng import write_cfa_dng
from burstsr.io.raw import read_frame
from burstsr.io.sniff import holds_raw

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture
def plain(make_frame, tmp_path, monkeypatch):
    """A frame that LibRaw decodes: its file and pixels."""
    frame = make_frame()
    write_cfa_dng(tmp_path / "a.dng", frame)
    monkeypatch.setattr(raw.ljpeg, "decoded", lambda path, tags: None)
    libraw_process._close_all()  # those of earlier tests
    yield tmp_path / "a.dng", frame.mosaic
    libraw_process._close_all()


@pytest.fixture
def deadly(monkeypatch):
    """Make LibRaw's process run `code` when it is asked about a file whose name has "bad" in it."""

    def make(code):
        body = f"def decoded(path):\n    if 'bad' in path.name:\n        {code}\n    return real(path)\n"
        prelude = f"import os, sys\nimport burstsr.io.libraw_process as p\nreal = p.decoded_here\n{body}p.decoded_here = decoded\n"
        popen = libraw_process.subprocess.Popen
        monkeypatch.setattr(
            libraw_process.subprocess,
            "Popen",
            lambda line, **options: popen([*line[:2], line[2].replace("from burstsr", f"exec({prelude!r}); from burstsr")], **options),
        )
        libraw_process._close_all()

    return make


def test_it_decodes_the_same_and_one_process_serves_many_files(plain):
    path, mosaic = plain
    assert np.array_equal(read_frame(path).mosaic, mosaic)
    (worker,) = libraw_process._idle
    assert np.array_equal(read_frame(path).mosaic, mosaic) and libraw_process._idle == [worker]
    assert np.array_equal(libraw_process.decode(path).raw_image, libraw_process.decoded_here(path).raw_image)


@pytest.mark.parametrize("code", ["os.abort()", "sys.exit(3)"])
def test_a_crash_costs_one_file(plain, deadly, tmp_path, code):
    path, mosaic = plain
    (tmp_path / "bad.dng").write_bytes(path.read_bytes())
    deadly(code)
    with pytest.raises(InputFileError, match=r"bad\.dng: LibRaw was stopped"):
        read_frame(tmp_path / "bad.dng")
    assert np.array_equal(read_frame(path).mosaic, mosaic)


def test_computing_without_end_is_stopped(plain, deadly, tmp_path, monkeypatch):
    path, _ = plain
    (tmp_path / "bad.dng").write_bytes(path.read_bytes())
    deadly("p.LONGEST_S = 0; p._limit(1); exec('while True: pass')")
    with pytest.raises(InputFileError, match="stopped"):
        read_frame(tmp_path / "bad.dng")
    deadly("import time; time.sleep(60)")
    monkeypatch.setattr(libraw_process, "_PATIENCE", 0.05)
    with pytest.raises(InputFileError, match="stopped"):
        read_frame(tmp_path / "bad.dng")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
def test_memory_without_end_is_refused(plain, deadly, tmp_path):
    path, mosaic = plain
    (tmp_path / "bad.dng").write_bytes(path.read_bytes())
    deadly("bytearray(2**33)")
    with pytest.raises(InputFileError, match=r"bad\.dng: LibRaw needs more memory"):
        read_frame(tmp_path / "bad.dng")
    assert np.array_equal(read_frame(path).mosaic, mosaic)


def test_errors_name_the_file_as_it_was_given(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.nef").write_bytes(b"nothing raw" * 100)
    with pytest.raises(InputFileError, match=r"^x\.nef: unsupported raw format"):
        read_frame("x.nef")
    monkeypatch.chdir("/")
    assert np.array_equal(read_frame(plain[0]).mosaic, plain[1])


def test_where_no_process_can_be_started_files_are_decoded_here(plain, monkeypatch):
    libraw_process._close_all()
    monkeypatch.setattr(sys, "executable", "")
    assert np.array_equal(read_frame(plain[0]).mosaic, plain[1])


def test_processes_ignore_ctrl_c_and_end_with_this_one(plain, tmp_path):
    path, mosaic = plain
    read_frame(path)
    (worker,) = libraw_process._idle
    worker._process.send_signal(signal.SIGINT)
    assert np.array_equal(read_frame(path).mosaic, mosaic) and libraw_process._idle == [worker]
    worker._process.stdin.close()
    assert worker._process.wait(20) == 0


def test_a_file_without_a_name_is_looked_at_there_too(plain, tmp_path):
    (tmp_path / "IMG_1").write_bytes(plain[0].read_bytes())
    assert holds_raw(tmp_path / "IMG_1")
    (tmp_path / "IMG_2").write_bytes(b"FUJIFILM" + bytes(200))
    assert not holds_raw(tmp_path / "IMG_2")
