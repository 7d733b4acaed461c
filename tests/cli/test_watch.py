"""`burstsr watch` with a clock that the test sets: what arrives is processed, with the results of `process`."""

import json
import shutil

import pytest

from burstsr.batch.journal import NAME, read
from burstsr.cli import watch as module
from cli.conftest import contents


@pytest.fixture
def watch(run, monkeypatch):
    """Run `burstsr watch`; each step of `steps` is called while it sleeps, and ends the sleep after half a minute. After the last, Ctrl-C."""

    def call(folder, out, *options, steps):
        clock = iter(range(0, 10**6, 30))
        left = iter(steps)
        current = [0.0]

        def sleep(seconds):
            step = next(left, None)
            if step is None:
                raise KeyboardInterrupt
            current[0] = next(clock)
            step()

        monkeypatch.setattr(module, "_sleep", sleep)
        monkeypatch.setattr(module, "_now", lambda: current[0])
        return run("watch", folder, "-o", out, *options)

    return call


def nothing():
    """Let time pass."""


def arrive(made, name, folder, frames="*"):
    def step():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for frame in (made / name).glob(f"frame_{frames}.dng"):
            if not (folder / name / frame.name).exists():
                shutil.copy2(frame, folder / name)

    return step


def test_bursts_are_processed_as_they_arrive_and_only_once(watch, run, made, tmp_path):
    card, out = tmp_path / "card", tmp_path / "out"
    card.mkdir()
    steps = [nothing, arrive(made, "apple", card), nothing, nothing, arrive(made, "birch", card, "00[01]"), nothing, nothing]
    steps += [arrive(made, "birch", card), nothing, nothing]
    status, text, err = watch(card, out, "--report", steps=steps)
    assert status == 0 and "ended: 2 done" in err and text.count(" frames -> ") == 3 and "birch: 2 frames" in text and "birch: 4 frames" in text
    assert len(json.loads((out / "birch.json").read_text())["frames"]) == 4
    assert {entry.burst: entry.status for entry in read(out / NAME)} == {"apple": "done", "birch": "done"}
    before = contents(out)
    status, text, _ = run("process", card, "-o", out, "--report")
    assert status == 0 and text.count("already processed") == 2 and contents(out).keys() == before.keys()
    status, text, err = watch(card, out, "--report", steps=[nothing] * 3)
    assert status == 0 and text.count("already processed") == 2 and "ended: 2 skipped" in err


def test_bad_files_and_failures_are_named_and_watching_goes_on(watch, made, tmp_path):
    card, out = tmp_path / "card", tmp_path / "out"
    card.mkdir()
    (out / "apple.json").mkdir(parents=True)

    def bad():
        (card / "cut.dng").write_bytes(b"II*\0")

    status, text, err = watch(
        card, out, steps=[bad, nothing, nothing, arrive(made, "apple", card), nothing, nothing, arrive(made, "birch", card, "000"), nothing, nothing]
    )
    assert status == 1 and err.count("cut.dng") == 1 and "apple: FAILED" in err and "birch: 1 frames" in text and "ended: 1 done, 1 failed" in err


def test_a_flat_folder_keeps_its_names(watch, made, tmp_path):
    card, out = tmp_path / "card", tmp_path / "out"

    def first():
        card.mkdir(exist_ok=True)
        shutil.copy2(made / "cedar" / "frame_000.dng", card / "IMG_1.dng")

    first()
    status, _, _ = watch(card, out, steps=[nothing, nothing])
    assert status == 0 and sorted(contents(out)) == ["IMG_1.dng", "IMG_1.jpg", "IMG_1.json"]


@pytest.mark.parametrize(
    ("options", "message"), [(("--wait", "-1"), "--wait must be"), (("--interval", "0"), "--interval must be"), (("--jobs", "0"), "--jobs")]
)
def test_what_cannot_be_watched_is_a_usage_error(run, tmp_path, options, message):
    status, _, err = run("watch", tmp_path, "-o", tmp_path / "out", *options)
    assert status == 2 and message in err
    assert run("watch", tmp_path / "none", "-o", tmp_path / "out")[0] == 2
