from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of, frame_of

from burstsr import super_resolve
from burstsr.core.errors import SettingsError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.defects import find_defects, refilled, repair_pixels
from burstsr.settings import DefectSettings, Settings

NOISE = Noise.of_iso(400)


def burst_with(defects, rng, frames=5, still=False, **description):
    images = []
    for i in range(frames):
        scene = np.full((64, 64), 0.2)
        at = 30 if still else 30 + 2 * i
        y, x = np.mgrid[:64, :64]
        scene += 0.5 * np.exp(-((y - at) ** 2 + (x - 20.3) ** 2) / (2 * 0.8**2))  # a star
        images.append(scene + np.sqrt(NOISE.variance(scene, 1)) * rng.standard_normal(scene.shape))
    burst = burst_of(images, noise=NOISE, **description)
    for frame in burst:
        for y, x, dn in defects:
            frame.mosaic[y, x] = dn
    return burst


@pytest.mark.parametrize("cfa", ["RGGB", "X-Trans", "quad GRBG"])
def test_hot_and_dead_pixels_are_found_and_nothing_else(cfa, rng):
    defects = [(10, 11, 65535), (40, 41, 40000), (0, 0, 60000), (63, 62, 50000), (20, 50, 0)]
    burst = burst_with(defects, rng, cfa=cfa)
    found = find_defects(burst, NOISE, DefectSettings())
    assert {(int(y), int(x)) for y, x in found} == {(y, x) for y, x, _ in defects}


@pytest.mark.parametrize("cfa", ["RGGB", "X-Trans", "quad GRBG"])
def test_a_still_star_is_no_defect(cfa, rng):
    assert len(find_defects(burst_with([], rng, still=True, cfa=cfa), NOISE, DefectSettings())) == 0


@pytest.mark.parametrize("sigma", [0.5, 0.8])
def test_thirteen_frames_of_stars_that_hardly_drift_have_no_defect(sigma, rng):
    y, x = np.mgrid[:64, :64]
    stars = [(at + rng.uniform(-0.5, 0.5, 2), 10 ** rng.uniform(-1.5, -0.2)) for at in np.stack(np.mgrid[8:60:12, 8:60:12], -1).reshape(-1, 2)]
    images = []
    for _ in range(13):
        drift = rng.normal(0, 0.1, 2)
        scene = np.full((64, 64), 0.05)
        for at, height in stars:
            cy, cx = at + drift
            scene += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma**2))
        images.append(scene + np.sqrt(NOISE.variance(scene, 1)) * rng.standard_normal(scene.shape))
    assert len(find_defects(burst_of(images, noise=NOISE), NOISE, DefectSettings())) == 0


def test_defects_are_found_in_texture_that_moves_over_them(rng):
    texture = np.clip(0.3 + 0.12 * rng.standard_normal((140, 140)), 0.02, 0.9)
    shifts = rng.integers(0, 40, (13, 2))
    images = [texture[y : y + 96, x : x + 96] for y, x in shifts]
    burst = burst_of([image + np.sqrt(NOISE.variance(image, 1)) * rng.standard_normal(image.shape) for image in images], noise=NOISE)
    hot = [(12, 13), (30, 31), (50, 21), (71, 72), (80, 33), (41, 60), (22, 75), (63, 44)]
    for frame in burst:
        frame.mosaic[tuple(np.transpose(hot))] = 48000
    found = {(int(y), int(x)) for y, x in find_defects(burst, NOISE, DefectSettings())}
    assert found <= set(hot)
    assert len(found) >= len(hot) - 1


def test_a_defect_may_hide_in_some_of_many_frames(rng):
    burst = burst_with([(20, 41, 30000)], rng, frames=13)
    for k in (0, 4, 9):
        burst.frames[k].mosaic[18, 41] = 40000  # detail of the scene, brighter than the defect
    assert (20, 41) in {(int(y), int(x)) for y, x in find_defects(burst, NOISE, DefectSettings())}


def test_two_frames_or_repair_off_find_nothing(rng):
    assert len(find_defects(burst_with([(10, 11, 65535)], rng, frames=2), NOISE, DefectSettings())) == 0
    assert len(find_defects(burst_with([(10, 11, 65535)], rng), NOISE, DefectSettings(repair=False))) == 0


def test_a_flash_in_one_frame_is_no_defect(rng):
    burst = burst_with([], rng)
    burst.frames[2].mosaic[33, 33] = 65535
    assert len(find_defects(burst, NOISE, DefectSettings())) == 0


def test_repair_takes_the_neighbours_level_and_leaves_the_source(rng):
    burst = burst_with([(10, 11, 65535), (10, 13, 65535)], rng)
    frame = burst.frames[0]
    found = find_defects(burst, NOISE, replace(DefectSettings(), threshold_sigma=6.0))
    fixed = repair_pixels(frame, np.array([(10, 11), (10, 13)]))
    assert frame.mosaic[10, 11] == 65535
    level = (fixed.mosaic[10, [11, 13]] - 1024.0) / (65535 - 1024)
    assert np.abs(level - 0.2).max() < 0.05
    untouched = np.ones((64, 64), bool)
    untouched[10, [11, 13]] = False
    np.testing.assert_array_equal(fixed.mosaic[untouched], frame.mosaic[untouched])
    assert len(found) <= 2
    assert repair_pixels(frame, np.zeros((0, 2), np.int64)) is frame


