"""One unreadable or damaged frame costs that frame, not the burst."""

import json

import pytest

from burstsr.batch.damage import without_damaged_frames
from burstsr.batch.job import Job
from burstsr.core.errors import BurstError, InputFileError
from burstsr.settings import Settings


def spoil(frame):
    """Damage the pixels of a frame, of which its tags know nothing: the file's size stays."""
    data = bytearray(frame.read_bytes())
    at = data.index(b"\xff\xc3")  # head of a lossless JPEG tile
    data[at : at + 2] = b"\xff\xd9"
    frame.write_bytes(data)
    return frame


@pytest.fixture
def spoilt(bursts):
    return spoil(bursts / "birch" / "frame_002.dng")


def job_of(folder, **settings):
    paths = tuple(sorted(folder.glob("*.dng")))
    return Job(folder.name, paths, folder / "out", ("dng", "jpg"), Settings(**settings), tuple(path.name for path in paths))


def test_a_frame_damaged_in_its_pixels_costs_that_frame(run, run_json, bursts, spoilt, tmp_path):
    (bursts / "cedar").rename(tmp_path / "cedar")
    status, out, err = run("process", bursts, "-o", tmp_path / "out", "--reference", 3)
    assert status == 1 and "birch: 3 frames ->" in out and "apple: 4 frames ->" in out
    assert "birch: made without a damaged frame" in err and str(spoilt) in err
    record = json.loads((tmp_path / "out" / "birch.json").read_text())
    assert [frame["file"] for frame in record["frames"]] == ["frame_000.dng", "frame_001.dng", "frame_003.dng"]
    assert record["frames"][record["reference"]]["file"] == "frame_003.dng"  # the one that was asked for
    assert len(record["fingerprints"]) == 4 and len(record["damaged_frames"]) == 1 and record["settings_asked"]["reference"] == 3
    status, result = run_json("process", bursts, "-o", tmp_path / "out", "--reference", 3)
    assert status == 1 and [b["status"] for b in result["bursts"]] == ["skipped", "skipped"]
    assert [len(b["damaged"]) for b in result["bursts"]] == [0, 1]


def test_motions_of_damaged_frames_are_left_out(run, bursts, spoilt, tmp_path):
    truth = json.loads((bursts / "birch" / "truth.json").read_text())
    motion = tmp_path / "motion.json"
    assert run("calibrate", "jiggle", "--frames", 4, "-o", motion)[0] == 0
    status, _, err = run("process", bursts / "birch", "-o", tmp_path / "out", "--motion", motion)
    assert status == 1 and str(spoilt) in err and len(truth["frames"]) == 4
    record = json.loads((tmp_path / "out" / "birch.json").read_text())
    asked = [(m["dy_px"], m["dx_px"]) for m in json.loads(motion.read_text())["motions"]]
    moved = [frame["motion_px"] for frame in record["frames"]]
    assert moved[2] == pytest.approx([a - b for a, b in zip(asked[3], asked[0], strict=True)], abs=0.01)


def test_what_is_left_of_a_job(bursts, spoilt):
    job = job_of(bursts / "birch", reference=3)
    sound, burst = without_damaged_frames(job, "why")
    assert (sound.omitted, sound.job.settings.reference, len(burst), burst.name) == ((2,), 2, 3, "birch")
    assert sound.job.paths == tuple(path for path in job.paths if path != spoilt) and sound.job.fingerprints == job.fingerprints
    with pytest.raises(BurstError, match=r"reference frame is damaged.*frame_002\.dng"):
        without_damaged_frames(job_of(bursts / "birch", reference=2), "why")


def test_a_burst_fails_where_no_frame_is_left_or_none_is_to_blame(bursts):
    with pytest.raises(InputFileError, match="why"):
        without_damaged_frames(job_of(bursts / "apple"), "why")
    for path in (bursts / "apple").glob("*.dng"):
        spoil(path)
    with pytest.raises(BurstError, match=r"no frame can be read.*frame_000\.dng.*3 more"):
        without_damaged_frames(job_of(bursts / "apple"), "why")
    job = job_of(bursts / "birch")
    job.paths[1].unlink()
    with pytest.raises(InputFileError, match="why"):  # gone, not damaged
        without_damaged_frames(job, "why")


def test_coverage_is_that_of_the_sound_frames(run_json, run, bursts, spoilt):
    status, out, err = run("inspect", bursts / "birch")
    assert status == 1 and "birch: coverage" in out and str(spoilt) in err


def test_pixels_that_were_never_written_are_damage(data):
    from burstsr.io.raw import read_frame

    with pytest.raises(InputFileError, match="pixel data is missing"):
        read_frame(data / "raw_more" / "traps" / "no_pixels.dng")
