"""The edge chart's ruler, and the charts."""

import json

import numpy as np
import pytest
from scipy.special import erf

from benchmarks import edge
from benchmarks.edge_profile import Line, profile, shapes

SIGMA = 1.2
RISE = 2 * 1.2816 * SIGMA  # of a Gaussian-blurred step
DARK, BRIGHT = np.array([0.1, 0.6, 0.3]), np.array([0.5, 0.2, 0.3])  # blue has no step


def rung(d, over, under):
    """A blurred step from 0 to 1 with a bump beyond it on either side; its highest and lowest values."""

    def curve(at):
        bumps = over * np.exp(-(((at - 4) / 1.5) ** 2)) - under * np.exp(-(((at + 4) / 1.5) ** 2))
        return (1 + erf(at / (SIGMA * np.sqrt(2)))) / 2 + bumps

    fine = np.linspace(-20, 20, 40001)
    return curve(d), curve(fine).max() - 1, -curve(fine).min()


@pytest.mark.parametrize("angle", [5.0, 35.0, 90.0])
@pytest.mark.parametrize(("over", "under"), [(0.0, 0.0), (0.06, 0.02), (0.0, 0.1)])
def test_known_overshoot_is_found(angle, over, under):
    y, x = np.mgrid[:200, :200].astype(float)
    charts = []
    for offset in (0.125, 0.375, 0.625, 0.875):
        line = Line((100 + offset, 99.7 + offset), angle, 60.0)
        share, above, below = rung(line.across(y, x), over, under)
        charts.append((DARK + share[..., None] * (BRIGHT - DARK), line))
    red, green, blue = shapes(*profile(charts))
    assert (red.overshoot, red.undershoot) == pytest.approx((above, below), abs=0.003)
    assert (green.overshoot, green.undershoot) == pytest.approx((below, above), abs=0.003)  # falls where red rises
    assert abs(blue.overshoot) < 1e-9 and blue.rise_px is None
    if not over + under:
        assert red.rise_px == pytest.approx(RISE, abs=0.03) and green.rise_px == pytest.approx(RISE, abs=0.03)


def test_noise_is_reported():
    line = Line((100.0, 100.0), 10.0, 60.0)
    y, x = np.mgrid[:200, :200].astype(float)
    share = rung(line.across(y, x), 0.0, 0.0)[0][..., None].repeat(3, 2)
    noisy = share + np.random.default_rng(0).normal(0, 0.05, share.shape)
    found = shapes(*profile([(noisy, line)]))[1]
    assert found.noise == pytest.approx(0.05 / np.sqrt(120 * 0.25), rel=0.3)
    assert 0 < found.overshoot < 5 * found.noise


@pytest.mark.parametrize("angle", edge.ANGLES)
def test_charts_are_steps(angle):
    """Both sides have their colours, and the truth's own profile does not overshoot; all that is measured lies off the texture."""
    line, neutral = edge.edge_line(angle), np.array([0.5, 1.0, 0.6])
    for sides in edge.EDGES.values():
        d, values = profile([(edge.edge_chart(line, sides, neutral) / neutral, line)])
        np.testing.assert_allclose(values[d < -1], np.broadcast_to(sides[0], values[d < -1].shape), atol=1e-6)
        np.testing.assert_allclose(values[d > 1], np.broadcast_to(sides[1], values[d > 1].shape), atol=1e-6)
        assert max(max(abs(s.overshoot), abs(s.undershoot)) for s in shapes(d, values)) < 1e-6


def test_patches_are_flat():
    neutral = np.array([0.5, 1.0, 0.6])
    chart, places = edge.patch_chart(neutral)
    assert set(places) == {0.02, 0.1, 0.5}
    for level, place in places.items():
        assert chart[place].size > 3 * 2000
        np.testing.assert_allclose(chart[place] / neutral, level, rtol=1e-6)


def test_command_line(monkeypatch, capsys):
    monkeypatch.setattr(edge, "ANGLES", (35.0,))
    monkeypatch.setattr(edge, "_FRAMES", 6)
    edge.main(["--iso", "100", "--seeds", "1", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {record["method"] for record in found["edges"]} == {"truth", "fast", "best"} and len(found["edges"]) == 2 * 3 * 3
    assert all(0.8 < r["rise_px"] < 4 for r in found["edges"] if r["edge"] == "grey")
    assert len(found["flat"]) == 3 * 2 and all(0 < v < 0.01 for r in found["flat"] for v in r["linear"])
    assert edge.as_text(found).count("\n|") > 10
