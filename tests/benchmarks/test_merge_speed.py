"""`burstsr benchmark merge`: three merges that must agree, what is counted, and what is told."""

import argparse
import json

import numpy as np
import pytest

from benchmarks import merge_case, merge_speed, roofline
from benchmarks.merge_case import MergeMismatch, made_case, merged, merged_by_paper, merged_naively, same, undecided
from benchmarks.merge_work import OPERATIONS, work_of
from burstsr.cli import main
from burstsr.cli.benchmark_speed import SIZES_MP, _listed, _megapixels, size
from burstsr.core.errors import SettingsError


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0])
def test_naive_product_and_paper_agree(scale):
    case = made_case((38, 54), 3, scale, seed=1)
    ties, expected = undecided(case), merged_by_paper(case)
    assert ties.mean() < 0.03
    assert max(same(merged_naively(case), expected, ties, "naive")) < 1e-5
    assert max(same(merged(case), expected, ties, "product")) < 2e-4
    assert expected[1].max() > 1 and expected[0].std() > 0.05


def test_kernels_are_the_products_and_positive():
    kernel = made_case((32, 48), 1, 2.0).kernel
    yy, yx, xx = np.moveaxis(kernel.astype(np.float64), -1, 0)
    smaller = np.sqrt(1 / np.linalg.eigvalsh(np.stack([np.stack([yy, yx], -1), np.stack([yx, xx], -1)], -1)))
    assert 0.14 < smaller.min() and smaller.max() < 1.01


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("wrong", [np.nan, 0.02])
def test_a_wrong_merge_is_found(which, wrong):
    case = made_case((32, 32), 2, 2.0)
    expected, none = merged_naively(case), np.zeros(case.output_shape, bool)
    found = tuple(part.copy() for part in expected)
    found[which][5, 7, 2] += np.float32(wrong) * (1 + expected[1][5, 7, 2])
    with pytest.raises(MergeMismatch, match=r"\(5, 7\), blue"):
        same(found, expected, none, "product")
    none[5, 7] = True
    assert same(found, expected, none, "product") == (0.0, 0.0)


def test_no_time_is_reported_for_a_wrong_merge(monkeypatch, capsys):
    def shifted(case):
        image, weight = merged(case)
        return np.roll(image, 1, axis=1), weight

    monkeypatch.setattr(merge_speed, "merged", shifted)
    assert main(["benchmark", "merge", "--size", "64x48", "--frames", "2", "--threads", "1"]) == 1
    reported = capsys.readouterr()
    assert reported.out == "" and "differs" in reported.err and "no times are given" in reported.err


def test_work_is_counted_by_the_formula():
    case = made_case((32, 64), 4, 2.0)
    work = work_of(case)
    assert work.pixels == 64 * 128 * 4
    assert work.operations == 238 * work.pixels == OPERATIONS * work.pixels
    # raw values, robustness, flow of 2 x 4 tiles; kernels; image and weight
    assert work.bytes == 4 * (32 * 64 * 2 + 16 * 32 * 4 + 8 * 8) + 16 * 32 * 12 + 64 * 128 * 24


def test_the_roof_is_the_lower_of_two():
    roof = roofline.Roofline(1, 100.0, 10.0)
    assert roof.attainable(5.0) == 50.0 and roof.attainable(20.0) == 100.0


def test_roofline_loops_do_what_they_say():
    x = np.full((2, 4, 8), 3.0, np.float32)
    roofline.fma_chains(0, 1, x, np.float32(0.5), np.float32(1.0), 3)
    np.testing.assert_allclose(x[0], 2.0, atol=1e-6)  # the fixed point of x / 2 + 1
    assert (x[1] == 3).all()
    source, target = np.arange(12, dtype=np.float32).reshape(3, 4), np.zeros((3, 4), np.float32)
    roofline.copy(1, 3, source, target)
    assert (target[1:] == source[1:]).all() and not target[0].any()


def test_sizes():
    assert size("12MP") == (3000, 4000) and size("3mp") == (1500, 2000) and size("4000x3000") == (3000, 4000)
    for text in ("6MP", "24MP", "48MP", "0.5MP"):
        height, width = size(text)
        assert height % 2 == width % 2 == 0
        assert height * width / 1e6 == pytest.approx(float(text[:-2]), rel=5e-3) and width / height == pytest.approx(4 / 3, rel=5e-3)
    for text in ("12", "MP", "4000", "4000x", "4000x3000x2", "-3MP", "infMP", "nanMP"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected a size"):
            size(text)
    assert _listed(_megapixels)(SIZES_MP) == (size("3MP"), size("6MP"), size("12MP"))
    assert _listed(_megapixels)("0.5,96x64,3MP") == (size("0.5MP"), (64, 96), (1500, 2000))


@pytest.mark.parametrize("wrong", [{"shape": (63, 64)}, {"shape": (8, 64)}, {"frames": 0}, {"scale": 5.0}, {"threads": 1000}, {"runs": 0}])
def test_plans_that_do_not_fit(wrong):
    with pytest.raises(SettingsError, match="allowed|must be"):
        merge_speed.Plan(**wrong)


def test_json_has_the_documented_keys(monkeypatch, capsys):
    monkeypatch.setattr(roofline, "_COPY_FLOATS", 1 << 16)
    monkeypatch.setattr(roofline, "_FMAS", 1e6)
    assert main(["benchmark", "merge", "--size", "96x64", "--frames", "2", "--runs", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["shape"] == [64, 96] and found["frames"] == 2 and found["work"]["operations_per_pixel_and_frame"] == OPERATIONS
    threads = {roof["threads"] for roof in found["rooflines"]}
    assert 1 in threads
    assert all(roof[name] > 0 for roof in found["rooflines"] for name in ("peak_gflops", "copy_gbytes", "attainable_gflops"))
    methods = {(timing["method"], timing["threads"]) for timing in found["timings"]}
    assert {(method, n) for method in ("burstsr", "naive loop") for n in threads} <= methods
    assert {("drizzle, turbo", 1), ("drizzle, square", 1)} <= methods or any("drizzle" in note for note in found["notes"])
    for timing in found["timings"]:
        assert 0 < timing["seconds_min"] <= timing["seconds_median"] and 0 < timing["ns"] <= timing["ns_median"]
        assert timing["share"] is None or timing["share"] > 0
    assert all(agreement["image"] < 1e-3 for agreement in found["agreements"]) and len(found["agreements"]) == 3
    assert "naive loop, threads: 1" in found["times_as_fast"]


def test_text_tells_all_methods(monkeypatch, capsys):
    monkeypatch.setattr(roofline, "_COPY_FLOATS", 1 << 16)
    monkeypatch.setattr(roofline, "_FMAS", 1e6)
    assert main(["benchmark", "merge", "--size", "64x64", "--frames", "2", "--runs", "1", "--scale", "1.5", "--threads", "1"]) == 0
    reported = capsys.readouterr().out
    assert all(word in reported for word in ("burstsr", "naive loop", "of roofline", "roofline, threads: 1", "times as fast as"))


def test_the_door_is_the_public_one():
    """So that a rewritten merge is measured as the pipeline calls it."""
    from burstsr.merge import KernelMerge

    assert merge_case.KernelMerge is KernelMerge
