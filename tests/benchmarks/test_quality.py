"""`burstsr benchmark quality`: cases, table, JSON, files."""

import json
from pathlib import Path
from typing import get_args, get_type_hints

import cv2
import numpy as np
import pytest

from benchmarks import grid, margins, modes, quality, records, rows, shots, table
from burstsr import Settings
from burstsr.cli import benchmark, main


@pytest.fixture(scope="module")
def image(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "scene.png"
    cv2.imwrite(str(path), np.uint8(scene(128, 160) * 255))
    return path


@pytest.fixture(scope="module")
def result(image, tmp_path_factory):
    cases = grid.Grid((image,), iso=(200.0,), frames=(3,), sections=("grid", "tripod", "mover", "lamp", "hot", "psf")).cases()
    chosen, notes = rows.chosen_rows(["bilinear", "dht", "ours", "ours-true-motion", "best", "best-true-motion"])
    return quality.run(cases, chosen, notes, tmp_path_factory.mktemp("out"), lambda *_: None, lambda _: None)


def test_cases_of_the_default_and_of_chosen_axes(image):
    everything = grid.Grid((image,)).cases()
    assert sum(case.section == "grid" for case in everything) == 4
    assert {case.frames for case in everything if case.section == "short"} == {1, 2, 3}
    chosen = grid.Grid((image,), iso=(100.0,), frames=(2, 5), scale=(1.5,), motion=("jiggle",)).cases()
    assert [(case.section, case.frames, case.scale, case.motion) for case in chosen] == [("grid", 2, 1.5, "jiggle"), ("grid", 5, 1.5, "jiggle")]


def test_records_and_json_are_whole(result):
    found = json.loads(json.dumps(quality.as_json(result), allow_nan=False))
    assert len(found["records"]) == 6 + 4 + 4 + 2 + 2 + 3 * 2
    ours = [record for record in found["records"] if record["row"] == "ours"]
    assert all(record["flow_median_px"] is not None for record in ours)
    assert all(record["seconds"] > 0 and record["psnr_srgb"] > 10 for record in found["records"])
    assert next(r for r in ours if r["section"] == "mover")["psnr_mover"] > 10
    assert {m["section"] for m in found["means"]} == {"grid", "tripod", "mover", "lamp", "hot", "psf"}
    assert all(r["noise_gain"] > 1 for r in found["records"] if r["section"] == "tripod" and r["row"] in rows.MODES)
    assert all(r["psnr_lamp"] > 10 for r in found["records"] if r["section"] == "lamp")
    assert all(r["psnr_hot"] > 10 for r in found["records"] if r["section"] == "hot")


def test_extra_sections_of_few_images():
    images = tuple(Path(f"{i:02d}.png") for i in range(1, 25))
    everything = grid.Grid(images).cases()
    of = {section: [case for case in everything if case.section == section] for section in grid.SECTIONS}
    assert all({case.image.stem for case in of[section]} == {"01", "08", "19"} for section in grid.EXTRAS)
    assert all({case.iso for case in of[section]} == {100.0, 1600.0} for section in grid.EXTRAS)
    assert {case.frames for case in of["counts"]} == {1, 2, 3, 5, 9, 13, 30, 60}
    assert {case.scale for case in of["scales"]} == {1.0, 1.5, 2.0, 3.0}
    assert all(case.lamp == (case.section == "lamp") and (case.hot > 0) == (case.section == "hot") for case in everything)
    assert {(case.blur, case.psf_px) for case in of["psf"]} == {(0.5, 0.35), (0.5, 0.5), (0.5, 0.65)}
    assert len({case.name for case in everything}) == len(everything)
    quick = grid.Grid(grid.quick_choice(images), quick=True, sections=("lamp", "counts")).cases()
    assert {case.image.stem for case in quick} == {"01"} and {case.section for case in quick} == {"lamp", "counts"}


def test_best_is_given_the_lens_blur(image):
    blurred = grid.Grid((image,), blur=0.4).cases()
    assert {case.psf_px for case in blurred if case.section != "psf"} == {0.4}
    taken = shots.take(next(case for case in blurred if case.section == "psf"))
    assert taken.psf_px == 0.35 and taken.made.settings.blur_sigma_px == 0.5
    assert shots.settings_of(2.0, "best", 0.35).reconstruct.psf_sigma_px == 0.35


def test_sections_run_the_rows_they_need():
    found = {section: {row.key for row in quality.rows_of(shots.Case(section, Path()), rows.ROWS)} for section in grid.SECTIONS}
    assert found["grid"] == set(rows.TITLES)
    assert found["short"] == found["tripod"] == found["mover"] == {"bilinear", "dht", "menon", "ours", "best"}
    assert all(found[section] == {"ours", "best"} for section in grid.EXTRAS)


def test_best_against_fast():
    """Of invented records: the mean, the worst image and its name, per configuration and per section."""
    place = {"section": "grid", "scale": 2.0, "frames": 13, "motion": "handheld", "iso": 100.0, "blur_px": 0.0, "psf_px": 0.0}
    found = [
        {**place, "picture": image, "row": row, "psnr_srgb": decibels, "ssim": ssim}
        for image, values in {"a": ((30, 0.8), (31, 0.9), (31.5, 0.9)), "b": ((20, 0.5), (19.5, 0.6), (20, 0.6))}.items()
        for row, (decibels, ssim) in zip(("ours", "best", "best-true-motion"), values, strict=True)
    ]
    lamp = [{**record, "section": "lamp", "iso": 1600.0, "psnr_lamp": record["psnr_srgb"]} for record in found if record["row"] != "best-true-motion"]
    (gain,) = [one for one in modes.gains([*lamp, *found]) if one["section"] == "grid"]
    assert (gain["mean"], gain["worst"], gain["worst_picture"], gain["below_known"]) == (0.25, -0.5, "b", 0.5)
    assert (gain["ssim_fast"], gain["ssim_best"], gain["ssim_worst"]) == pytest.approx((0.65, 0.75, 0.1))
    least = modes.least([*lamp, *found])
    assert [(one["section"], one["figure"]) for one in least] == [("grid", "psnr_srgb"), ("lamp", "psnr_srgb"), ("lamp", "psnr_lamp")]
    assert all((one["worst"], one["picture"], one["mean"]) == (-0.5, "b", 0.25) for one in least)
    assert modes.gains([record for record in found if record["row"] == "ours"]) == []


def test_margins_are_differences_of_means(result):
    averaged = records.means(result.records)
    (first,) = [m for m in margins.margins(result.records) if m["section"] == "grid"]
    psnr = {m["row"]: m["psnr_srgb"] for m in averaged if m["section"] == "grid"}
    assert first["below_known"] == pytest.approx(psnr["ours-true-motion"] - psnr["ours"])
    assert first["over_single"] == pytest.approx(psnr["ours"] - max(psnr["bilinear"], psnr["dht"]))
    assert first["worst"] == pytest.approx(first["over_single"])  # of one image
    assert first["over_menon"] is None


def test_markdown_is_well_formed(result):
    for text in (table.short(result), table.full(result)):
        blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
        assert blocks
        for lines in blocks:
            assert len({line.count("|") for line in lines}) == 1 and set(lines[1]) <= set("|-: ")
    assert "every picture" in table.full(result) and "Best over fast" in table.short(result)


def test_the_same_seed_gives_the_same_figures(image, tmp_path):
    cases = grid.Grid((image,), iso=(400.0,), frames=(2,)).cases()
    chosen, _ = rows.chosen_rows(["bilinear", "ours"])
    a, b = (quality.run(cases, chosen, [], tmp_path, lambda *_: None, lambda _: None).records for _ in range(2))
    assert [{**r, "seconds": 0} for r in a] == [{**r, "seconds": 0} for r in b]


def test_command_line_writes_table_json_and_crops(image, tmp_path, capsys):
    out = tmp_path / "out"
    status = main(["benchmark", "quality", str(image), "--iso", "100", "--frames", "2", "--rows", "dht,ours", "--output", str(out), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == 0 and [record["row"] for record in found["records"]] == ["dht", "ours"]
    assert json.loads((out / "quality.json").read_text()) == found
    assert (out / "quality.md").read_text().startswith("# burstsr benchmark quality")
    side_by_side = cv2.imread(str(out / "scene_iso100_2.png"))
    assert side_by_side.shape[1] % 3 == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "nowhere.png"),
        (["--data", "nowhere"], "Kodak24"),
        (["--seed", "-1"], "--seed"),
        (["--rows", "telescope"], "must be some of"),
        (["--frames", "1.5"], "expected integers"),
        (["--iso", "0"], "above 0"),
    ],
)
def test_wrong_usage_is_2(arguments, message, capsys):
    try:
        status = main(["benchmark", "quality", *arguments])
    except SystemExit as leave:
        status = leave.code
    assert status == 2 and message in capsys.readouterr().err


def test_a_wheel_without_benchmarks_reports_it(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    assert main(["benchmark", "quality", "--quick"]) == 2
    assert "clone" in capsys.readouterr().err


def test_the_command_line_names_what_there_is():
    assert benchmark.ROWS == tuple(rows.TITLES)
    assert benchmark.SECTIONS == grid.SECTIONS
    assert benchmark.MOTIONS == grid.MOTIONS
    assert benchmark.MODES == get_args(shots.Mode) == get_args(get_type_hints(Settings)["mode"])
