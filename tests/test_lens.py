"""The lens's blur, measured in whole bursts."""

from dataclasses import replace

import numpy as np
import pytest

from burstsr import Settings, super_resolve
from burstsr.quality.image_error import psnr_linear
from burstsr.settings import ReconstructSettings
from burstsr.simulate import SimulateSettings, simulate_burst

BEST = Settings(mode="best", reference=0, measure_noise=False)
UNKNOWN = replace(BEST, reconstruct=ReconstructSettings(measure_lens_blur=False))


def burst(blur_px, side=400):
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    f[0, 0] = np.inf
    root = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) / f, (side, side))
    image = np.clip(0.5 + 0.1 * root / root.std(), 0, 1).astype(np.float32)
    return simulate_burst(np.stack([image] * 3, axis=-1), SimulateSettings(frames=9, iso=100, blur_sigma_px=blur_px), rng)


@pytest.fixture(scope="module")
def blurred():
    return burst(0.45)


def test_a_lens_is_corrected(blurred):
    result, plain = super_resolve(blurred.burst, BEST), super_resolve(blurred.burst, UNKNOWN)
    found = result.report["lens_blur"]
    assert found["sigma_px"] == pytest.approx(0.45, abs=0.15)
    assert 0.15 < found["corrected_px"] < 0.45
    assert "lens_blur" not in plain.report
    assert psnr_linear(result.image, blurred.truth, 16) > psnr_linear(plain.image, blurred.truth, 16) + 0.3


def test_no_lens_is_left_alone():
    assert super_resolve(burst(0.0).burst, BEST).report["lens_blur"]["corrected_px"] == 0


def test_a_crop_has_the_lens_of_the_whole(blurred):
    whole, part = super_resolve(blurred.burst, BEST), super_resolve(blurred.burst, replace(BEST, crop="40,40,64,64"))
    assert whole.report["lens_blur"] == part.report["lens_blur"]


def test_frames_without_two_parts_are_not_measured():
    assert "lens_blur" not in super_resolve(burst(0.45, side=240).burst, BEST).report


def test_at_the_size_of_the_frames_a_soft_scene_is_not_taken_for_a_lens(blurred):
    assert "lens_blur" not in super_resolve(blurred.burst, replace(BEST, scale=1.0)).report


def growing(centre_px, corner_px):
    """A burst whose blur grows towards the corners: two bursts of the same motion and noise, mixed by place."""
    sharp, soft = burst(centre_px), burst(corner_px)
    height, width = sharp.burst.info.shape
    y, x = np.mgrid[:height, :width]
    share = ((y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2) / ((height**2 + width**2) / 4)
    mixed = [a.mosaic * (1 - share) + b.mosaic * share for a, b in zip(sharp.burst, soft.burst, strict=True)]
    return replace(sharp.burst, frames=tuple(f.with_mosaic(np.rint(m).astype(f.mosaic.dtype)) for f, m in zip(sharp.burst, mixed, strict=True))), sharp.truth


def test_blur_that_grows_is_corrected_by_place():
    frames, truth = growing(0.2, 0.7)

    def quality(centre_px, corner_px, **region):
        lens = ReconstructSettings(psf_sigma_px=centre_px, psf_corner_sigma_px=corner_px)
        return psnr_linear(super_resolve(frames, replace(BEST, reconstruct=lens, **region)).image, truth, 16)

    assert quality(0.2, 0.7) > max(quality(0.2, 0.0), quality(0.5, 0.0)) + 0.2


def test_a_crop_has_the_blur_of_its_place(blurred):
    lens = replace(BEST, reconstruct=ReconstructSettings(psf_sigma_px=0.2, psf_corner_sigma_px=0.8))
    middle = np.s_[24:168, 24:168]

    def image(settings):
        return super_resolve(blurred.burst, settings).image[middle]

    whole, part = image(lens), image(replace(lens, crop="0,0,96,96"))
    as_if_central = image(replace(lens, crop="0,0,96,96", reconstruct=ReconstructSettings(psf_sigma_px=0.2)))
    assert np.abs(part - whole).mean() < 0.8 * np.abs(as_if_central - whole).mean()  # tiles, each of which has one blur, lie elsewhere
