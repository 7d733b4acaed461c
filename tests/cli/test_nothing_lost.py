"""Files of the user are never replaced; results are whole, and belong to one run at a time."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import burstsr.pipeline
from burstsr.batch import locks as claim_module
from burstsr.batch import outputs
from burstsr.batch.atomic_set import claimed
from burstsr.batch.job import result_files
from burstsr.core.errors import BusyError, OutputError
from burstsr.io.images import read_image
from cli.conftest import contents, scene

THEIRS = b"the user's own"


def edited(record, **facts):
    """Change a record as another version, or another run, would have written it; None takes a key away."""
    value = {name: fact for name, fact in {**json.loads(record.read_text()), **facts}.items() if fact is not None}
    record.write_text(json.dumps(value))


def forbid_merging(monkeypatch):
    def merged(*arguments):
        raise AssertionError("nothing needs to be merged")

    monkeypatch.setattr(burstsr.pipeline, "super_resolve", merged)


@pytest.fixture
def done(run, bursts, tmp_path):
    """The input and the results of one burst."""
    assert run("process", bursts / "apple", "-o", tmp_path / "out")[0] == 0
    return bursts / "apple", tmp_path / "out"


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_single_does_not_replace_the_cameras_own_jpeg(run, made, tmp_path, options):
    shutil.copy(made / "apple" / "frame_000.dng", tmp_path / "IMG_1.dng")
    (tmp_path / "IMG_1.jpg").write_bytes(THEIRS)
    cv2.imwrite(str(tmp_path / "a.bmp"), scene(1, 24, 24))
    (tmp_path / "a.png").write_bytes(THEIRS)
    before = contents(tmp_path)
    status, _, err = run("single", tmp_path / "IMG_1.dng", "-o", tmp_path, "--format", "jpg", *options)
    assert status == 1 and str(tmp_path / "IMG_1.jpg") in err and "not replaced; move it" in err and contents(tmp_path) == before
    status, _, err = run("single", tmp_path / "a.bmp", "-o", tmp_path, *options)
    assert status == 1 and str(tmp_path / "a.png") in err and contents(tmp_path) == before


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".json"])
def test_process_does_not_replace_files_that_no_record_names(run, bursts, tmp_path, suffix, options):
    shutil.rmtree(bursts / "cedar")
    out = tmp_path / "out"
    out.mkdir()
    theirs = out / f"apple{suffix}"
    theirs.write_bytes(THEIRS)
    status, _, err = run("process", bursts, "-o", out, "--format", "png", *options)
    assert status == 1 and str(theirs) in err and "not replaced; move it" in err and "1 of 2 bursts failed: apple" in err
    assert sorted(p.name for p in out.iterdir()) == sorted([theirs.name, *(f"birch{s}" for s in (".dng", ".jpg", ".json", ".png"))])
    assert theirs.read_bytes() == THEIRS


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"burst": "apple"}', "[" * 100_000])
def test_a_broken_record_does_not_count_as_done(run, done, text):
    folder, out = done
    (out / "apple.json").write_text(text)
    before = contents(out)
    for options in ((), ("--overwrite",)):
        status, _, err = run("process", folder, "-o", out, *options)
        assert status == 1 and "apple" in err and "record" in err and contents(out) == before


def test_a_file_that_appears_during_the_computing_is_not_replaced(run, bursts, tmp_path, monkeypatch):
    out, real = tmp_path / "out", outputs.write_result

    def write(path, kind, image, settings):
        real(path, kind, image, settings)
        (out / "apple.jpg").write_bytes(THEIRS)

    monkeypatch.setattr(outputs, "write_result", write)
    status, _, err = run("process", bursts / "apple", "-o", out)
    assert status == 1 and "apple.jpg" in err and contents(out) == {"apple.jpg": THEIRS}


def test_an_edited_preview_is_not_replaced(run, done):
    folder, out = done
    (out / "apple.jpg").write_bytes(THEIRS)
    before = contents(out)
    assert "already processed" in run("process", folder, "-o", out)[1] and contents(out) == before
    status, _, err = run("process", folder, "-o", out, "--overwrite")
    assert status == 1 and "apple.jpg" in err and "edited" in err and contents(out) == before


def test_a_record_of_an_earlier_version_names_the_standard_outputs(run, done):
    folder, out = done
    edited(out / "apple.json", outputs=None, below_black=None)
    assert "already processed" in run("process", folder, "-o", out)[1]
    assert run("process", folder, "-o", out, "--overwrite")[0] == 0
    edited(out / "apple.json", outputs=None)
    later = (out / "apple.json").stat().st_mtime_ns + 10**10
    os.utime(out / "apple.jpg", ns=(later, later))
    status, _, err = run("process", folder, "-o", out, "--overwrite")
    assert status == 1 and "apple.jpg" in err and "edited" in err


def test_the_record_names_its_outputs(done):
    _, out = done
    message = json.loads((out / "apple.json").read_text())["outputs"]
    assert [(o["name"], o["bytes"]) for o in message] == [(n, (out / n).stat().st_size) for n in ("apple.dng", "apple.jpg")]


def test_a_format_added_later_computes_only_what_is_missing(run, tmp_path, monkeypatch):
    """From the DNG, where that holds all that the image did: nothing was clipped at black."""
    cv2.imwrite(str(tmp_path / "bright.png"), np.maximum(scene(1), 120))
    assert run("simulate", tmp_path / "bright.png", "-o", tmp_path, "--frames", 3, "--iso", 100)[0] == 0
    folder, out = tmp_path / "bright", tmp_path / "out"
    assert run("process", folder, "-o", out)[0] == 0
    assert json.loads((out / "bright.json").read_text())["below_black"] == 0
    assert run("process", folder, "-o", tmp_path / "anew", "--format", "png", "--format", "tiff")[0] == 0
    before, report = contents(out), json.loads((out / "bright.json").read_text())
    forbid_merging(monkeypatch)
    status, text, err = run("process", folder, "-o", out, "--format", "png", "--format", "tiff")
    assert (status, err) == (0, "") and "made from bright.dng" in text
    assert all((out / name).read_bytes() == before[name] for name in ("bright.dng", "bright.jpg"))
    after = json.loads((out / "bright.json").read_text())
    assert [o["name"] for o in after.pop("outputs")] == ["bright.dng", "bright.jpg", "bright.tif", "bright.png"]
    assert after == {name: fact for name, fact in report.items() if name != "outputs"}
    for name in ("bright.png", "bright.tif"):
        added, anew = (read_image(place / name).rgb.astype(np.float64) for place in (out, tmp_path / "anew"))
        linear = [np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) for v in (added, anew)]
        assert np.abs(linear[0] - linear[1]).max() < 12 / 65535, "half a step of the DNG, through white balance, matrix, contrast and sharpening"
        assert np.abs(linear[0] - linear[1]).mean() < 1 / 65535
    assert "already processed" in run("process", folder, "-o", out, "--format", "png")[1]


@pytest.mark.parametrize("spoilt", ["clips", "edited", "earlier version"])
def test_where_the_dng_does_not_tell_all_a_format_is_computed_and_the_rest_untouched(run, done, tmp_path, spoilt):
    folder, out = done
    if spoilt == "clips":
        assert json.loads((out / "apple.json").read_text())["below_black"] > 0
    elif spoilt == "edited":
        (out / "apple.dng").write_bytes(THEIRS)
    else:
        edited(out / "apple.json", outputs=None, below_black=None)
    before = contents(out)
    assert run("process", folder, "-o", out, "--format", "png")[0] == 0
    assert all((out / name).read_bytes() == before[name] for name in ("apple.dng", "apple.jpg"))
    assert run("process", folder, "-o", tmp_path / "anew", "--format", "png")[0] == 0
    assert (out / "apple.png").read_bytes() == (tmp_path / "anew" / "apple.png").read_bytes()
    assert [o["name"] for o in json.loads((out / "apple.json").read_text())["outputs"]] == ["apple.dng", "apple.jpg", "apple.png"]


def test_a_format_is_not_added_to_a_result_of_other_settings(run, done):
    folder, out = done
    before = contents(out)
    status, _, err = run("process", folder, "-o", out, "--format", "png", "--scale", 1)
    assert status == 1 and "apple.png is missing" in err and "--overwrite" in err and contents(out) == before


def test_what_an_earlier_result_left_stays_ours(run, done):
    folder, out = done
    run("process", folder, "-o", out, "--format", "png")
    assert run("process", folder, "-o", out, "--overwrite", "--scale", 1)[0] == 0
    record = json.loads((out / "apple.json").read_text())
    assert [o["name"] for o in record["earlier_outputs"]] == ["apple.png"]
    assert run("process", folder, "-o", out, "--scale", 1, "--format", "png")[0] == 0
    assert read_image(out / "apple.png").rgb.shape == (80, 96, 3) and "earlier_outputs" not in json.loads((out / "apple.json").read_text())


def test_a_burst_whose_frames_changed_is_reported_and_redone_on_demand(run, done):
    folder, out = done
    (folder / "frame_003.dng").unlink()
    (out / "apple.jpg").unlink()  # an incomplete set was redone in silence
    before = contents(out)
    status, _, err = run("process", folder, "-o", out)
    assert status == 1 and "was made from different frames (1 frame gone)" in err and contents(out) == before
    assert run("process", folder, "-o", out, "--overwrite")[0] == 0
    assert len(json.loads((out / "apple.json").read_text())["fingerprints"]) == 3


def test_a_run_killed_between_two_moves_is_completed_by_the_next(run, done, monkeypatch):
    folder, out = done
    script = (
        "import os, sys\nfrom burstsr.batch import atomic_set\nfrom burstsr.cli import main\nreal = atomic_set._move\n"
        "def killed(source, target):\n    real(source, target)\n    os._exit(9)\n"
        "atomic_set._move = killed\nmain(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "process", folder, "-o", out, "--overwrite", "--scale", "1"]
    assert subprocess.run(command, check=False).returncode == 9 and not (out / "apple.json").exists()
    forbid_merging(monkeypatch)
    status, text, err = run("process", folder, "-o", out, "--scale", 1)
    assert status == 0 and "already processed" in text, err
    assert sorted(p.name for p in out.iterdir()) == ["apple.dng", "apple.jpg", "apple.json"]
    assert read_image(out / "apple.jpg").rgb.shape == (80, 96, 3)


def test_two_runs_into_one_folder_do_not_trip_over_each_other(run, bursts, tmp_path):
    out = tmp_path / "out"
    with claimed(result_files(out, "apple")):
        left = next(out.rglob("*.lock"))
        assert str(os.getpid()) in left.read_text()
        with pytest.raises(BusyError), claimed(result_files(out, "apple")):
            pass
        status, text, err = run("process", bursts / "apple", bursts / "birch", "-o", out)
        assert (status, err) == (0, "") and "apple: skipped, being processed by another run" in text
    assert sorted(p.name for p in out.iterdir()) == ["birch.dng", "birch.jpg", "birch.json"]


def test_what_a_killed_run_left_is_removed_by_the_next(run, done):
    folder, out = done
    with claimed(result_files(out, "apple")) as claim:
        left = claim.work / f"{claim.key}-left"
        left.mkdir()
        (left / "apple.dng").write_bytes(b"half")
    assert left.exists()
    assert run("process", folder, "-o", out, "--overwrite")[0] == 0
    assert sorted(p.name for p in out.iterdir()) == ["apple.dng", "apple.jpg", "apple.json"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_without_locks_of_the_file_system_the_owner_in_the_file_counts(tmp_path, monkeypatch):
    import fcntl

    def unsupported(handle, what):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    files = result_files(tmp_path, "apple")
    with claimed(files) as claim:
        lock = claim.work / f"{claim.key}.lock"
    for owner, busy in (("process 1 on here", True), ("process 99999999 on here", False), ("process 5 on elsewhere", True), ("", False)):
        monkeypatch.setattr(claim_module.socket, "gethostname", lambda: "here")
        lock.parent.mkdir(exist_ok=True)
        lock.write_text(owner)
        if busy:
            with pytest.raises(BusyError, match="another run"), claimed(files):
                pass
        else:
            with claimed(files):
                pass


def test_a_full_disk_is_noticed_before_the_computing(run, bursts, tmp_path, monkeypatch):
    forbid_merging(monkeypatch)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(claim_module.shutil, "disk_usage", lambda place: usage._replace(free=1000))
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out")
    assert status == 1 and "apple needs about" in err and "are free" in err and not (tmp_path / "out").exists()
    cv2.imwrite(str(tmp_path / "a.png"), scene(1, 24, 24))
    for command in (("single", tmp_path / "a.png", "-o"), ("simulate", tmp_path / "a.png", "-o")):
        status, _, err = run(*command, tmp_path / "out")
        assert status == 1 and "are free" in err and not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody may write")
def test_a_read_only_output_is_noticed_before_the_computing(run, bursts, tmp_path, monkeypatch):
    forbid_merging(monkeypatch)
    cv2.imwrite(str(tmp_path / "a.png"), scene(1, 24, 24))
    for command in (("process", bursts / "apple", "-o"), ("single", tmp_path / "a.png", "-o"), ("simulate", tmp_path / "a.png", "--frames", 1, "-o")):
        status, _, err = run(*command, "/proc/burstsr")
        assert status == 1 and "/proc/burstsr" in err and "cannot be written" in err
    status, _, err = run("calibrate", "noise", bursts / "apple", "-o", "/proc/burstsr/noise.json")
    assert status == 1 and "cannot be written" in err


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
@pytest.mark.parametrize("name", [os.fsdecode(b"caf\xe9 \xff"), "x" * 240, "a" + "." * 20 + "y" * 200, "日本 é"])
def test_names_of_240_bytes_and_names_that_are_no_utf_8(run_json, bursts, tmp_path, name):
    (bursts / "apple").rename(bursts / name)
    for options in ((), ("--overwrite",)):
        status, result = run_json("process", bursts / name, "-o", tmp_path / "out", "--format", "png", *options)
        assert status == 0 and result["bursts"][0]["name"] == name and result["bursts"][0]["status"] == "done"
    out = tmp_path / "out" / f"{name}.json"
    assert json.loads(out.read_text(encoding="utf-8"))["burst"] == name
    assert run_json("process", bursts / name, "-o", tmp_path / "out")[1]["bursts"][0]["status"] == "skipped"
    cv2.imwrite(str(tmp_path / "a.png"), scene(1, 24, 24))
    (tmp_path / "a.png").rename(tmp_path / f"{name}.png")
    for model in ("lanczos", "nearest") if len(name) < 230 else ("lanczos",):
        assert run_json("single", tmp_path / f"{name}.png", "-o", tmp_path / "single", "--model", model)[0] == 0


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_that_cannot_print_a_name(bursts, tmp_path, encoding):
    (bursts / "apple").rename(bursts / "日本 é")
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for option in (("--dry-run",), ("--dry-run", "--json")):
        command = [sys.executable, "-m", "burstsr", "process", bursts / "日本 é", "-o", tmp_path / "out", *option]
        result = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert result.returncode == 0 and result.stderr == b"", result.stderr
        if "--json" in option:
            assert json.loads(result.stdout.decode(encoding))["bursts"][0]["name"] == "日本 é"
        else:
            assert b"\\u65e5\\u672c" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("process", "", "-o", "o"),
        ("process", "in", "-o", ""),
        ("process", "in", "--output="),
        ("single", "", "-o", "o"),
        ("simulate", "", "-o", "o"),
        ("inspect", ""),
        ("compare", "", ""),
        ("demo", ""),
        ("calibrate", "noise", ""),
        ("process", "in", "-o", "o", "--profile", ""),
    ],
)
def test_an_empty_argument_is_wrong_usage(run, bursts, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(bursts)
    before = contents(bursts)
    status, out, err = run(*arguments)
    assert status == 2 and "empty" in err and out == "" and contents(bursts) == before


def test_simulate_replaces_only_what_it_wrote(run, run_json, tmp_path):
    cv2.imwrite(str(tmp_path / "tile.png"), scene(3, 64, 64))
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "truth.tif").write_bytes(THEIRS)
    for options in ((), ("--overwrite",)):
        status, _, err = run("simulate", tmp_path / "tile.png", "-o", tmp_path, "--frames", 2, *options)
        assert status == 1 and "truth.tif" in err and contents(tmp_path / "tile") == {"truth.tif": THEIRS}
    (tmp_path / "tile" / "truth.tif").unlink()
    assert run("simulate", tmp_path / "tile.png", "-o", tmp_path, "--frames", 3)[0] == 0
    (tmp_path / "tile" / "frame_002.dng").write_bytes(THEIRS)
    assert run("simulate", tmp_path / "tile.png", "-o", tmp_path, "--frames", 2, "--overwrite")[0] == 0
    assert sorted(contents(tmp_path / "tile")) == ["frame_000.dng", "frame_001.dng", "frame_002.dng", "truth.json", "truth.tif"]
    assert (tmp_path / "tile" / "frame_002.dng").read_bytes() == THEIRS


@pytest.mark.parametrize("name", ["coffee.jpg", "side_by_side.png", "burst/coffee/frame_000.dng"])
def test_demo_replaces_only_what_it_wrote(run, tmp_path, monkeypatch, name):
    forbid_merging(monkeypatch)
    monkeypatch.setattr("burstsr.cli.demo.FRAMES", 1)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(THEIRS)
    status, _, err = run("demo", tmp_path)
    assert status == 1 and name in err and (tmp_path / name).read_bytes() == THEIRS


def test_calibrate_replaces_only_what_it_wrote(run, tmp_path):
    theirs = tmp_path / "jiggle.json"
    theirs.write_text("{}")
    status, _, err = run("calibrate", "jiggle", "--frames", 4, "-o", theirs)
    assert status == 1 and "jiggle.json" in err and theirs.read_text() == "{}"
    for frames in (4, 5):
        assert run("calibrate", "jiggle", "--frames", frames, "-o", tmp_path / "ours.json")[0] == 0
    assert len(json.loads((tmp_path / "ours.json").read_text())["motions"]) == 5


def test_single_names_results_by_model_and_scale_where_another_is_there(run, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), scene(1, 24, 24))
    base, out = ("single", tmp_path / "a.png", "-o", tmp_path / "out"), tmp_path / "out"
    assert run(*base)[0] == 0
    before = contents(out)
    assert run(*base, "--model", "nearest", "--scale", 2)[0] == 0
    assert sorted(contents(out)) == ["a-nearest-x2.png", "a-nearest-x2.png.json", "a.png", "a.png.json"]
    assert contents(out).items() >= before.items()
    for options in ((), ("--model", "nearest", "--scale", 2)):
        assert "already processed" in run(*base, *options)[1]
    assert run(*base, "--model", "bicubic", "--format", "jpg")[0] == 0
    assert (out / "a.jpg").exists(), "no other result is there"
    assert run(*base, "--format", "png", "--format", "tiff")[0] == 0
    assert (out / "a.tif").exists() and (out / "a.png").read_bytes() == before["a.png"]


def test_a_move_does_not_replace_what_appeared(tmp_path):
    files = result_files(tmp_path, "apple")
    with pytest.raises(OutputError, match=r"apple\.jpg"), claimed(files) as claim, claim.staged(["apple.jpg"]) as staging:
        (staging.folder / "apple.jpg").write_bytes(b"new")
        staging.record = {"burst": "apple", "fingerprints": []}
        (tmp_path / "apple.jpg").write_bytes(THEIRS)
    assert contents(tmp_path) == {"apple.jpg": THEIRS}
