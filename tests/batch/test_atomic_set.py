"""Files that appear together, or one by one, and stay."""

import os
import stat

import pytest

from burstsr.batch.atomic_set import claimed
from burstsr.batch.job import result_files
from burstsr.io.atomic import atomic


@pytest.fixture
def events(monkeypatch):
    """What is renamed, and which kinds of files are synced, in order."""
    seen = []

    def watched(name):
        original = getattr(os, name)

        def call(source, target, **named):
            original(source, target, **named)
            seen.append("rename")

        monkeypatch.setattr(os, name, call)

    for name in ("rename", "replace", "link"):
        watched(name)
    fsync = os.fsync

    def synced(handle):
        fsync(handle)
        seen.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    monkeypatch.setattr(os, "fsync", synced)
    return seen


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be synced there")
def test_the_folder_of_a_file_is_synced_after_its_rename(tmp_path, events):
    """Fault 14: after a power cut, the file might have kept its temporary name, or none."""
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("a")
    assert events == ["file", "rename", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be synced there")
def test_folders_of_a_set_of_files_are_synced_after_every_step(tmp_path, events):
    """Fault 14: what is in the hidden folder, that it is whole, that the old record has gone, and what is in its place."""
    for text in "ab":
        events.clear()
        with claimed(result_files(tmp_path, "x")) as claim, claim.staged(["x.dng"]) as staging:
            (staging.folder / "x.dng").write_text(text)
            staging.record = {"burst": "x", "frames_read": []}
        again = ["rename", "folder"] if text == "b" else []
        assert events == ["file", "file", "folder", "rename", "folder", *again, "rename", "rename", "folder"]
        assert (tmp_path / "x.dng").read_text() == text


def test_a_file_of_another_command_is_named_with_its_record(tmp_path):
    """Fault 11: `process` said that no record names a file that `single` had written."""
    (tmp_path / "x.dng").write_bytes(b"x")
    (tmp_path / "x.dng.json").write_text('{"source": "x", "asked": {}, "outputs": [{"name": "x.dng"}]}')
    assert "x.dng: belongs to another result of burstsr (see x.dng.json); not replaced" in result_files(tmp_path, "x").obstacle(["x.dng"])
    (tmp_path / "x.dng.json").write_text("[]")
    assert "is not listed in a record of burstsr (x.json)" in result_files(tmp_path, "x").obstacle(["x.dng"])
