"""The whole page: a folder of HTML, style, scripts and images, in which everything is relative."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Literal

from burstsr.core.errors import BurstsrError, OutputError
from burstsr.core.parallel import thread_count
from burstsr.html_report.burst_page import Neighbours, burst_page
from burstsr.html_report.collect import BurstResult, collect
from burstsr.html_report.index_page import Card, index_page
from burstsr.html_report.markup import page, text
from burstsr.html_report.pictures import digest_of_images, make_pictures, read_data, remove_old, state_of
from burstsr.io.atomic import atomic

log = logging.getLogger(__name__)
FOLDER = "report"  # inside the folder of results, by default
MARKER = "burstsr-report.json"  # says that a folder is ours to write to
_STAMP = "made.json"  # beside a burst's page: what it was made from
_ASSETS = ("style.css", "viewer.js", "index.js", "live.js")
_MOST_THREADS = 4  # each holds an image


@dataclass(frozen=True)
class Built:
    """A finished page. index: its first file. problems: bursts that have none, and why."""

    index: Path
    bursts: int
    problems: tuple[tuple[str, str], ...]
    failures: int


def build(folders: Sequence[Path], out: Path | None = None, progress: Callable[[int, int], None] | None = None) -> Built:
    """Make or update the page of the results in the first folder, compared with those of the same frames in the others.

    out: where to; default `report` in the first folder. progress: called with bursts done and bursts. Images are made only where their sources changed.
    A burst that cannot be shown costs only itself. Raises OutputError.
    """
    out = folders[0] / FOLDER if out is None else out
    try:
        _claim(out)
        found = collect(folders)
        shown = [burst for burst in found.bursts if burst.shown is not None]
        named = [None, *((burst.name, burst.slug) for burst in shown), None]
        places = {burst.name: Neighbours(named[n], named[n + 2]) for n, burst in enumerate(shown)}
        cards: list[Card] = []
        with ThreadPoolExecutor(min(_MOST_THREADS, thread_count()), thread_name_prefix="burstsr-report") as pool:
            for card in pool.map(partial(_card, out, places), found.bursts):
                cards.append(card)
                if progress:
                    progress(len(cards), len(found.bursts))
        _write(out / "index.html", index_page(f"Bursts in {folders[0].resolve().name or folders[0]}", cards, found))
        _remove_others(out / "bursts", {burst.slug for burst in shown})
    except BurstsrError:
        raise
    except OSError as error:
        raise OutputError(f"{error.filename or out}: cannot be written ({error.strerror or error})") from error
    problems = tuple((card.burst.name, card.problem) for card in cards if card.problem)
    return Built(out / "index.html", len(cards) - len(problems), problems, len(found.failures))


def _claim(out: Path) -> None:
    """Make the folder, with what all pages share. Raises OutputError where it holds files that are not ours."""
    marker = out / MARKER
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not marker.is_file())):
        raise OutputError(f"{out}: exists, and is not a page of burstsr report; choose another folder with --output")
    (out / "assets").mkdir(parents=True, exist_ok=True)
    if not marker.is_file():
        marker.write_text(json.dumps({"generator": "burstsr report"}) + "\n", encoding="utf-8")
    for name in _ASSETS:
        _write(out / "assets" / name, files("burstsr.html_report").joinpath("assets", name).read_text(encoding="utf-8"))


def _card(out: Path, places: Mapping[str, Neighbours], burst: BurstResult) -> Card:
    """Make a burst's page; return its card in the index."""
    shown = burst.shown
    if shown is None:
        return Card(burst, None, burst.variants[0].problem)
    folder = out / "bursts" / burst.slug
    folder.mkdir(parents=True, exist_ok=True)
    key = _key(burst, places[burst.name])
    small = _made(folder, key)
    if small is not False:
        return Card(burst, small)
    try:
        notes = [variant.problem for variant in burst.variants if variant.problem]
        data = read_data(burst, notes)
        pictures, facts = make_pictures(burst, data, folder, notes)
        _write(folder / "index.html", burst_page(burst, data, pictures, places[burst.name], notes))
        remove_old(folder, burst)
        path = facts["thumbnail"]
        small = path and (f"bursts/{burst.slug}/{path[0]}", path[1], path[2])
        _write(folder / _STAMP, json.dumps({"key": key, "thumbnail": small}))
    except OSError:
        raise
    except Exception as error:  # whatever a damaged record holds must not affect the others
        log.info("burst %s", burst.name, exc_info=True)
        problem = f"its page cannot be made ({type(error).__name__}: {error})"[:300]
        _write(folder / "index.html", page(burst.name, f'<main id="main"><h1>{text(burst.name)}</h1><p>{text(problem)}</p></main>', "../../"))
        return Card(burst, None, problem)
    return Card(burst, small)


def _key(burst: BurstResult, neighbours: Neighbours) -> str:
    """Return what identifies all that a burst's page is made from, this program included."""
    parts: list[object] = [_program(), digest_of_images(burst), neighbours]
    for variant in burst.variants:
        parts.append((str(variant.record), variant.label, variant.problem, state_of(variant.record)))
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()


@cache
def _program() -> str:
    """Return a digest of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _made(folder: Path, key: str) -> tuple[str, int, int] | None | Literal[False]:
    """Return the thumbnail, or None, of a page that was made from what `key` identifies; False where it has to be made."""
    try:
        stamp = json.loads((folder / _STAMP).read_bytes())
        small = stamp["thumbnail"]
        if stamp["key"] != key or not (folder / "index.html").is_file():
            return False
        return None if small is None else (str(small[0]), int(small[1]), int(small[2]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False


def _write(path: Path, content: str) -> None:
    """Write a text file, unless it is there with this content."""
    data = content.encode("utf-8", "backslashreplace")
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def _remove_others(folder: Path, slugs: set[str]) -> None:
    """Remove pages of bursts that are gone."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in slugs and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
