"""The pipeline as a whole, against simulated truth."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of
from tolerances import BEST_MIRRORED_PSNR_DB, CFA_ORDERS_PSNR_DB

from burstsr import Settings, super_resolve
from burstsr.core.burst import Burst, Colour
from burstsr.core.errors import SettingsError
from burstsr.core.flow import Flow
from burstsr.demosaic import demosaic, upscale
from burstsr.quality.image_error import psnr_linear
from burstsr.settings import RobustnessSettings, read_settings
from burstsr.simulate import FrameMotion, SimulateSettings, simulate_burst

FIRST = Settings(reference=0, measure_noise=False)  # for tests that look at pixels alone


def scene(height=256, width=320, seed=3):
    """A image with edges, texture, flats and colour, uint8 sRGB."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = np.full((height, width, 3), 90.0)
    for _ in range(25):
        cy, cx, r = generator.uniform(0, height), generator.uniform(0, width), generator.uniform(5, 45)
        inside = (np.abs(y - cy) + 0.4 * (x - cx) < r) & (np.abs(x - cx) < r)
        out[inside] = generator.uniform(10, 245, 3)
    out[:, : width // 3] += 30 * np.sin(x[:, : width // 3] * 0.9 + y[:, : width // 3] * 0.5)[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def simulated(seed=1, **settings):
    return simulate_burst(scene(), SimulateSettings(**{"frames": 6, "iso": 200, **settings}), np.random.default_rng(seed))


@pytest.fixture(scope="module")
def made():
    return simulated()


@pytest.fixture(scope="module")
def first(made):
    return super_resolve(made.burst, FIRST)


def test_a_burst_beats_its_best_single_frame(made, first):
    image = super_resolve(made.burst)
    single = upscale(demosaic(made.burst.frames[0]), 2.0)
    assert psnr_linear(first.image, made.truth, 16) > psnr_linear(single, made.truth, 16) + 1.0
    assert image.image.shape == made.truth.shape
    assert image.image.dtype == np.float32


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_any_scale(scale):
    burst = simulated(frames=3).burst
    image = super_resolve(burst, replace(FIRST, reference=None, scale=scale))
    height, width = burst.info.shape
    assert image.image.shape == (round(scale * height), round(scale * width), 3)
    assert np.isfinite(image.image).all()


@pytest.mark.parametrize("order", ["BGGR", "GRBG", "GBRG"])
def test_all_cfa_orders_give_the_same_image(made, first, order):
    """The same sensor mirrored: another CFA order, the same image mirrored."""
    axes = {"BGGR": (0, 1), "GRBG": (1,), "GBRG": (0,)}[order]
    mirrored = []
    for frame in made.burst:
        info = replace(frame.info, cfa=np.ascontiguousarray(np.flip(frame.info.cfa, axes)))
        mirrored.append(replace(frame, info=info, mosaic=np.ascontiguousarray(np.flip(frame.mosaic, axes))))
    other = Burst("mirrored", tuple(mirrored))
    assert other.info.cfa_order == order
    b = np.flip(super_resolve(other, FIRST).image, axes)
    assert psnr_linear(np.ascontiguousarray(b), first.image, 8) > CFA_ORDERS_PSNR_DB


@pytest.mark.parametrize("frames", [1, 2])
def test_one_or_two_frames_are_not_worse_than_a_demosaiced_one(frames):
    made = simulated(frames=frames)
    single = upscale(demosaic(made.burst.frames[0]), 2.0)
    image = super_resolve(made.burst, FIRST)
    assert psnr_linear(image.image, made.truth, 16) > psnr_linear(single, made.truth, 16) - 0.1


def test_saturated_places_never_tint():
    """Clipped light whose white balance differs from the sensor's: every channel is at saturation, none below."""
    y, x = np.mgrid[:96, :128]
    lamp = np.where(np.hypot(y - 48, x - 64) < 20, 5.0, 0.1)
    image = lamp[..., None] * np.array([0.5, 1.0, 0.7])
    images = [np.roll(image, (i, -i), (0, 1)) for i in range(4)]
    burst = burst_of(images, white=15000.0)
    result = super_resolve(burst, FIRST).image
    assert result.max() <= 1.0 + 1e-5
    np.testing.assert_allclose(result[80:112, 112:144], 1.0, atol=1e-3)


def test_a_mover_leaves_no_ghost():
    from burstsr.simulate.settings import MovingObject

    made = simulate_burst(scene(), SimulateSettings(frames=6, iso=100, moving_object=MovingObject()), np.random.default_rng(2))
    on = super_resolve(made.burst, FIRST).image
    off = super_resolve(made.burst, replace(FIRST, robustness=RobustnessSettings(enabled=False), safeguard=False)).image
    where = made.moving_object_mask_any_frame

    def error(image):
        return float(np.mean((image - made.truth)[where] ** 2))

    assert error(on) < 0.5 * error(off)


@pytest.mark.parametrize("shape", [(64, 64), (66, 130), (98, 64)])
def test_small_and_ragged_frames(shape, rng):
    y, x = np.mgrid[: shape[0], : shape[1]]
    images = [0.4 + 0.2 * np.sin(0.5 * (y - i * 0.4)) * np.cos(0.3 * (x + i * 0.3)) + rng.normal(0, 0.005, shape) for i in range(3)]
    image = super_resolve(burst_of(images), Settings(reference=0))
    assert np.isfinite(image.image).all()


def test_large_shifts_are_followed(data):
    import imageio.v3 as iio

    kodak = iio.imread(data / "testsets/Kodak24/08.png")
    motions = (FrameMotion(0, 0, 0), FrameMotion(9.3, 37.6, 0.001), FrameMotion(-12.1, -38.2, -0.002))
    made = simulate_burst(kodak, SimulateSettings(frames=3, iso=100, motion=motions), np.random.default_rng(0))
    report = super_resolve(made.burst, FIRST).report
    for facts, motion in zip(report["frames"], motions, strict=True):
        assert facts["motion_px"] == pytest.approx([motion.dy_px, motion.dx_px], abs=0.15)
        assert np.deg2rad(facts["rotation_deg"]) == pytest.approx(motion.rotation_rad, abs=3e-4)


CHANGES = [
    "align.iterations=0",
    "align.regularisation=0",
    "kernels.k_detail_px=0.6",
    "kernels.k_shrink=1",
    "robustness.threshold=0.9",
    "merge.back_projection_iterations=0",
    "merge.step_size=0.5",
    "merge.residual_snr_threshold=20",
    "merge.reference_detail_threshold=500",
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_stage_reaches_the_image(made, first, change):
    other = super_resolve(made.burst, read_settings(FIRST, None, [change])).image
    assert np.abs(first.image - other).max() > 1e-4


def test_the_same_burst_gives_the_same_image(made):
    np.testing.assert_array_equal(*(super_resolve(made.burst, replace(FIRST, reference=None)).image for _ in range(2)))


def test_report_is_json_and_complete(made):
    stages = []
    image = super_resolve(made.burst, Settings(), lambda stage, done, total: stages.append((stage, done, total)))
    report = json.loads(json.dumps(image.report.to_dict()))
    assert {"frames", "reference", "coverage", "noise", "settings", "seconds", "versions", "shape"} <= set(report)
    assert len(report["frames"]) == 6
    assert sum(f["reference"] for f in report["frames"]) == 1
    assert {"align", "robustness", "merge"} <= set(report["seconds"])
    assert stages[-1][1:] == (6, 6)


def test_a_reference_that_is_not_there():
    burst = burst_of([np.full((64, 64), 0.2)] * 2)
    with pytest.raises(SettingsError, match="reference must be between 0 and 1, not 2"):
        super_resolve(burst, Settings(reference=2))


def test_noise_left_is_what_is_left(rng):
    """On a flat scene the image's noise model agrees with its own variance within a factor of two."""
    from burstsr.core.noise import Noise

    noise = Noise.of_iso(800)
    level = 0.3
    burst = burst_of([level + np.sqrt(noise.variance(level, 1)) * rng.standard_normal((128, 128)) for _ in range(8)], noise=noise)
    image = super_resolve(burst, Settings(reference=0))
    for channel in range(3):
        measured = image.image[32:-32, 32:-32, channel].var()
        assert 0.5 < float(image.noise_model.variance(level, channel)) / measured < 2.0


def test_colour_gain_does_not_change_the_merge(made, first):
    """White balance belongs to finishing: the merged samples do not depend on it, but for the fallback's demosaicing."""
    other = Burst("b", tuple(replace(f, info=replace(f.info, colour=Colour(np.array([0.9, 1.0, 0.5])))) for f in made.burst))
    assert psnr_linear(first.image, super_resolve(other, FIRST).image) > 40


def test_known_motion_is_taken_as_it_is(made, first):
    from burstsr.core.flow import Flow
    from burstsr.simulate import flow_at

    height, width = made.burst.info.shape
    y, x = np.meshgrid((np.arange(-(-height // 16)) + 0.5) * 16 - 0.5, (np.arange(-(-width // 16)) + 0.5) * 16 - 0.5, indexing="ij")
    flows = [Flow(flow_at(m, np.stack([y, x], -1), (height, width)).astype(np.float32), 16) for m in made.motions]
    known = super_resolve(made.burst, FIRST, flows=flows)
    assert "align" not in known.report["seconds"]
    assert abs(psnr_linear(known.image, made.truth, 16) - psnr_linear(first.image, made.truth, 16)) < 0.3
    with pytest.raises(SettingsError, match="one per frame"):
        super_resolve(made.burst, FIRST, flows=flows[:2])
    with pytest.raises(SettingsError, match="the frame they refer to"):
        super_resolve(made.burst, Settings(), flows=flows)


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6, 7, 8])
def test_all_orientations_give_the_same_image(made, first, code):
    """A camera held another way: the sensor's frames turned or mirrored, the displayed image the same."""
    from burstsr.finish import finish, unorient
    from burstsr.settings import FinishSettings

    turned = []
    for frame in made.burst:
        mosaic = np.ascontiguousarray(unorient(frame.mosaic, code))
        colours = unorient(np.tile(frame.info.cfa, (frame.mosaic.shape[0] // 2, frame.mosaic.shape[1] // 2)), code)
        info = replace(frame.info, shape=mosaic.shape, cfa=np.ascontiguousarray(colours[:2, :2]), orientation=code)
        turned.append(replace(frame, info=info, mosaic=mosaic))
    a, b = (finish(result, FinishSettings()) for result in (first, super_resolve(Burst("turned", tuple(turned)), FIRST)))
    assert a.shape == b.shape
    assert psnr_linear(a, b, 8) > CFA_ORDERS_PSNR_DB - 4  # gamma-coded and sharpened: differences weigh more


@pytest.fixture(scope="module")
def best_of_four():
    burst = simulated(cfa="RGGB", frames=4).burst
    return burst, super_resolve(burst, replace(FIRST, mode="best")).image


@pytest.mark.parametrize("order", ["BGGR", "GRBG"])
def test_mirrored_bursts_are_reconstructed_alike(best_of_four, order):
    burst, a = best_of_four
    axes = {"BGGR": (0, 1), "GRBG": (1,)}[order]
    mirrored = []
    for frame in burst:
        info = replace(frame.info, cfa=np.ascontiguousarray(np.flip(frame.info.cfa, axes)))
        mirrored.append(replace(frame, info=info, mosaic=np.ascontiguousarray(np.flip(frame.mosaic, axes))))
    b = super_resolve(Burst("mirrored", tuple(mirrored)), replace(FIRST, mode="best")).image
    assert psnr_linear(np.ascontiguousarray(np.flip(b, axes)), a, 8) > BEST_MIRRORED_PSNR_DB


@pytest.mark.parametrize("shape", [(64, 64), (66, 98)])
def test_small_and_ragged_frames_are_reconstructed(shape, rng):
    y, x = np.mgrid[: shape[0], : shape[1]]
    images = [0.4 + 0.2 * np.sin(0.5 * (y - i * 0.4)) * np.cos(0.3 * (x + i * 0.3)) + rng.normal(0, 0.005, shape) for i in range(3)]
    for scale in (1.0, 1.7, 4.0):
        image = super_resolve(burst_of(images), replace(FIRST, mode="best", scale=scale, measure_noise=scale < 2))
        assert image.image.shape == (round(scale * shape[0]), round(scale * shape[1]), 3)
        assert np.isfinite(image.image).all()
        json.dumps(image.report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_outliers_of_the_reference_vanish(mode):
    """A bird and a satellite's trail in the reference alone: the result is nearly that of a burst without them."""
    made = simulated(frames=6, iso=400)
    first = made.burst.frames[0]
    y, x = np.mgrid[: first.info.shape[0], : first.info.shape[1]]
    where = (np.hypot(y - 40, x - 110) < 9) | (np.abs(y - 0.4 * x - 50) < 1.2)
    spoilt = first.with_mosaic(np.where(where, np.uint16(9000), first.mosaic))
    burst = Burst("spoilt", (spoilt, *made.burst.frames[1:]))
    inner = where & (np.minimum(x, first.info.shape[1] - 1 - x) > 8)  # at the border, fewer than three others may tell
    seen = np.repeat(np.repeat(inner, 2, 0), 2, 1)
    report, errors = {}, []
    for given in (made.burst, burst):
        image = super_resolve(given, replace(FIRST, mode=mode))
        report = image.report
        errors.append(float(np.mean((image.image - made.truth)[seen] ** 2)))
    assert errors[1] < 2 * errors[0]
    assert 0.01 < report["reference_mended"] < 0.4


def mixed(order):
    """A burst with a frame per letter, each letter a scene."""
    made = {letter: simulate_burst(scene(seed=ord(letter)), SimulateSettings(frames=len(order), iso=200), np.random.default_rng(1)).burst for letter in order}
    return Burst("mixed", tuple(made[letter].frames[i] for i, letter in enumerate(order)))


def test_frames_of_another_scene_are_named_and_not_used():
    burst = mixed("aababb"[:5])
    report = super_resolve(burst, Settings(scale=1.0)).report
    assert [frame["used"] for frame in report["frames"]] == [True, True, False, True, False]
    assert report["frames_used"] == 3
    assert report["frames_of_other_scenes"] == 2
    assert report["other_bursts"] == [["frame_002.dng", "frame_004.dng"]]
    assert "2 of 5 frames show another scene and were not used: frame_002.dng, frame_004.dng" in report["advice"]
    assert "frame_002.dng, frame_004.dng show the same scene: process them as a burst of their own" in report["advice"]
    assert report["provenance"]["how"].startswith("Merged from 3 raw frames")
    alone = super_resolve(Burst("a", tuple(burst.frames[i] for i in (0, 1, 3))), Settings(scale=1.0))
    np.testing.assert_array_equal(super_resolve(burst, Settings(scale=1.0)).image, alone.image)
    other = super_resolve(burst, Settings(scale=1.0, reference=4)).report
    assert other["reference"] == 4
    assert other["frames_used"] == 2


@pytest.mark.parametrize("order", ["a", "abcd"])
def test_one_frame_is_upscaled_not_merged_and_reported(order):
    report = super_resolve(mixed(order)).report
    assert report["frames_used"] == 1
    assert "one frame: upscaled, not merged" in report["advice"]
    assert "one frame: upscaled, not merged" in report["provenance"]["how"]
    assert report["provenance"]["digital_source_type"].endswith("digitalCapture")
    assert report["frames_of_other_scenes"] == len(order) - 1


def test_old_names_of_arguments_are_taken_with_a_warning(texture):
    y, x = np.mgrid[:64, :64].astype(float)
    burst = burst_of([texture(y, x)] * 2)
    flows = [Flow.zero((64, 64), 16)] * 2
    with pytest.warns(DeprecationWarning, match="known_flows is now called flows"):
        old = super_resolve(burst, Settings(scale=1.0, reference=0), known_flows=flows)
    np.testing.assert_array_equal(old.image, super_resolve(burst, Settings(scale=1.0, reference=0), flows=flows).image)
    with pytest.raises(SettingsError, match="one argument"):
        super_resolve(burst, Settings(scale=1.0, reference=0), flows=flows, known_flows=flows)
