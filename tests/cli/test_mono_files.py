"""Monochrome bursts from files to files, from the command line."""

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from burstsr.core.noise import Noise
from burstsr.io.dng import write_cfa_dng
from burstsr.io.linear_dng import read_linear_dng
from burstsr.simulate import SimulateSettings, simulate_burst


@pytest.fixture(scope="module")
def burst():
    from cli.conftest import scene

    settings = SimulateSettings(cfa="mono", frames=4, noise=Noise(np.array([2e-4]), np.array([1e-6])), deviation_px=1.0)
    return simulate_burst(scene(3, 112, 128), settings, np.random.default_rng(3), "grey").burst


@pytest.fixture(params=["dng", "tiff", "pages", "fits"])
def folder(request, burst, tmp_path):
    inside = tmp_path / "grey"
    inside.mkdir()
    mosaics = [frame.mosaic for frame in burst]
    if request.param == "pages":
        tifffile.imwrite(inside / "stack.tif", np.stack(mosaics), photometric="minisblack")
    for n, frame in enumerate(burst):
        if request.param == "dng":
            write_cfa_dng(inside / f"frame_{n}.dng", frame)
        elif request.param == "tiff":
            tifffile.imwrite(inside / f"frame_{n}.tif", frame.mosaic)
        elif request.param == "fits":
            pytest.importorskip("astropy.io.fits").PrimaryHDU(frame.mosaic).writeto(inside / f"frame_{n}.fits")
    return inside


def test_every_output_has_one_channel_and_is_no_frame(run_json, folder, tmp_path):
    pytest.importorskip("astropy")
    out = folder / "out"  # below the frames: results must not become frames of the next run
    asked = [word for kind in ("png", "tiff", "tiff32", "fits") for word in ("--format", kind)]
    status, told = run_json("process", folder, "-o", out, *asked, "--scale", "1.5")
    assert status == 0 and [(b["name"], b["frames"], b["status"]) for b in told["bursts"]] == [("grey", 4, "done")]
    shape = (round(1.5 * 56), round(1.5 * 64))
    assert read_linear_dng(out / "grey.dng").rgb.shape == (*shape, 1)
    assert imageio.imread(out / "grey.png").shape == tifffile.imread(out / "grey.tif").shape == tifffile.imread(out / "grey.linear.tif").shape == shape
    from astropy.io import fits

    with fits.open(out / "grey.fits") as file:
        assert [unit.data.shape for unit in file] == [shape] * 3
        np.testing.assert_allclose(np.clip(file["SCI"].data, 0, 1), read_linear_dng(out / "grey.dng").rgb[..., 0], atol=1e-5)
    status, told = run_json("process", folder, "-o", out, *asked, "--scale", "1.5")
    assert status == 0 and [b["status"] for b in told["bursts"]] == ["skipped"] and not told["refused"]


def test_a_format_added_later_comes_from_the_dng(run_json, burst, tmp_path):
    for n, frame in enumerate(burst):
        (tmp_path / "grey").mkdir(exist_ok=True)
        write_cfa_dng(tmp_path / "grey" / f"frame_{n}.dng", frame)
    assert run_json("process", tmp_path / "grey", "-o", tmp_path / "out")[0] == 0
    status, told = run_json("process", tmp_path / "grey", "-o", tmp_path / "out", "--format", "png")
    assert status == 0 and imageio.imread(tmp_path / "out" / "grey.png").ndim == 2
    assert told["bursts"][0]["advice"].startswith("grey.png made from grey.dng") or told["bursts"][0]["status"] == "done"


def test_a_single_monochrome_frame_is_upscaled(run, burst, tmp_path):
    write_cfa_dng(tmp_path / "frame.dng", burst.frames[0])
    assert run("single", tmp_path / "frame.dng", "-o", tmp_path / "out", "--model", "bicubic")[0] == 0
    made = read_linear_dng(tmp_path / "out" / "frame.dng").rgb
    samples = (burst.frames[0].mosaic - burst.info.levels.black[0, 0]) * burst.info.levels.scale()[0, 0]
    assert made.shape == (4 * 56, 4 * 64, 1)
    np.testing.assert_allclose(made[..., 0].reshape(56, 4, 64, 4).mean(axis=(1, 3))[4:-4, 4:-4], np.clip(samples, 0, 1)[4:-4, 4:-4], atol=0.1)


def test_darks_apply_to_dngs_too(run_json, burst, tmp_path):
    rng = np.random.default_rng(0)
    glow = np.zeros(burst.info.shape)
    glow[20:40, 30:60] = 150  # DN
    for n, frame in enumerate(burst):
        black = frame.info.levels.black.mean()
        for name, mosaic in (("lights", frame.mosaic + glow), ("darks", black + glow + rng.normal(0, 1, glow.shape))):
            (tmp_path / name).mkdir(exist_ok=True)
            write_cfa_dng(tmp_path / name / f"frame_{n}.dng", frame.with_mosaic(np.rint(mosaic).astype(np.uint16)))
        (tmp_path / "clean").mkdir(exist_ok=True)
        write_cfa_dng(tmp_path / "clean" / f"frame_{n}.dng", frame)
    images = {}
    for name, options in (("clean", ()), ("lights", ("--darks", tmp_path / "darks"))):
        status, told = run_json("process", tmp_path / name, "-o", tmp_path / "out", "--scale", "1", "--reference", "0", *options)
        assert status == 0 and told["bursts"][0]["frames"] == 4
        images[name] = read_linear_dng(tmp_path / "out" / f"{name}.dng").rgb
    assert abs(np.median((images["lights"] - images["clean"])[20:40, 30:60])) < 5e-4  # 150 DN are 0.9 % of saturation
    assert run_json("process", tmp_path / "lights", "-o", tmp_path / "out")[1]["bursts"][0]["reason"].endswith(
        "with other settings; use --overwrite to replace"
    )


