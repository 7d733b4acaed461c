"""The page in a browser, opened from the disk."""

import numpy as np
import pytest
from html_report import browser as browsers
from html_report.results import write_result
from html_report.test_server import ADDRESS, served

from burstsr.html_report import pyramid
from burstsr.html_report.site import build


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = browsers.Browser(browsers.find(), tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two bursts, images of 3 x 5 tiles at four levels, and a broken one."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid, "TILE_PX", 256)
        write_result(folder / "fast", "harbour & <sea>", frames=4, level=20, shape=(700, 1250))
        write_result(folder / "best", "harbour & <sea>", frames=4, level=120, shape=(700, 1250), mode="best")
        write_result(folder / "fast", "tower", advice="move the camera")
        (folder / "fast" / "torn.json").write_text("{")
        (folder / "fast" / "torn.jpg").write_bytes(b"")
        build([folder / "fast", folder / "best"])
    return folder / "fast" / "report"


def page_of(site, name):
    return next(path for path in (site / "bursts").iterdir() if path.name.startswith(name)).joinpath("index.html").as_uri()


LOADED = "document.querySelector('canvas') && document.querySelector('.zoomed').textContent.length > 1"


def show(browser, site, **window):
    browser.problems.clear()
    browser.show(page_of(site, "harbour"), **window)
    browser.until(LOADED)
    browser.run("document.querySelector('.stage').scrollIntoView({block: 'center'})")
    wait_for_tiles(browser)


def wait_for_tiles(browser):
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    browser.until("document.querySelector('.stage').getAttribute('aria-busy') === 'false'")


def test_divider_and_zoom_move_without_errors(browser, site):
    show(browser, site)
    assert browser.run("document.querySelector('h1').textContent") == "harbour & <sea>"
    x, y, width, height = browser.box(".stage")
    whole = browser.picture("canvas").astype(int)
    middle = whole[int(height / 2)]
    assert middle[: int(width * 0.4)].mean() < middle[int(width * 0.6) :].mean() - 25  # one frame at level 80 | best at level 120
    browser.drag((x + width / 2, y + height / 2), (x + width / 4, y + height / 2))
    assert abs(float(browser.run("document.querySelector('.divider').getAttribute('aria-valuenow')")) - 25) <= 1
    assert np.abs(browser.picture("canvas").astype(int) - whole)[:, int(width * 0.3) : int(width * 0.45)].mean() > 5
    browser.run("document.querySelector('.divider').focus()")
    browser.key("Home")
    browser.key("ArrowRight")
    assert browser.run("document.querySelector('.divider').getAttribute('aria-valuenow')") == "2"
    browser.run("document.querySelector('canvas').focus()")
    for key, shown in (("1", "100 %"), ("+", "150 %"), ("2", "200 %"), ("-", "133 %")):
        browser.key(key)
        assert browser.run("document.querySelector('.zoomed').textContent") == shown
    wait_for_tiles(browser)
    still = browser.picture("canvas").astype(int)
    browser.key("ArrowRight")
    wait_for_tiles(browser)
    assert np.abs(browser.picture("canvas").astype(int) - still).mean() > 2
    browser.key("0")
    assert browser.run("document.querySelector('.zoomed').textContent") not in ("133 %", "100 %")
    assert browser.problems == []


def test_at_1_to_1_a_pixel_of_the_image_is_a_pixel_of_the_screen(browser, site):
    show(browser, site)
    browser.run("document.querySelector('canvas').focus()")
    browser.key("1")
    browser.run("document.querySelector('.divider').focus()")
    browser.key("End")  # the left image alone
    wait_for_tiles(browser)
    row = browser.picture("canvas")[250, 300:600, 1].astype(int)
    edges = np.flatnonzero(np.diff(row > (row.min() + row.max()) / 2))
    assert set(np.diff(edges)) == {7}  # the pattern's columns
    assert browser.problems == []


def test_layouts_and_phone_width(browser, site):
    for dark in (False, True):
        show(browser, site, width=390, height=800, dark=dark)
        browser.run("[...document.querySelectorAll('button')].find(b => b.textContent === 'Side by side').click()")
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert browser.run("[...document.querySelectorAll('.pane-label')].map(l => l.textContent)") == ["One frame", "Fast", "Best"]
        tops = browser.run("[...document.querySelectorAll('.pane-label')].map(l => l.getBoundingClientRect().y)")
        assert tops[0] < tops[1] < tops[2]  # one above the other where the window is narrow
        assert (np.mean(browser.picture("h1")) < 128) == dark
    assert browser.problems == []


def test_index_finds_and_sorts(browser, site):
    browser.problems.clear()
    browser.show((site / "index.html").as_uri(), width=390)
    names = "[...document.querySelectorAll('.card:not([hidden]) h2')].map(h => h.textContent)"
    assert sorted(browser.run(names)) == ["harbour & <sea>", "torn", "tower"] and browser.run("document.documentElement.scrollWidth") <= 390
    typed = "(field => {{ field.value = {!r}; field.dispatchEvent(new Event('input')); }})(document.getElementById('find'))"
    browser.run(typed.format("TOW"))
    assert browser.run(names) == ["tower"] and browser.run("matches.textContent") == "1 burst"
    browser.run(typed.format("") + "; document.getElementById('notes').click()")
    assert sorted(browser.run(names)) == ["torn", "tower"]
    browser.until("[...document.images].every(i => i.complete && i.naturalWidth)")
    assert browser.problems == []


def test_everything_to_be_used_can_be_reached_and_has_a_name(browser, site):
    for page in ((site / "index.html").as_uri(), page_of(site, "harbour")):
        browser.show(page)
        unnamed = """[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')].filter(e =>
            !(e.textContent.trim() || e.getAttribute('aria-label') || (e.labels && e.labels.length))).map(e => e.outerHTML)"""
        assert browser.run(unnamed) == []
        tree = browser.call("Accessibility.getFullAXTree")["nodes"]
        roles = {node["role"]["value"] for node in tree}
        assert {"main", "heading"} <= roles
        for node in tree:
            if node["role"]["value"] in ("button", "link", "slider", "combobox", "checkbox", "image", "searchbox") and not node.get("ignored"):
                assert node["name"]["value"].strip(), node


CONTRAST = """(() => {
  const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)|transparent/.test(c)) return c; } };
  const hasText = e => e.checkVisibility() && !e.closest('svg, .stage, script') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  return [...document.querySelectorAll('main *, header *')].filter(hasText).map(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e) || 'rgb(255, 255, 255)')].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 80)];
  }).filter(([ratio]) => ratio < 4.5);
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast(browser, site, dark):
    for page in ((site / "index.html").as_uri(), page_of(site, "harbour")):
        browser.show(page, dark=dark)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run(CONTRAST) == []


def test_an_open_index_shows_new_results(browser, tmp_path):
    browser.problems.clear()
    write_result(tmp_path / "out", "harbour")
    with served(tmp_path / "out") as port:
        browser.show(f"http://{ADDRESS}:{port}/")
        browser.until("document.querySelector('.live') !== null")
        assert browser.run("document.querySelectorAll('.card').length") == 1
        write_result(tmp_path / "out", "tower")
        browser.until("document.querySelectorAll('.card').length === 2")
        browser.run("document.querySelector('.card a').click()")
        browser.until("document.querySelector('canvas') !== null && document.querySelector('.stage').getAttribute('aria-busy') === 'false'")
        assert browser.problems == []
        browser.show("about:blank")  # which would ask a server that has ended
