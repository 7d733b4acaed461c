import json
import shutil
import subprocess
import sys

import cv2
import pytest

from burstsr.batch import outputs
from burstsr.cli import progress as bars_module
from burstsr.core.deprecated import RENAMED_SETTINGS
from burstsr.core.schema import RENAMED_KEYS
from cli.conftest import NAMES, contents, scene

EACH = (".dng", ".jpg", ".json")


def stamps(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}


def cut(frame):
    """End a file in its pixels, which its tags give away."""
    frame.write_bytes(frame.read_bytes()[:-200])


def block(out, name):
    """Make a burst fail late: its record cannot be written where a folder stands."""
    (out / f"{name}.json").mkdir(parents=True)


def test_each_burst_gets_its_files(run, bursts, tmp_path):
    status, out, err = run("process", bursts, "-o", tmp_path / "out", "--format", "png", "--format", "tiff")
    assert (status, err) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(n + s for n in NAMES for s in (*EACH, ".png", ".tif"))
    assert [line.split(":")[0] for line in out.splitlines()] == list(NAMES)
    record = json.loads((tmp_path / "out" / "birch.json").read_text())
    assert record["burst"] == "birch" and len(record["fingerprints"]) == len(record["frames"]) == 4
    assert record["settings_asked"]["scale"] == 2.0


def test_one_burst_and_single_frames_are_inputs(run_json, bursts, tmp_path):
    status, result = run_json("process", bursts / "apple", "-o", tmp_path / "a")
    assert status == 0 and [b["name"] for b in result["bursts"]] == ["apple"]
    frames = sorted((bursts / "apple").glob("*.dng"))
    status, result = run_json("process", *frames[:2], "-o", tmp_path / "b")
    assert status == 0 and [(b["name"], b["frames"]) for b in result["bursts"]] == [("apple", 2)]


def test_rerun_skips_what_is_done(run, run_json, bursts, tmp_path):
    out = tmp_path / "out"
    run("process", bursts, "-o", out)
    before = stamps(out)
    status, text, _ = run("process", bursts, "-o", out)
    assert status == 0 and text.count("already processed") == 3 and stamps(out) == before
    (out / "birch.jpg").unlink()
    for suffix in EACH:
        (out / f"cedar{suffix}").unlink()
    status, result = run_json("process", bursts, "-o", out)
    assert status == 0 and {b["name"]: b["status"] for b in result["bursts"]} == {"apple": "skipped", "birch": "done", "cedar": "done"}
    assert stamps(out)["apple.dng"] == before["apple.dng"] and stamps(out).keys() == before.keys()


def test_overwrite_redoes(run_json, bursts, tmp_path):
    run_json("process", bursts / "apple", "-o", tmp_path / "out")
    before = stamps(tmp_path / "out")
    status, result = run_json("process", bursts / "apple", "-o", tmp_path / "out", "--overwrite", "--scale", 1)
    assert status == 0 and result["bursts"][0]["status"] == "done"
    assert all(stamps(tmp_path / "out")[name] != before[name] for name in before)
    assert json.loads((tmp_path / "out" / "apple.json").read_text())["settings_asked"]["scale"] == 1.0


def test_done_with_other_settings_is_reported(run, bursts, tmp_path):
    run("process", bursts / "apple", "-o", tmp_path / "out")
    status, text, _ = run("process", bursts / "apple", "-o", tmp_path / "out", "--scale", 1.5)
    assert status == 0 and "other settings" in text


def as_version_1(path):
    """Turn a record into what the version before schema versions wrote: old keys alone, and settings by their old names."""
    record = json.loads(path.read_text())
    new_keys = {new for names in RENAMED_KEYS.values() for new in names.values()} | {"shape", "schema_version"}
    old_of = {group: {new: old for old, new in names.items()} for group, names in RENAMED_SETTINGS.items()}

    def old_keys(value):
        if isinstance(value, dict):
            return {key: old_keys(v) for key, v in value.items() if key not in new_keys}
        return [old_keys(v) for v in value] if isinstance(value, list) else value

    def old_settings(settings):
        return {
            old_of[""].get(group, group): {old_of.get(group, {}).get(k, k): v for k, v in values.items()} if isinstance(values, dict) else values
            for group, values in settings.items()
        }

    settings = {key: old_settings(record.pop(key)) for key in ("settings", "settings_asked")}
    path.write_text(json.dumps(old_keys(record) | settings))