def test_darks_that_do_not_fit_are_refused_by_name(run, burst, make_dark, tmp_path):
    (tmp_path / "lights").mkdir()
    write_cfa_dng(tmp_path / "lights" / "frame.dng", burst.frames[0])
    status, _, err = run("process", tmp_path / "lights", "-o", tmp_path / "out", "--darks", make_dark(burst, (64, 64)))
    assert status == 1 and "dark.dng: no dark frame for" in err and "size" in err
    status, _, err = run("process", tmp_path / "lights", "-o", tmp_path / "out", "--flats", tmp_path / "nowhere")
    assert status == 2 and "--flats: no such file or folder" in err


@pytest.fixture
def make_dark(tmp_path):
    from dataclasses import replace

    def make(burst, shape):
        path = tmp_path / "darks" / "dark.dng"
        path.parent.mkdir()
        mosaic = np.full(shape, 520, np.uint16)
        mosaic[::2] += 1
        write_cfa_dng(path, replace(burst.frames[0], info=replace(burst.info, shape=shape), mosaic=mosaic))
        return path.parent

    return make


def test_monochrome_frames_are_inspected_and_calibrated(run_json, burst, rng, tmp_path):
    for n, frame in enumerate(burst):
        (tmp_path / "grey").mkdir(exist_ok=True)
        write_cfa_dng(tmp_path / "grey" / f"frame_{n}.dng", frame)
    status, told = run_json("inspect", tmp_path / "grey", "--align")
    assert status == 0 and len(told["bursts"][0]["scenes"]) == 1 and told["bursts"][0]["coverage"]["expected_gain_db"] > 0
    assert run_json("calibrate", "motion", tmp_path / "grey")[0] == 0


def test_photon_transfer_of_monochrome_flats(rng):
    from burstsr.core.burst import Burst
    from calibration.photon_transfer import photon_transfer

    def exposures(electrons):
        return Burst.from_arrays(
            [np.rint(500 + rng.poisson(electrons, (96, 96)) / 2 + rng.normal(0, 3, (96, 96))).astype(int) for _ in range(3)], "mono"
        ).frames

    record = photon_transfer([exposures(20000), exposures(60000)], exposures(0))
    np.testing.assert_allclose(record.gain_e_per_dn, [2, 2, 2], rtol=0.05)
    np.testing.assert_allclose(record.black_dn, 500, atol=0.3)
    np.testing.assert_allclose(record.read_noise_dn, [3, 3, 3], rtol=0.05)


def test_a_simulated_burst_is_processed_and_compared(run, run_json, tmp_path):
    imageio.imwrite(tmp_path / "scene.png", np.repeat(np.arange(0, 240, dtype=np.uint8)[None, :, None], 200, 0).repeat(3, 2))
    assert run("simulate", tmp_path / "scene.png", "-o", tmp_path / "in", "--frames", "3", "--cfa", "mono")[0] == 0
    assert run("process", tmp_path / "in", "-o", tmp_path / "out")[0] == 0
    status, told = run_json("compare", tmp_path / "out" / "scene.dng", tmp_path / "in" / "scene" / "truth.tif")
    assert status == 0 and told["psnr_srgb"] > 35


def test_every_exposure_of_a_bracket_gets_its_own_dark(rng, tmp_path):
    from dataclasses import replace

    from burstsr.batch.calibration_frames import CalibrationFrames, calibration_of
    from burstsr.core.burst import Burst
    from burstsr.io.raw import read_info
    from burstsr.profiles.apply import CalibrationInputs

    plain = Burst.from_arrays([np.zeros((64, 64), int)], "mono", black=100, white=4095).frames[0]
    frames, files = [], []
    for n, seconds in enumerate((1.0, 4.0)):
        info = replace(plain.info, exposure_s=seconds, path=tmp_path / f"light_{n}.dng")
        dark = 100 + 50 * seconds + rng.normal(0, 1, (64, 64))
        frames.append(replace(plain, info=info, mosaic=np.rint(dark + 1000 * seconds / 4).astype(np.uint16)))
        files.append(tmp_path / f"dark_{n}.dng")
        write_cfa_dng(files[-1], replace(plain, info=info, mosaic=np.rint(100 + 50 * seconds + rng.normal(0, 1, (64, 64))).astype(np.uint16)))
    found = calibration_of(CalibrationInputs(darks=tuple(files)))(Burst("bracket", tuple(frames)))
    for frame, light in zip(found.burst, (250, 1000), strict=True):
        x = (frame.mosaic - frame.info.levels.black[0, 0]) * frame.info.levels.scale()[0, 0]
        assert np.median(x) == pytest.approx(light / (4095 - 100 - 50 * frame.info.exposure_s), rel=0.01)
    assert "1 s" in found.sources["darks"] and "4 s" in found.sources["darks"] and CalibrationFrames(darks=tuple(map(read_info, files))).paths


def test_a_wrong_order_of_filters_is_reported(run_json, tmp_path):
    from cli.conftest import scene

    warm = (scene(5, 320, 384) * [1.0, 0.8, 0.2]).astype(np.uint8)
    frame = simulate_burst(warm, SimulateSettings(frames=2), np.random.default_rng(5), "wrong").burst.frames[0]
    write_cfa_dng(tmp_path / "frame.dng", frame.with_info(frame.info.__class__(**{**vars(frame.info), "cfa": "GBRG"})))
    status, told = run_json("process", tmp_path / "frame.dng", "-o", tmp_path / "out", "--scale", "1")
    assert status == 0 and "GBRG, contradicts the pixels" in told["bursts"][0]["advice"]
