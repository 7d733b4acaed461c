"""Merge kernels: laws and the two engines."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import KERNEL_RELATIVE

from burstsr.core.noise import Noise
from burstsr.kernels import kernels, loops, naive
from burstsr.kernels.stage import structure_tensor
from burstsr.settings import KernelSettings, Settings

ENGINES = {"naive": naive, "loops": loops}
VALUES = [np.float32(v) for v in (0.25, 3.0, 0.71, 1.0, 4.0, 2.0)]


def inverse(engine, tensor):
    out = np.zeros_like(tensor)
    ENGINES[engine].inverse_covariances(0, tensor.shape[0], tensor, *VALUES, out)
    return out


def matrices(kernel):
    return np.stack([kernel[..., [0, 1]], kernel[..., [1, 2]]], -2).astype(float)


def test_flat_is_round_and_wide(engine):
    out = inverse(engine, np.zeros((4, 5, 3), np.float32))
    np.testing.assert_allclose(out[..., 0], 1 / 0.75**2, rtol=1e-5)
    np.testing.assert_allclose(out[..., 2], 1 / 0.75**2, rtol=1e-5)
    np.testing.assert_allclose(out[..., 1], 0, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4, np.pi / 2, 2.5])
def test_an_edge_is_stretched_along_and_narrow_across(engine, angle):
    across = np.array([np.sin(angle), np.cos(angle)])
    t = 1e4 * np.outer(across, across)
    out = matrices(inverse(engine, np.full((1, 1, 3), (t[0, 0], t[0, 1], t[1, 1]), np.float32)))[0, 0]
    along = np.array([across[1], -across[0]])
    assert across @ out @ across == pytest.approx(1 / 0.125**2, rel=1e-3)
    assert along @ out @ along == pytest.approx(1 / 1.0**2, rel=1e-2)
    assert along @ out @ across == pytest.approx(0, abs=0.05)


def test_strong_structure_without_direction_is_round_and_narrow(engine):
    out = inverse(engine, np.full((2, 2, 3), (1e3, 0, 1e3), np.float32))
    np.testing.assert_allclose(out[..., [0, 2]], 1 / 0.25**2, rtol=1e-4)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (5, 17)])
def test_engines_agree(shape, rng):
    v = rng.normal(0, 1, (*shape, 4, 2)) * rng.uniform(0, 3, (*shape, 1, 1))
    t = np.einsum("yxka,yxkb->yxab", v, v).astype(np.float32)
    tensor = np.ascontiguousarray(np.stack([t[..., 0, 0], t[..., 0, 1], t[..., 1, 1]], -1))
    a, b = inverse("naive", tensor), inverse("loops", tensor)
    assert np.abs(a - b).max() <= KERNEL_RELATIVE * np.abs(a).max()
    assert (np.linalg.eigvalsh(matrices(b)) > 0).all()


def test_structure_tensor_of_a_ramp():
    y, x = np.mgrid[:10, :12].astype(np.float32)
    t = structure_tensor(2 * y - 3 * x)[2:-2, 2:-2]
    np.testing.assert_allclose(t, np.broadcast_to([4, -6, 9], t.shape), rtol=1e-5)


def test_thresholds_mean_the_same_at_every_iso(rng):
    """Pure noise counts as flat whatever its strength: units are noise deviations."""
    for iso in (100, 3200):
        noise = Noise.of_iso(iso)
        level = 0.3
        image = level + rng.normal(0, np.sqrt(noise.variance(level, 1)), (128, 128))
        tuned = Settings().for_snr(6).kernels
        wide = 1 / (tuned.k_detail_px * tuned.k_denoise) ** 2
        kernel = kernels(frame_of(image, noise=noise), noise, tuned)
        assert np.median(kernel[..., 0]) < 1.5 * wide


def test_ordinary_settings_are_for_bright_bursts():
    s = KernelSettings()
    assert Settings().for_snr(100).kernels.k_detail_px == s.k_detail_px
    assert Settings().for_snr(0).kernels.k_detail_px == s.k_detail_low_snr_px


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (21, 34)])
def test_tensors_agree(shape, rng):
    cells = rng.normal(0, 4, shape).astype(np.float32)
    a, b = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.float32)
    half = shape[0] // 2
    for rows in ((0, half), (half, shape[0])):
        naive.tensor_rows(*rows, cells, 0, a)
        loops.tensor_rows(*rows, cells, 0, b)
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for module, out in ((naive, a), (loops, b)):
        module.kernel_rows(0, half, cells, *VALUES, out)
        module.kernel_rows(half, shape[0], cells, *VALUES, out)
    np.testing.assert_allclose(a, b, atol=KERNEL_RELATIVE * np.abs(a).max())
