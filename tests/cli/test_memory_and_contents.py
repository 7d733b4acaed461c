"""`process --memory`, and inputs whose content changed."""

import json
import os
import shutil


def test_a_result_of_other_contents_is_not_taken_for_done(run, made, tmp_path):
    burst, out = tmp_path / "in" / "apple", tmp_path / "out"
    shutil.copytree(made / "apple", burst)
    assert run("process", burst, "-o", out)[0] == 0
    assert run("process", burst, "-o", out)[1].count("skipped") == 1
    frame = burst / "frame_001.dng"
    state, data = frame.stat(), bytearray(frame.read_bytes())
    data[-100] ^= 255
    frame.write_bytes(data)
    os.utime(frame, ns=(state.st_atime_ns, state.st_mtime_ns))
    status, _, err = run("process", burst, "-o", out)
    assert status == 1 and "the content of 1 changed" in err


def test_the_limit_and_what_came_of_it_are_in_the_record(run, made, tmp_path):
    assert run("process", made / "apple", "-o", tmp_path / "a")[0] == run("process", made / "apple", "-o", tmp_path / "b", "--memory", "100MB")[0] == 0
    assert "memory" not in json.loads((tmp_path / "a" / "apple.json").read_text())
    assert json.loads((tmp_path / "b" / "apple.json").read_text())["memory"] == {"limit_bytes": 100_000_000, "images_on_disk": True}
    for name in ("apple.dng", "apple.jpg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert run("process", made / "apple", "-o", tmp_path / "c", "--memory", "much")[0] == 2
