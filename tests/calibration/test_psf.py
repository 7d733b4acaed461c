"""A slanted edge gives back the blur that it was drawn with."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of, frame_of

from burstsr.core.burst import Frame
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.noise import Noise
from burstsr.simulate import SimulateSettings, simulate_burst
from calibration.edge_search import find_line
from calibration.psf_from_burst import psf_from_burst
from calibration.slanted_edge import edge_spread, psf_from_edge
from calibration.synthetic import edge_frames


@pytest.mark.parametrize("sigma", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("angle", [5.0, -12.0])
def test_slanted_edge(sigma, angle, rng):
    record = psf_from_edge(edge_frames(sigma, Noise.of_iso(100), rng, angle_deg=angle, frames=2))
    assert record.psf_sigma_px == pytest.approx(sigma, rel=0.05)
    assert record.psf_sigma_rgb_px == pytest.approx((sigma,) * 3, rel=0.12)
    assert record.edge_deg == pytest.approx(abs(angle), abs=0.2)
    f = np.linspace(0.01, 1, 1000)
    turn = np.deg2rad(angle)
    true = np.exp(-2 * (np.pi * sigma * f) ** 2) * np.sinc(f * np.cos(turn)) * np.sinc(f * np.sin(turn))
    assert record.mtf50 == pytest.approx(f[np.argmax(true < 0.5)], rel=0.06)


def test_an_edge_along_the_rows_is_the_same(rng):
    frame = edge_frames(0.5, Noise.of_iso(100), rng)[0]
    turned = Frame(replace(frame.info, cfa=np.transpose(frame.info.cfa)), np.ascontiguousarray(frame.mosaic.T))
    a, b = (psf_from_edge([f]) for f in (frame, turned))
    assert a.psf_sigma_px == pytest.approx(b.psf_sigma_px, rel=1e-3)


def test_a_bright_left_side_is_the_same(rng):
    record = psf_from_edge(edge_frames(0.5, Noise.of_iso(100), rng, levels=(0.6, 0.1)))
    assert record.psf_sigma_px == pytest.approx(0.5, rel=0.05)


def test_a_part_of_the_frame(rng):
    frames = edge_frames(0.5, Noise.of_iso(100), rng)
    assert psf_from_edge(frames, (20, 10, 120, 130)).psf_sigma_px == pytest.approx(0.5, rel=0.05)
    with pytest.raises(SettingsError, match="must be inside"):
        psf_from_edge(frames, (100, 100, 100, 100))


@pytest.mark.parametrize("angle", [0.5, 44.9])
def test_angles_that_do_not_sample_are_refused(angle, rng):
    with pytest.raises(SettingsError, match="degrees"):
        psf_from_edge(edge_frames(0.5, Noise.of_iso(100), rng, angle_deg=angle))


def test_what_is_no_edge_is_refused(rng):
    y, x = np.mgrid[:128, :128]
    for image in (np.full((128, 128), 0.3), 0.4 + 0.3 * np.sin(x / 5) * np.sin(y / 7)):
        noisy = image + 0.005 * rng.standard_normal(image.shape)
        with pytest.raises(SettingsError, match=r"frame_000\.dng"):
            psf_from_edge([frame_of(noisy)])


def test_edge_spread_is_a_rising_share():
    d = np.linspace(-6, 6, 241)
    for angle in (0.0, 0.1, 0.7):
        share = edge_spread(d, 0.5, angle)
        assert share[0] == pytest.approx(0, abs=1e-9) and share[-1] == pytest.approx(1, abs=1e-9)
        assert (np.diff(share) >= -1e-12).all()
        assert share + share[::-1] == pytest.approx(1, abs=1e-9)


def test_a_lens_from_a_burst(rng):
    y, x = np.mgrid[:192, :192]
    leaves = np.full((192, 192), 0.5)
    for _ in range(80):  # discs of all sizes over each other, as dead leaves: edges, and a spectrum like a photograph's
        size, place = np.exp(rng.uniform(np.log(3), np.log(60))), rng.uniform(0, 192, 2)
        leaves[np.hypot(y - place[0], x - place[1]) < size] = rng.uniform(0.1, 0.9)
    scene = np.repeat(leaves[..., None], 3, 2).astype(np.float32)
    found = []
    for sigma in (0.25, 0.6):
        made = simulate_burst(scene, SimulateSettings(frames=7, iso=100, blur_sigma_px=sigma), np.random.default_rng(1), "leaves")
        found.append(psf_from_burst(made.burst))
    assert [r.psf_sigma_px for r in found] == pytest.approx([0.25, 0.6], abs=0.12)
    for record, true in zip(found, (0.25, 0.6), strict=True):
        assert abs(record.psf_sigma_px - true) < 2 * record.psf_sigma_error_px < 0.6
        assert record.certain_px == pytest.approx(record.psf_sigma_px - record.psf_sigma_error_px)


def test_a_lens_from_a_burst_wants_five_frames():
    with pytest.raises(BurstError, match="at least 5"):
        psf_from_burst(burst_of([np.full((64, 64), 0.2)] * 4))


@pytest.mark.parametrize("cfa", ["mono", "quad RGGB", "X-Trans"])
def test_the_edge_of_other_patterns(cfa, rng):
    """Issue 18: samples near the edge, by their channels, whatever the pattern."""
    record = psf_from_edge(edge_frames(0.6, Noise.of_iso(100), rng, frames=2, cfa=cfa))
    assert record.psf_sigma_rgb_px == pytest.approx((0.6,) * 3, abs=0.03)
    assert record.edge_deg == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(("shape", "roi", "angle"), [((1000, 1000), None, -12.0), ((600, 400), (20, 100, 380, 300), 30.0)])
def test_an_edge_is_found_in_whole_noisy_frames(shape, roi, angle, rng):
    """Noise moved the edge by 32 to 56 px in frames of 1000 x 1000, which were refused."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    turn = np.deg2rad(angle)
    distance = (x - 3.3) * np.cos(turn) - y[:, None] * np.sin(turn)
    share = np.asarray(distance > 0, np.float64)
    near = np.abs(distance) < 8
    share[near] = edge_spread(distance[near], 0.5, turn)
    record = psf_from_edge([frame_of(0.1 + 0.5 * share + 0.05 * rng.standard_normal(shape))], roi)
    assert record.psf_sigma_px == pytest.approx(0.5, abs=max(4 * record.psf_sigma_error_px, 0.02))
    assert record.edge_deg == pytest.approx(abs(angle), abs=0.1)


def test_the_strongest_line_is_found(rng):
    y, x = np.mgrid[:300, :200] - np.array([149.5, 99.5])[:, None, None]
    image = 0.1 * rng.standard_normal(y.shape) + 0.3 * (x > 0.2 * y + 20) + 0.2 * (np.hypot(y + 90, x + 60) < 15)
    line = find_line(image)
    assert not line.transposed and (line.slope, line.offset) == pytest.approx((0.2, 20), abs=0.6) and abs(line.slope - 0.2) < 0.01
    turned = find_line(image.T)
    assert turned.transposed and (turned.slope, turned.offset) == pytest.approx((line.slope, line.offset))
