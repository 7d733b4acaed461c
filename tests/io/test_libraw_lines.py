"""What LibRaw prints from C belongs to the file's message; what others print goes where it was meant to go."""

import os
import threading

import numpy as np
import pytest

from burstsr.core.errors import InputFileError
from burstsr.io import raw
from burstsr.io.dng import write_cfa_dng
from burstsr.io.libraw_lines import LibRawLines
from burstsr.io.raw import read_frame


def test_lines_of_libraw_belong_to_the_files_message(tmp_path, make_frame, capfd, monkeypatch):
    """LibRaw names what is wrong with a file on standard error only."""
    path = tmp_path / "torn.dng"
    write_cfa_dng(path, make_frame((128, 128)))
    data = bytearray(path.read_bytes())
    data[3000:3002] = b"\xff\xd9"  # end of a JPEG
    path.write_bytes(data)
    monkeypatch.setattr(raw.ljpeg, "decoded", lambda path, tags: None)
    with pytest.raises(InputFileError, match=r"torn\.dng: truncated or corrupt \(.*LibRaw: (Unexpected end of file|data corrupted at \d+)\)"):
        read_frame(path)
    assert capfd.readouterr().err == ""


def test_each_thread_gets_the_lines_of_its_file(tmp_path, capfd):
    paths = [tmp_path / f"{n}.nef" for n in range(6)]
    together = threading.Barrier(len(paths))
    texts = {}

    def decode(path):
        with LibRawLines(path) as lines:
            together.wait()
            os.write(2, b"%s: data corrupted at %d\n" % (bytes(path), paths.index(path)))
            os.write(2, b"a line of somebody's\n")
            together.wait()
            texts[path.name] = lines.text

    threads = [threading.Thread(target=decode, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {f"{n}.nef": f"data corrupted at {n}" for n in range(6)}
    assert capfd.readouterr().err == "a line of somebody's\n" * len(paths)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_a_line_without_a_name_goes_to_who_asks(tmp_path, capfd):
    """LibRaw knows no name on Windows, and of files whose name is no UTF-8."""
    with LibRawLines(tmp_path / "a.nef") as a, LibRawLines(tmp_path / "b.nef") as b:
        os.write(2, b"unknown file: Unexpected end of file\n")
        assert (a.text, b.text) == ("Unexpected end of file", "")


def test_without_standard_error_files_are_read_all_the_same(tmp_path, monkeypatch):
    def closed(descriptor):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with LibRawLines(tmp_path / "a.nef") as lines:
        assert lines.text == ""


@pytest.mark.skipif(os.name == "nt", reason="names of bytes")
def test_a_name_that_is_no_utf8_is_decoded_by_libraw_too(tmp_path, make_frame, monkeypatch):
    frame = make_frame()
    write_cfa_dng(tmp_path / "a.dng", frame)
    path = tmp_path / os.fsdecode(b"\xff.dng")
    try:
        (tmp_path / "a.dng").rename(path)
    except OSError:
        pytest.skip("this file system has names of UTF-8 only")
    monkeypatch.setattr(raw.ljpeg, "decoded", lambda path, tags: None)
    assert np.array_equal(read_frame(path).mosaic, frame.mosaic)