def test_given_bad_pixels_are_not_repaired_where_repair_is_off(rng):
    """Issue 15, fault 13: `defects.repair=false` means what it says, for pixels that are given too."""
    burst = burst_with([(30, 30, 60000)], rng, frames=1)
    bad = np.array([(30, 30)])
    on, off = (super_resolve(burst, Settings(defects=DefectSettings(repair=r), measure_noise=False), bad_pixels=bad) for r in (True, False))
    assert on.report.defects_repaired == 1 and on.image[58:64, 58:64].max() < 0.5
    assert off.report.defects_repaired == 0 and off.image[58:64, 58:64].max() > 0.7


@pytest.mark.parametrize("outside", [(64, 0), (0, 64), (-1, 3)])
@pytest.mark.parametrize("repair", [True, False])
def test_bad_pixels_outside_the_frame_are_refused_by_name(rng, outside, repair):
    """Issue 15, fault 13: they ended in an IndexError."""
    with pytest.raises(SettingsError, match=r"bad_pixels must be positions \(y, x\) in frames of 64 x 64"):
        super_resolve(burst_with([], rng, frames=1), Settings(defects=DefectSettings(repair=repair)), bad_pixels=np.array([outside]))


def test_a_monochrome_pixel_is_repaired_from_those_that_touch_it():
    y, x = np.mgrid[:32, :32]
    star = np.exp(-((y - 15.2) ** 2 + (x - 14.7) ** 2) / 6)
    frame = frame_of(star, "mono")
    for at in ((15, 16), (0, 0), (31, 31), (13, 14)):
        defects = np.array([at])
        around = np.median(
            [frame.mosaic[r, c] for r in range(at[0] - 1, at[0] + 2) for c in range(at[1] - 1, at[1] + 2) if 0 < r < 31 and 0 < c < 31 and (r, c) != at]
        )
        repaired = repair_pixels(frame, defects).mosaic
        assert at[0] in (0, 31) or repaired[at] == np.rint(around)
        assert (repaired != frame.mosaic).sum() <= 1


def moved_stars(cfa, rng, defects, count=8):
    """Frames of stars on a sky that moves by parts of a pixel, their flows, and the same without noise and defects."""
    y, x = np.mgrid[:48, :48]
    moves = [np.zeros(2), *rng.uniform(-2.5, 2.5, (count - 1, 2))]
    scenes = [
        0.05 + sum(0.5 * np.exp(-((y - a - dy) ** 2 + (x - b - dx) ** 2) / 2.3) for a, b in ((12.2, 13.1), (24.4, 30.3), (35.7, 20.6))) for dy, dx in moves
    ]
    clean = burst_of(scenes, cfa=cfa, noise=NOISE).frames
    frames = [frame.with_mosaic(frame.mosaic.copy()) for frame in clean]
    for frame in frames:
        frame.mosaic[tuple(defects.T)] = 65535
    flows = [Flow(np.full((3, 3, 2), move, np.float32), 16) for move in moves]
    return clean, [repair_pixels(frame, defects) for frame in frames], flows


@pytest.mark.parametrize("cfa", ["RGGB", "X-Trans", "mono"])
def test_a_repaired_sample_repeats_what_the_other_frames_show(cfa, rng):
    """Issue 18: the median of its neighbours took 1 % of a star's flux."""
    defects = np.array([(12, 13), (24, 30), (36, 21), (5, 40), (0, 0), (47, 47)])
    clean, repaired, flows = moved_stars(cfa, rng, defects, count=16)
    full = [np.ones((24, 24), np.float32)] * len(clean)
    at = tuple(defects.T)

    def error(frames):
        return np.mean([np.abs(f.mosaic[at].astype(float) - c.mosaic[at]) for f, c in zip(frames, clean, strict=True)])

    found = refilled(repaired, flows, full, defects)
    assert error(found) < 0.4 * error(repaired)
    for before, after in zip(repaired, found, strict=True):
        assert set(zip(*np.nonzero(before.mosaic != after.mosaic), strict=True)) <= {tuple(d) for d in defects.tolist()}


def test_what_no_other_frame_shows_stays_as_repaired(rng):
    defects = np.array([(12, 13), (24, 30)])
    _, repaired, flows = moved_stars("RGGB", rng, defects)
    nothing = [np.zeros((24, 24), np.float32)] * len(repaired)
    for same in (refilled(repaired, flows, nothing, defects), refilled(repaired[:1], flows[:1], nothing[:1], defects)):
        assert all((a.mosaic == b.mosaic).all() for a, b in zip(repaired, same, strict=False))
    without = refilled(repaired, flows, nothing, np.zeros((0, 2), np.int64))
    assert all(a is b for a, b in zip(repaired, without, strict=True)), "bursts without defects cost nothing"
