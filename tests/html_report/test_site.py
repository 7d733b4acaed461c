"""The page of results as files: what it says, that it is whole, and that what is broken costs only itself."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from html_report.results import picture, record, write_result

from burstsr.batch.journal import NAME
from burstsr.core.errors import OutputError
from burstsr.html_report import pyramid
from burstsr.html_report.charts import arrows, upright, upright_vector
from burstsr.html_report.pyramid import write_pyramid
from burstsr.html_report.site import build
from burstsr.io.report_data import jpeg_bytes, jpeg_pixels


class Links(HTMLParser):
    """Collects what a page refers to, and its text; checks that elements are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "path", "rect", "circle"})

    def __init__(self, page):
        super().__init__()
        self.links, self.open, self.images, self.ids = [], [], [], []
        self.feed(page.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [attrs[key] for key in ("href", "src") if attrs.get(key)]
        self.images += [attrs] if tag == "img" else []
        self.ids += [attrs["id"]] if "id" in attrs else []

    def handle_endtag(self, tag):
        assert tag in self.VOID or self.open.pop() == tag


def check_page(page):
    """Everything that a page refers to exists below the folder of the site; images have their size and a text."""
    found = Links(page)
    for link in found.links:
        if not link.startswith(("#", "data:")):
            assert not re.match(r"[a-z]+:|/", link), f"{page}: {link} is not relative"
            assert (page.parent / link).is_file(), f"{page}: {link}"
    assert all({"alt", "width", "height"} <= image.keys() for image in found.images) and len(set(found.ids)) == len(found.ids)
    return page.read_text(encoding="utf-8")


def pages(out):
    return {re.search("<h1>(.*?)</h1>", page.read_text())[1]: check_page(page) for page in out.glob("report/bursts/*/index.html")}


def test_pages_show_what_the_records_say(tmp_path):
    out = tmp_path / "out"
    write_result(out, "harbour", frames=4)
    write_result(out, "b & <i>", advice="no sub-pixel motion (tripod)")
    built = build([out])
    assert (built.bursts, built.problems, built.failures) == (2, (), 0)
    index = check_page(built.index)
    assert "harbour" in index and "b &amp; &lt;i&gt;" in index and "<i>" not in index and "6 of 7" in index and "(tripod)" in index
    page = pages(out)["harbour"]
    for shown in ("1.00, −1.50", "0.020", "0.80", "blurred: sharper frames", "3 of 4", "align.tile_px", "3 of 16 sub-pixel phases", "120 × 80 px", "Merged"):
        assert shown in page, shown
    compared = json.loads(re.search('id="pictures">(.*?)</script>', page)[1])["images"]
    assert [image["label"] for image in compared] == ["one frame", "fast", "robustness"]


def test_results_of_the_same_frames_are_compared(tmp_path):
    fast, best = tmp_path / "fast", tmp_path / "best"
    for name in ("same", "other"):
        write_result(fast, name)
    write_result(best, "same", mode="best", level=120)
    write_result(best, "other", mode="best", frames=2)  # of other frames
    build([fast, best])
    labels = {name: re.findall('"label": "(.*?)"', page) for name, page in pages(fast).items()}
    assert labels == {"same": ["one frame", "fast", "best", "robustness"], "other": ["one frame", "fast", "robustness"]}
    assert "class=changed" in pages(fast)["same"]


BROKEN = {
    "cut": lambda facts: json.dumps(facts)[:300],
    "no frames": lambda facts: json.dumps({**facts, "frames": []}),
    "a list": lambda facts: "[1, 2]",
    "nan": lambda facts: json.dumps({**facts, "coverage": float("nan")}),
    "deep": lambda facts: "[" * 100_000,
    "scale": lambda facts: json.dumps({**facts, "settings": {**facts["settings"], "scale": 1e9}}),
    "shape": lambda facts: json.dumps({**facts, "shape": "big"}),
    "motion": lambda facts: json.dumps({**facts, "frames": [{**facts["frames"][0], "motion_px": [1]}]}),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_record_costs_only_itself(tmp_path, how):
    out = tmp_path / "out"
    write_result(out, "good")
    write_result(out, "bad", data=False)
    (out / "bad.json").write_text(BROKEN[how](record("bad")))
    built = build([out])
    assert built.bursts == 1 and [name for name, _ in built.problems] == ["bad"] and list(pages(out)) == ["good"]
    assert "bad.json cannot be read" in check_page(built.index)


def test_damaged_images_and_data_are_noted_and_the_rest_is_shown(tmp_path):
    out = tmp_path / "out"
    write_result(out, "a")
    write_result(out, "b")
    write_result(out, "c", data=False)
    (out / "a.jpg").write_bytes(b"\xff\xd8 no picture")
    (out / "b.report.npz").write_bytes(b"PK\3\4")
    (out / "c.jpg").unlink()
    write_result(out, "d")
    (out / "d.jpg").write_bytes(jpeg_bytes(picture(9, (50, 60)), 80))
    for name in ("foreign", "single.jpg"):
        (out / f"{name}.json").write_text('{"asked": 1}')
    built = build([out])
    found = pages(out)
    assert built.problems == () and found.keys() == {"a", "b", "c", "d"}
    assert "d.jpg cannot be shown (60 x 50 pixels; the record says 120 x 80)" in found["d"]
    assert "a.jpg cannot be shown" in found["a"] and "not readable" in found["b"] and "c.jpg cannot be shown (No such file" in found["c"]
    assert "--report" in found["c"] and "frame_1.dng" in found["c"]


def test_failures_are_grouped_by_reason(tmp_path):
    out = tmp_path / "out"
    write_result(out, "good")
    lines = [{"burst": f"b{n}", "status": "failed", "reason": f"/card/b{n}/x_{n}.dng: cut at byte {n}"} for n in range(3)]
    lines += [{"burst": "full", "status": "failed", "reason": "the disk is full"}, {"burst": "later", "status": "waiting"}]
    (out / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    built = build([out])
    index = check_page(built.index)
    assert built.failures == 4 and index.count("<details") == 3 and '<span class="tally">3</span> cut at byte #' in index
    assert "1 burst waiting" in index and '<progress max="6" value="5"' in index


def test_a_second_run_makes_only_what_changed(tmp_path):
    out = tmp_path / "out"
    for name in ("a", "b", "c"):
        write_result(out, name)
    build([out])
    before = {path: path.stat().st_mtime_ns for path in (out / "report").rglob("*") if path.is_file()}
    build([out])
    assert {path: path.stat().st_mtime_ns for path in (out / "report").rglob("*") if path.is_file()} == before
    write_result(out, "a", level=10)
    (out / "c.json").unlink()
    build([out])
    after = {path for path in (out / "report").rglob("*") if path.is_file()}
    assert not any("/c-" in str(path) for path in after) and pages(out).keys() == {"a", "b"}
    assert {path.parents[1].name[0] for path in before.keys() ^ after if path.suffix == ".jpg" and path.parent.name.isdigit()} >= {"i"}
    assert all(path.stat().st_mtime_ns == before[path] for path in after if "/b-" in str(path) and path.suffix == ".jpg")


def test_a_foreign_folder_is_not_written_to(tmp_path):
    write_result(tmp_path, "a")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="is not a page of burstsr"):
        build([tmp_path])
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["mine.txt"]
    assert build([tmp_path], tmp_path / "elsewhere").index.is_file()


def test_pyramids_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(pyramid, "TILE_PX", 128)
    image = picture(80, (128 + 61, 2 * 128 + 7))
    levels = write_pyramid(tmp_path / "tiles", image)
    assert [(level["h"], level["w"], level["rows"], level["columns"]) for level in levels] == [(189, 263, 2, 3), (95, 132, 1, 2), (48, 66, 1, 1)]
    rows = [np.hstack([jpeg_pixels((tmp_path / "tiles" / f"0-{row}-{column}.jpg").read_bytes()) for column in range(3)]) for row in range(2)]
    assert np.abs(np.vstack(rows).astype(int) - image).mean() < 5


@pytest.mark.parametrize("code", range(1, 9))
def test_arrows_are_upright_as_the_image_is(code):
    from burstsr.core.orientation import orient

    shape = (5, 8)
    mark = np.zeros(shape)
    mark[1, 6] = 1
    (y,), (x,) = np.nonzero(orient(mark, code))
    assert upright(1, 6, shape, code) == (y, x)
    there = np.subtract(upright(3, 5, shape, code), upright(1, 6, shape, code))
    assert upright_vector(2, -1, code) == tuple(there)
    assert 'viewBox="0 0 8 5"' in arrows(np.zeros((2, 2, 2), np.float32), np.float32([1, 3]), np.float32([1, 3]), shape, 1, 1.0)
