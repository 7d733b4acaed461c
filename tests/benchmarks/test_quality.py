"""`burstsr benchmark quality`: cases, table, JSON, files."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import grid, margins, quality, rows, table
from burstsr.cli import benchmark, main


@pytest.fixture(scope="module")
def picture(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "scene.png"
    cv2.imwrite(str(path), np.uint8(scene() * 255))
    return path


@pytest.fixture(scope="module")
def result(picture, tmp_path_factory):
    cases = grid.Grid((picture,), iso=(200.0,), frames=(3,), sections=("grid", "tripod", "mover")).cases()
    chosen, notes = rows.chosen_rows(["bilinear", "dht", "ours", "ours-true-motion"])
    return quality.run(cases, chosen, notes, tmp_path_factory.mktemp("out"), lambda *_: None, lambda _: None)


def test_cases_of_the_default_and_of_chosen_axes(picture):
    everything = grid.Grid((picture,)).cases()
    assert sum(case.section == "grid" for case in everything) == 4
    assert {case.frames for case in everything if case.section == "short"} == {1, 2, 3}
    chosen = grid.Grid((picture,), iso=(100.0,), frames=(2, 5), scale=(1.5,), motion=("jiggle",)).cases()
    assert [(case.section, case.frames, case.scale, case.motion) for case in chosen] == [("grid", 2, 1.5, "jiggle"), ("grid", 5, 1.5, "jiggle")]


def test_records_and_json_are_whole(result):
    found = json.loads(json.dumps(quality.as_json(result), allow_nan=False))
    assert len(found["records"]) == 4 + 3 + 3
    ours = [record for record in found["records"] if record["row"] == "ours"]
    assert all(record["flow_median_px"] is not None for record in ours)
    assert all(record["seconds"] > 0 and record["psnr_srgb"] > 10 for record in found["records"])
    assert next(r for r in ours if r["section"] == "mover")["psnr_mover"] > 10
    assert {m["section"] for m in found["means"]} == {"grid", "tripod", "mover"}


def test_margins_are_differences_of_means(result):
    averaged = quality.means(result.records)
    (first,) = [m for m in margins.margins(result.records) if m["section"] == "grid"]
    psnr = {m["row"]: m["psnr_srgb"] for m in averaged if m["section"] == "grid"}
    assert first["below_known"] == pytest.approx(psnr["ours-true-motion"] - psnr["ours"])
    assert first["over_single"] == pytest.approx(psnr["ours"] - max(psnr["bilinear"], psnr["dht"]))
    assert first["worst"] == pytest.approx(first["over_single"])  # of one picture
    assert first["over_menon"] is None


def test_markdown_is_well_formed(result):
    for text in (table.short(result), table.full(result)):
        blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
        assert blocks
        for lines in blocks:
            assert len({line.count("|") for line in lines}) == 1 and set(lines[1]) <= set("|-: ")
    assert "every picture" in table.full(result)


def test_the_same_seed_gives_the_same_figures(picture, tmp_path):
    cases = grid.Grid((picture,), iso=(400.0,), frames=(2,)).cases()
    chosen, _ = rows.chosen_rows(["bilinear", "ours"])
    a, b = (quality.run(cases, chosen, [], tmp_path, lambda *_: None, lambda _: None).records for _ in range(2))
    assert [{**r, "seconds": 0} for r in a] == [{**r, "seconds": 0} for r in b]


def test_command_line_writes_table_json_and_crops(picture, tmp_path, capsys):
    out = tmp_path / "out"
    status = main(["benchmark", "quality", str(picture), "--iso", "100", "--frames", "2", "--rows", "dht,ours", "--out", str(out), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == 0 and [record["row"] for record in found["records"]] == ["dht", "ours"]
    assert json.loads((out / "quality.json").read_text()) == found
    assert (out / "quality.md").read_text().startswith("# burstsr benchmark quality")
    side_by_side = cv2.imread(str(out / "scene_iso100_2.png"))
    assert side_by_side.shape[1] % 3 == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.png"], "nowhere.png"),
        (["--data", "nowhere"], "Kodak24"),
        (["--seed", "-1"], "--seed"),
        (["--rows", "telescope"], "allowed is"),
        (["--frames", "1.5"], "whole"),
        (["--iso", "0"], "above 0"),
    ],
)
def test_wrong_usage_is_2(arguments, says, capsys):
    try:
        status = main(["benchmark", "quality", *arguments])
    except SystemExit as leave:
        status = leave.code
    assert status == 2 and says in capsys.readouterr().err


def test_a_wheel_has_no_benchmarks_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    assert main(["benchmark", "quality", "--quick"]) == 2
    assert "clone" in capsys.readouterr().err


def test_the_command_line_names_what_there_is():
    assert benchmark.ROWS == tuple(rows.TITLES)
    assert benchmark.SECTIONS == grid.SECTIONS
    assert benchmark.MOTIONS == grid.MOTIONS