def test_results_of_the_version_before_are_resumed_and_give_their_settings(run, run_json, bursts, tmp_path):
    out, record = tmp_path / "out", tmp_path / "out" / "apple.json"
    options = ("process", bursts / "apple", "-o", out, "--set", "merge.step_size=1.2")
    run(*options)
    as_version_1(record)
    assert "fingerprints" not in json.loads(record.read_text()) and "covariance" in json.loads(record.read_text())["settings_asked"]
    assert run_json(*options)[1]["bursts"][0]["reason"] == "already processed"
    assert "other settings" in run(*options[:-1], "merge.step_size=1.1")[1]
    assert run(*options, "--format", "png")[0] == 0 and (out / "apple.png").is_file()
    again = json.loads(record.read_text())
    assert again["frames"][0]["robustness"] == again["frames"][0]["trust"] and len(again["fingerprints"]) == 4
    as_version_1(record)
    status, text, err = run("settings", "--settings", record)
    assert status == 0 and "step_size = 1.2" in text and "merge.gain is now called merge.step_size" in err
    assert run("compare", out / "apple.dng", bursts / "apple" / "truth.tif")[0] == 0


def test_results_of_other_frames_are_no_results_of_these(run, bursts, tmp_path):
    run("process", bursts / "apple", "-o", tmp_path / "out")
    old = contents(tmp_path / "out")
    shutil.copytree(bursts / "birch", tmp_path / "elsewhere" / "apple")
    status, _, err = run("process", tmp_path / "elsewhere" / "apple", "-o", tmp_path / "out")
    assert status == 1 and "made from different frames" in err and contents(tmp_path / "out") == old


