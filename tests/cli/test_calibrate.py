"""`burstsr calibrate`, and what `process`, `simulate` and `inspect` do with what it writes."""

import json
import os
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from burstsr.core.noise import Noise
from burstsr.core.srgb import SRGB_TO_XYZ
from burstsr.io.dng import write_cfa_dng
from burstsr.profiles.files import read_record, write_record
from burstsr.profiles.records import DefectRecord, LensRecord, NoiseRecord
from calibration.synthetic import chart_frame, edge_frames, flat_frames

DATE = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of profiles."""
    monkeypatch.setenv("BURSTSR_PROFILES", str(tmp_path / "profiles"))
    return tmp_path / "profiles"


def written(frames, folder, prefix):
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, frame in enumerate(frames):
        paths.append(folder / f"{prefix}_{i:02d}.dng")
        frame.mosaic[0, 0] -= i  # or saturated frames are copies of each other
        info = replace(frame.info, colour=replace(frame.info.colour, xyz_to_camera=np.linalg.inv(SRGB_TO_XYZ)))
        write_cfa_dng(paths[-1], replace(frame, info=info))
    return paths


@pytest.fixture(scope="session")
def flats(tmp_path_factory):
    """A folder of flats at six exposures, and one of darks."""
    rng, noise, place = np.random.default_rng(0), Noise.of_iso(100), tmp_path_factory.mktemp("flats")
    for k, group in enumerate(flat_frames((0.005, 0.02, 0.08, 0.2, 0.45, 0.8), noise, rng, iso=100, shape=(192, 256))):
        written(group, place / "flats", f"flat_{k}")
    written(flat_frames((0.0,), noise, rng, iso=100, shape=(192, 256), frames=4)[0], place / "darks", "dark")
    return place


def test_noise_from_flats(run_json, flats, folder, tmp_path):
    status, found = run_json("calibrate", "noise", flats / "flats", "--darks", flats / "darks", "-o", tmp_path / "p.json")
    assert status == 0 and found["method"] == "photon transfer" and found["kind"] == "noise"
    record = json.loads((tmp_path / "p.json").read_text())
    assert record["alpha"] == found["alpha"] == pytest.approx(Noise.of_iso(100).alpha.tolist(), rel=0.05)
    assert record["beta"] == pytest.approx(Noise.of_iso(100).beta.tolist(), rel=0.1)
    assert len(record["alpha_error"]) == 3 and record["camera"] and record["iso"] == 100 and record["units"]["alpha"]
    assert np.ravel(record["black_dn"]) == pytest.approx(512, abs=0.5)
    assert not folder.exists()


def test_darks_that_show_light_are_refused(run, flats, bursts, folder, tmp_path):
    """Bright frames as darks gave a black level in the middle of the scale; a scene is named as such, and so are swapped arguments."""
    photographs = sorted((bursts / "apple").glob("*.dng"))
    bright = sorted((flats / "flats").glob("flat_4*.dng"))
    for darks, message in ((bright, "are they swapped?"), (photographs, "not a dark frame")):
        for more in (), ("--method", "flats"):
            status, _, err = run("calibrate", "noise", flats / "flats", "--darks", *darks, "-o", tmp_path / "p.json", *more)
            assert status == 1 and darks[0].name in err and (message in err or "do not match" in err)
    status, _, err = run("calibrate", "noise", flats / "darks", "--darks", flats / "flats", "-o", tmp_path / "p.json", "--method", "flats")
    assert status == 1 and "are they swapped?" in err
    status, _, err = run("calibrate", "defects", bursts / "apple", "--method", "darks", "-o", tmp_path / "p.json")
    assert status == 1 and "not a dark frame" in err and not (tmp_path / "p.json").exists()


def test_darks_with_a_burst_are_reported_not_dropped(run, flats, bursts, folder):
    status, _, err = run("calibrate", "noise", bursts / "apple", "--darks", flats / "darks")
    assert status == 2 and "is not a flat field" in err and "--darks require flat fields" in err
    assert run("calibrate", "noise", bursts / "apple", "--darks", flats / "darks", "--method", "burst")[0] == 2


@pytest.mark.parametrize(("levels", "message"), [((0.002, 0.01, 0.02), "flats are too dark"), ((2.2, 2.6, 3.0), "flats are saturated")])
def test_flats_without_information_are_refused(run, folder, tmp_path, levels, message):
    for k, group in enumerate(flat_frames(levels, Noise.of_iso(100), np.random.default_rng(0), iso=100, shape=(96, 128))):
        written(group, tmp_path / "flats", f"flat_{k}")
    status, _, err = run("calibrate", "noise", tmp_path / "flats", "--method", "flats")
    assert status == 1 and message in err and "flat_" in err


def test_flats_of_one_iso_that_fail_do_not_cost_the_others(run_json, flats, folder, tmp_path):
    other = flat_frames((0.2,), Noise.of_iso(800), np.random.default_rng(0), iso=800, shape=(192, 256))[0]
    paths = written(other, tmp_path / "other", "other")
    status, found = run_json("calibrate", "noise", flats / "flats", *paths, "--method", "flats")
    assert status == 1 and found["iso"] == 100


@pytest.mark.parametrize("what", ["noise", "defects", "motion", "lens --burst"])
def test_a_saturated_burst_is_refused(run, folder, tmp_path, what):
    """It gave figures that nothing in it told."""
    frames = flat_frames((3.0,), Noise.of_iso(100), np.random.default_rng(0), frames=5, shape=(64, 64))[0]
    written(frames, tmp_path / "white", "white")
    status, _, err = run("calibrate", *what.split(), tmp_path / "white", "-o", tmp_path / "p.json")
    assert status == 1 and "white_00.dng" in err and "saturated" in err and not (tmp_path / "p.json").exists()


def test_noise_of_a_burst_goes_to_the_folder_and_is_used_where_files_have_none(run, run_json, bursts, folder, tmp_path):
    """A NoiseProfile of the files is the better witness; flat fields replace it, and so does a record that is named."""
    status, out, _ = run("calibrate", "noise", bursts / "apple")
    assert status == 0 and "alpha" in out and str(folder) in out
    assert run_json("calibrate", "list")[1]["profiles"][0]["iso"] == 200
    run("process", bursts / "apple", "-o", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "apple.json").read_text())
    assert report["noise"]["source"] == "NoiseProfile" and "known" not in report
    assert {"evenness", "expected_gain_db", "coverage"} <= set(report)
    path = next(folder.iterdir())
    record = read_record(path)
    write_record(path, replace(record, method="photon transfer", black_dn=None))
    run("process", bursts / "apple", "-o", tmp_path / "flats")
    report = json.loads((tmp_path / "flats" / "apple.json").read_text())
    assert report["noise"]["alpha"] == list(record.alpha) and str(folder) in report["noise"]["source"] == f"profile {report['known']['noise']}"
    run("process", bursts / "apple", "-o", tmp_path / "without", "--profile", "none")
    report = json.loads((tmp_path / "without" / "apple.json").read_text())
    assert report["noise"]["source"] == "NoiseProfile" and "known" not in report


def test_noise_of_a_table(run_json, folder, tmp_path):
    table = tmp_path / "t.json"
    table.write_text(json.dumps({"noiseprofiles": [{"maker": "M", "models": [{"model": "X", "profiles": [{"iso": 100, "a": [1e-5] * 3, "b": [1e-7] * 3}]}]}]}))
    status, found = run_json("calibrate", "noise", "--table", table, "--camera", "M X", "--iso", "200")
    assert status == 0 and found["alpha"] == pytest.approx([2e-5] * 3) and found["file"] == str(folder / "m-x-noise-iso200.json")


def test_a_wrong_profile_is_reported(run, bursts, folder, tmp_path):
    wrong = NoiseRecord("burstsr simulated", 200.0, DATE, "burst", tuple(4 * Noise.of_iso(200).alpha), tuple(4 * Noise.of_iso(200).beta))
    write_record(tmp_path / "wrong.toml", wrong)
    status, out, err = run("process", bursts / "apple", "-o", tmp_path / "out", "--profile", tmp_path / "wrong.toml")
    assert status == 0 and " of the NoiseProfile" in out, err
    report = json.loads((tmp_path / "out" / "apple.json").read_text())
    assert "NoiseProfile may be wrong" in report["noise"]["noise_warning"] and report["noise"]["alpha"] == list(wrong.alpha)
    assert report["settings_asked"]["profile"] == [str(tmp_path / "wrong.toml")]


def test_lens_and_defects_are_used(run, bursts, folder, tmp_path):
    write_record(tmp_path / "lens.json", LensRecord("burstsr simulated", 0.0, DATE, "slanted edge", 0.4, lateral_red=(1e-3, 0.0)))
    defects = DefectRecord("burstsr simulated", 0.0, DATE, "darks", (80, 96), ((3, 4), (5, 7)), (), row_offset_dn=(0.5,) * 80)
    write_record(tmp_path / "defects.json", defects)
    options = ("--profile", tmp_path / "lens.json", "--profile", tmp_path / "defects.json")
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out", "--mode", "best", "--set", "reconstruct.outer_iterations=1", *options)
    assert status == 0, err
    report = json.loads((tmp_path / "out" / "apple.json").read_text())
    assert report["settings"]["reconstruct"]["psf_sigma_px"] == 0.4 and report["defects_repaired"] >= 2
    assert set(report["known"]) == {"lens", "defects"} and report["lateral"]["source"] == "lens record"
    write_record(tmp_path / "defects.json", replace(defects, shape=(10, 10), hot=(), dead=(), row_offset_dn=None, column_offset_dn=None))
    status, _, err = run("process", bursts / "birch", "-o", tmp_path / "out", "--profile", tmp_path / "defects.json")
    assert status == 1 and "defects of 10 x 10 pixels" in err


def test_motion_that_is_given_is_used(run, bursts, folder, tmp_path):
    truth = bursts / "apple" / "truth.json"
    motions = json.loads(truth.read_text())["motions"]
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out", "--motion", truth, "--reference", "2")
    assert status == 0, err
    report = json.loads((tmp_path / "out" / "apple.json").read_text())
    assert "align" not in report["seconds"] and report["reference"] == 2
    assert report["frames"][0]["motion_px"] == pytest.approx([-motions[2]["dy_px"], -motions[2]["dx_px"]], abs=0.02)
    (tmp_path / "short.json").write_text(json.dumps(motions[:2]))
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out2", "--motion", tmp_path / "short.json")
    assert status == 1 and "2 motions" in err and "4 frames" in err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("calibrate", "noise"), "PATH"),
        (("calibrate", "noise", "--table", "t.json"), "--camera"),
        (("calibrate", "motion"), "--gyro"),
        (("calibrate", "motion", "--gyro", "g.txt"), "--focal-px"),
        (("calibrate", "jiggle", "--frames", "1"), "--frames must be between 2 and 1000, not 1"),
        (("calibrate", "noise", "nowhere"), "no such file"),
        (("process", "nowhere", "-o", "out", "--profile", "none", "--profile", "x"), "--profile none"),
        (("process", "nowhere", "-o", "out", "--profile", "x"), "x: no such file"),
        (("calibrate", "lens", "x", "--roi", "1,2,3"), "X,Y,W,H"),
        (("calibrate", "lens", "x", "--field", "--burst"), "--field"),
        (("calibrate", "lens", "x", "--field", "--window", "2"), "--window"),
        (("calibrate", "colour", "x", "--corners", "1,2,3"), "eight numbers"),
    ],
)
def test_wrong_usage(run, folder, argv, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*argv)
    assert status == 2 and message in err


def test_lens_from_an_edge(run_json, folder, tmp_path):
    paths = written(edge_frames(0.5, Noise.of_iso(100), np.random.default_rng(1)), tmp_path / "edge", "edge")
    status, found = run_json("calibrate", "lens", *paths, "-o", tmp_path / "lens.toml")
    assert status == 0 and found["psf_sigma_px"] == pytest.approx(0.5, rel=0.05)
    assert read_record(tmp_path / "lens.toml").psf_sigma_px == found["psf_sigma_px"]


def test_lens_over_the_field(run_json, folder, tmp_path):
    (path,) = written([chart_frame(0.5, Noise.of_iso(100), np.random.default_rng(1), shape=(192, 240))], tmp_path / "chart", "chart")
    status, found = run_json("calibrate", "lens", "--field", path, "-o", tmp_path / "lens.json")
    assert status == 0 and len(found["places"]) >= 3 and read_record(tmp_path / "lens.json").psf_sigma_px == found["psf_sigma_px"]


def test_defects_from_darks(run_json, flats, folder):
    status, found = run_json("calibrate", "defects", flats / "darks")
    assert status == 0 and found["method"] == "darks" and found["hot"] == [] and found["file"].startswith(str(folder))


def test_jiggle_feeds_simulate_and_process(run, run_json, folder, tmp_path, bursts):
    status, found = run_json("calibrate", "jiggle", "--frames", "16", "--scale", "2", "--focal-px", "3000", "-o", tmp_path / "j.json")
    assert status == 0 and len(found["motions"]) == len(found["angles_rad"]) == 16
    from burstsr.simulate import read_motions

    assert len(read_motions(tmp_path / "j.json")) == 16
    status, out, _ = run("calibrate", "jiggle", "--frames", "16")
    assert status == 0 and out.splitlines()[0].split()[:2] == ["frame", "dy"] and not folder.exists()


def test_motion_of_bursts(run_json, bursts, folder, tmp_path):
    status, found = run_json("calibrate", "motion", bursts, "-o", tmp_path / "m.json")
    assert status == 0 and found["bursts"] == 3 and len(found["motions"]) == 4


def test_inspect_reports_what_motion_gains(run, run_json, bursts, folder):
    status, out, _ = run("inspect", bursts / "apple")
    assert status == 0 and "expected gain" in out
    assert "expected gain" not in run("inspect", bursts)[1]
    assert run("inspect", bursts, "--coverage")[1].count("expected gain") == 3
    assert run_json("inspect", bursts / "apple")[1]["bursts"][0]["coverage"]["evenness"] > 0.3
    for number in (1, 2, 3):
        data = (bursts / "birch" / "frame_000.dng").read_bytes()
        again = data.replace(b"2025:01:01 12:00:00", b"2025:01:01 12:00:0%d" % number)  # a later frame of the same, no copy
        (bursts / "birch" / f"frame_00{number}.dng").write_bytes(again)
    assert "tripod" in run("inspect", bursts / "birch")[1]


@pytest.mark.skipif(find_spec("matplotlib") is not None, reason="matplotlib is here")
def test_plots_without_matplotlib_say_what_to_install(run, folder):
    status, _, err = run("calibrate", "jiggle", "--frames", "16", "--plot")
    assert status == 2 and "burstsr[plots]" in err


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib (extra plots) not here")
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_plots(run, flats, folder, tmp_path, kind):
    edges = written(edge_frames(0.5, Noise.of_iso(100), np.random.default_rng(1)), tmp_path / "edge", "edge")
    chart = written([chart_frame(0.5, Noise.of_iso(100), np.random.default_rng(1), shape=(192, 240))], tmp_path / "chart", "chart")
    runs = (("noise", flats / "flats"), ("lens", *edges), ("lens", "--field", *chart), ("defects", flats / "darks"), ("jiggle", "--frames", "16"))
    for what in runs:
        path = tmp_path / f"{what[0]}.json"
        status, _, err = run("calibrate", *what, "-o", path, "--plot", kind)
        assert status == 0, err
        assert os.path.getsize(path.with_suffix(f".{kind}")) > 2000