def test_a_failing_burst_costs_itself_only(run, bursts, tmp_path):
    block(tmp_path / "out", "birch")
    status, text, err = run("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and "birch: FAILED" in err and "directory" in err and "1 of 3 bursts failed: birch" in err
    assert sorted(contents(tmp_path / "out")) == sorted(n + s for n in ("apple", "cedar") for s in EACH)
    assert "apple" in text and "cedar" in text and "birch" not in text


def test_a_cut_frame_is_named_and_left_out(run_json, bursts, tmp_path):
    cut(bursts / "birch" / "frame_002.dng")
    status, result = run_json("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and [r["path"] for r in result["refused"]] == [str(bursts / "birch" / "frame_002.dng")]
    assert {b["name"]: b["frames"] for b in result["bursts"] if b["status"] == "done"} == {"apple": 4, "birch": 3, "cedar": 4}


def test_unreadable_files_are_named(run_json, bursts, tmp_path):
    (bursts / "birch" / "zzz.dng").write_bytes(b"no raw file at all" * 100)
    status, result = run_json("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and [r["path"] for r in result["refused"]] == [str(bursts / "birch" / "zzz.dng")]
    assert {b["name"] for b in result["bursts"] if b["status"] == "done"} == set(NAMES)


def test_a_folder_of_mixed_frames_becomes_several_bursts(run, run_json, bursts, tmp_path):
    small = tmp_path / "small"
    run("simulate", _image(tmp_path / "small.png"), "-o", small, "--frames", 1)
    shutil.copy(small / "small" / "frame_000.dng", bursts / "birch" / "frame_009.dng")
    status, result = run_json("process", bursts, "-o", tmp_path / "out", "--dry-run")
    frames = {burst["name"]: burst["frames"] for burst in result["bursts"]}
    assert status == 0 and frames == {"apple": 4, "birch_frame_000": 4, "birch_frame_009": 1, "cedar": 4}
    status, result = run_json("process", bursts, "-o", tmp_path / "out", "--dry-run", "--one-burst")
    assert status == 1 and {burst["name"]: burst["frames"] for burst in result["bursts"]} == dict.fromkeys(NAMES, 4)
    assert ["frame_009.dng: size" in refused["reason"] for refused in result["refused"]] == [True]


def test_results_under_an_old_name_are_not_orphaned_in_silence(run, run_json, bursts, tmp_path):
    """The folder's only burst has the folder's name, which changes when a second one comes."""
    out = tmp_path / "out"
    assert run("process", bursts / "apple", "-o", out)[0] == 0
    for n in range(2):
        shutil.copy(bursts / "birch" / f"frame_00{n}.dng", bursts / "apple" / f"later_00{n}.dng")
    _retimed(bursts / "apple", "later")
    status, _, err = run("process", bursts / "apple", "-o", out, "--dry-run")
    assert status == 0 and f"frame_000: the same frames were already processed under another name, {out / 'apple.json'}" in err and "later" not in err
    assert run_json("process", bursts / "apple", "-o", out, "--dry-run")[1]["renamed"] == {"frame_000": str(out / "apple.json")}
    assert run("process", bursts / "birch", "-o", out, "--dry-run")[2] == ""


def test_what_to_do_with_single_shots_is_reported(run, bursts):
    frames = sorted((bursts / "apple").glob("*.dng"))[:3]
    for path, hour in zip(frames, (b"13", b"14", b"15"), strict=True):
        path.write_bytes(path.read_bytes().replace(b"2025:01:01 12:", b"2025:01:01 " + hour + b":"))
    assert "3 bursts have a single frame: --gap SECONDS or --one-burst" not in run("inspect", bursts / "birch")[2]
    assert "4 bursts have a single frame: --gap SECONDS or --one-burst" in run("inspect", bursts)[2]
    assert "one frame only" not in run("inspect", bursts, "--one-burst")[2]


def _retimed(folder, start):
    """Frames of that beginning, an hour later."""
    for path in folder.glob(f"{start}*"):
        path.write_bytes(path.read_bytes().replace(b"2025:01:01 12:", b"2025:01:01 13:"))


@pytest.mark.parametrize("command", [("process", "--dry-run", "-o", "out"), ("inspect",)])
def test_process_and_inspect_group_by_the_same_options(run, run_json, bursts, command):
    shutil.copy(bursts / "apple" / "frame_001.dng", bursts / "apple" / "frame_001 (1).dng")
    (bursts / "birch" / "frame_001.dng").unlink()
    (bursts / "cedar" / "frame_003.dng").unlink()
    (bursts / "cedar" / "frame_002.dng").unlink()
    named = lambda result: [burst["name"] for burst in result["bursts"]]  # noqa: E731
    status, result = run_json(*command, bursts, "--gap", "0.05", "--min-frames", 3)
    assert status == 0 and named(result) == ["apple"]
    reasons = [passed["reason"] for passed in result["passed_over"]]
    assert len(reasons) == 4 and "frame_001 (1).dng: the same content as" in reasons[0] and "burst birch_frame_000" in reasons[1]
    status, out, err = run(*command, bursts, "--one-burst", "--min-frames", 4)
    assert status == 0 and "birch" not in out and "ignored, copies: apple/frame_001 (1).dng" in err and "few frames: birch/frame_000.dng" in err
    status, out, err = run(*command, bursts, "--min-frames", 9)
    assert status == 0 and err.count("few frames") == 1
    for wrong in (["--gap", "-1"], ["--gap", "soon"], ["--min-frames", "0"], ["--gap", "1", "--one-burst"]):
        status, _, err = run(*command, bursts, *wrong)
        assert status == 2 and wrong[0] in err


def test_a_bug_costs_its_burst_only(run, bursts, tmp_path, monkeypatch):
    import burstsr.pipeline

    real = burstsr.pipeline.super_resolve

    def buggy(burst, *others, **named):
        if burst.name == "birch":
            raise ZeroDivisionError("one over nought")
        return real(burst, *others, **named)

    monkeypatch.setattr(burstsr.pipeline, "super_resolve", buggy)
    status, _, err = run("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and "birch: FAILED: unexpected ZeroDivisionError: one over nought" in err
    assert (tmp_path / "out" / "apple.json").exists() and (tmp_path / "out" / "cedar.json").exists()


def test_interrupt_leaves_no_halves(run, bursts, tmp_path, monkeypatch):
    real = outputs.write_result

    def interrupted(path, kind, image, settings):
        real(path, kind, image, settings)
        if kind == "jpg" and path.stem == "birch":
            raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_result", interrupted)
    status, _, err = run("process", bursts, "-o", tmp_path / "out")
    assert status == 130 and "interrupted" in err
    assert sorted(contents(tmp_path / "out")) == sorted("apple" + s for s in EACH)


def test_a_failed_overwrite_leaves_the_old_files(run, bursts, tmp_path, monkeypatch):
    run("process", bursts / "apple", "-o", tmp_path / "out")
    old = contents(tmp_path / "out")

    def full_disk(path, kind, image, settings):
        path.write_bytes(b"half")
        if kind == "jpg":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "write_result", full_disk)
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out", "--overwrite", "--scale", 1)
    assert status == 1 and "No space left on device" in err
    assert contents(tmp_path / "out") == old and [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == []


def test_a_killed_overwrite_leaves_the_old_files(run, run_json, bursts, tmp_path):
    out = tmp_path / "out"
    run("process", bursts / "apple", "-o", out)
    old = contents(out)
    script = (
        "import os, sys\nfrom burstsr.batch import outputs\nfrom burstsr.cli import main\nreal = outputs.write_result\n"
        "def killed(path, kind, picture, settings):\n    real(path, kind, picture, settings)\n    if kind == 'jpg': os._exit(9)\n"
        "outputs.write_result = killed\nmain(sys.argv[1:])"
    )
    killed = subprocess.run([sys.executable, "-c", script, "process", bursts / "apple", "-o", out, "--overwrite"], check=False)
    assert killed.returncode == 9
    assert {name: data for name, data in contents(out).items() if "/" not in name} == old
    status, result = run_json("process", bursts / "apple", "-o", out, "--overwrite")
    assert status == 0 and result["bursts"][0]["status"] == "done"
    assert sorted(contents(out)) == sorted(old)


def test_dry_run_shows_all_and_writes_nothing(run, run_json, bursts, tmp_path):
    out = tmp_path / "out"
    run("process", bursts / "apple", "-o", out)
    old = stamps(out)
    status, text, _ = run("process", bursts, "-o", out, "--dry-run", "--format", "png")
    assert status == 0 and stamps(out) == old
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["burst", *NAMES]
    assert "96 x 80" in lines[1] and "RGGB" in lines[1] and "1/100 s" in lines[1]
    assert "write" in lines[1] and "cedar{.dng,.jpg,.png,.json}" in lines[3]  # apple lacks its png
    status, result = run_json("process", bursts, "-o", out, "--dry-run")
    assert [b["status"] for b in result["bursts"]] == ["skipped", "planned", "planned"] and stamps(out) == old


def test_a_region_outside_the_frames_is_told_before_anything_is_read(run_json, bursts, tmp_path):
    for arguments in (["--dry-run"], []):
        status, result = run_json("process", bursts, "-o", tmp_path / "out", "--crop", "60,0,30,40", *arguments)
        assert status == 1 and all(b["status"] == "failed" and "must lie in the frames" in b["reason"] for b in result["bursts"])
    status, result = run_json("process", bursts, "-o", tmp_path / "out", "--crop", "40,0,30,40", "--dry-run")
    assert status == 0 and {b["status"] for b in result["bursts"]} == {"planned"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "9"], "scale"),
        (["--set", "merge.nonsense=1"], "nonsense"),
        (["--set", "merge"], "STAGE.KEY=VALUE"),
        (["--settings", "missing.toml"], "missing.toml"),
        (["--reference", "7"], "between 0 and 3"),
        (["--reference", "first"], "auto"),
        (["--threads", "0"], "between 1 and 1024"),
        (["--reference", "-1"], "reference"),
        (["--jobs", "0"], "--jobs"),
        (["--format", "gif"], "gif"),
        (["--mode", "magic"], "magic"),
    ],
)
def test_wrong_usage_is_2(run, made, tmp_path, arguments, message):
    status, out, err = run("process", made, "-o", tmp_path / "out", *arguments)
    assert status == 2 and message in err and out == "" and not (tmp_path / "out").exists()


def test_missing_input_and_folder_without_frames_are_2(run, tmp_path):
    assert run("process", tmp_path / "nowhere", "-o", tmp_path / "out")[0] == 2
    (tmp_path / "empty").mkdir()
    status, _, err = run("process", tmp_path / "empty", "-o", tmp_path / "out")
    assert status == 2 and "no raw frames" in err


def test_reference_out_of_range_for_some_bursts_fails_those(run, bursts, tmp_path):
    (bursts / "birch" / "frame_003.dng").unlink()
    status, _, err = run("process", bursts, "-o", tmp_path / "out", "--reference", 3)
    assert status == 1 and "birch has 3 frames" in err
    assert json.loads((tmp_path / "out" / "apple.json").read_text())["reference"] == 3


def test_sources_are_never_overwritten(run, bursts):
    folder = bursts / "apple"
    (folder / "frame_000.dng").rename(folder / "apple.dng")
    old = contents(bursts)
    for extra in ([], ["--overwrite"]):
        status, _, err = run("process", folder, "-o", folder, *extra)
        assert status == 1 and "would overwrite the frame" in err and contents(bursts) == old


def test_results_beside_the_bursts_are_not_taken_for_frames(run, run_json, bursts):
    assert run("process", bursts, "-o", bursts)[0] == 0
    status, result = run_json("process", bursts, "-o", bursts)
    assert status == 0 and result["refused"] == [] and {b["status"] for b in result["bursts"]} == {"skipped"}


def test_settings_come_from_file_then_assignments_then_flags(run, made, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("scale = 1.0\n[finish]\ntone = 0.25\nsharpen = 0.0\n")
    status, *_ = run("process", made / "apple", "-o", tmp_path, "--settings", file, "--set", "finish.sharpen=0.75", "--set", "scale=3", "--scale", 1.5)
    asked = json.loads((tmp_path / "apple.json").read_text())["settings_asked"]
    assert status == 0 and (asked["scale"], asked["finish"]["tone"], asked["finish"]["sharpen"]) == (1.5, 0.25, 0.75)


def test_worker_processes_give_the_same_images(run, bursts, tmp_path):
    for out, jobs in (("one", 1), ("two", 2)):
        block(tmp_path / out, "birch")
        status, _, err = run("process", bursts, "-o", tmp_path / out, "--jobs", jobs)
        assert status == 1 and "birch: FAILED" in err
    for name in ("apple.dng", "apple.jpg", "cedar.dng", "cedar.jpg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_bars_appear_on_a_terminal_only(run, made, tmp_path, monkeypatch):
    assert run("process", made / "apple", "-o", tmp_path / "quiet")[2] == ""
    monkeypatch.setattr(bars_module, "on_terminal", lambda: True)
    for name, value in (("TTY_COMPATIBLE", "1"), ("TERM", "xterm"), ("COLUMNS", "100")):
        monkeypatch.setenv(name, value)
    status, out, err = run("process", made / "apple", "-o", tmp_path / "bars")
    assert status == 0 and "apple: merge" in err and "1/1" in err and out.startswith("apple: 4 frames")


def _image(path):
    cv2.imwrite(str(path), scene(9, 96, 96))
    return path


def test_a_tripod_burst_is_reported_to_gain_no_resolution(run, run_json, tmp_path):
    cv2.imwrite(str(tmp_path / "still.png"), scene(7))
    run("simulate", tmp_path / "still.png", "-o", tmp_path / "in", "--frames", 4, "--motion", "tripod")
    status, out, _ = run("process", tmp_path / "in", "-o", tmp_path / "out")
    assert status == 0 and "tripod" in out
    status, result = run_json("process", tmp_path / "in", "-o", tmp_path / "out", "--overwrite")
    assert "no sub-pixel motion (tripod)" in result["bursts"][0]["advice"]


def test_mode_best_writes_the_same_files_and_reports_the_reconstruction(run, made, tmp_path):
    status, out, err = run("process", made / "apple", "-o", tmp_path / "out", "--mode", "best", "--set", "reconstruct.outer_iterations=3")
    assert (status, err) == (0, "") and out.startswith("apple: 4 frames")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["apple" + s for s in EACH]
    record = json.loads((tmp_path / "out" / "apple.json").read_text())
    assert record["settings"]["mode"] == record["settings_asked"]["mode"] == "best" and record["settings"]["reconstruct"]["outer_iterations"] == 3
    assert record["reconstruction"]["outer_iterations"] <= 3 and record["reconstruction"]["residual"] > 0 and record["seconds"]["reconstruct"] > 0
    status, text, _ = run("process", made / "apple", "-o", tmp_path / "out")  # fast, where best was done
    assert status == 0 and "other settings" in text
    run("process", made / "apple", "-o", tmp_path / "fast")
    assert json.loads((tmp_path / "fast" / "apple.json").read_text())["reconstruction"] is None
    assert (tmp_path / "fast" / "apple.dng").read_bytes() != (tmp_path / "out" / "apple.dng").read_bytes()
