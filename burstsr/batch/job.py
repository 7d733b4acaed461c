"""A burst to process, and its outcome."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from burstsr.batch.fallback import FALLBACK, renamed
from burstsr.core.deprecated import with_new_setting_names
from burstsr.core.schema import with_both_names
from burstsr.io.owned import ResultFiles
from burstsr.profiles.apply import CalibrationInputs
from burstsr.settings import Settings

SUFFIX = {"dng": ".dng", "jpg": ".jpg", "tiff": ".tif", "tiff32": ".linear.tif", "png": ".png", "exr": ".exr", "fits": ".fits"}
REPORT = "report"  # data for the page that `burstsr report` makes, `batch.report_data`
SUFFIX_OF = {**SUFFIX, REPORT: ".report.npz"}
ALWAYS = ("dng", "jpg")
NO_TIME = "no time"  # in fingerprints
STANDARD = (".dng", ".jpg")  # outputs of records that list none
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Job:
    """A burst to process. name: of the burst and its files. formats: keys of SUFFIX_OF, including ALWAYS.

    fingerprints: identify each frame among files of the same name. threads: 0 = all cores. known: calibration and motion. fallback: one of
    `batch.fallback.FALLBACKS`. overwrite: replace existing results. contents: of each frame's file, `batch.contents`. memory_limit: in bytes, if one was
    given, else 0. images_on_disk: whether images of the result's size wait in temporary files.
    """

    name: str
    paths: tuple[Path, ...]
    out: Path
    formats: tuple[str, ...]
    settings: Settings
    fingerprints: tuple[str, ...]
    threads: int = 0
    known: CalibrationInputs = field(default_factory=CalibrationInputs)
    fallback: str = FALLBACK
    overwrite: bool = False
    contents: tuple[str, ...] = ()
    memory_limit: int = 0
    images_on_disk: bool = False

    @property
    def images(self) -> dict[str, Path]:
        """Return the path of each format."""
        return {f: self.out / (self.name + SUFFIX_OF[f]) for f in self.formats}

    @property
    def record(self) -> Path:
        """Return the path of the JSON that is written last: with it, the burst is complete."""
        return self.out / (self.name + ".json")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Return all files of the burst, the record last."""
        return (*self.images.values(), self.record)

    @property
    def files(self) -> ResultFiles:
        """Return the burst's files, and the record that lists them."""
        return result_files(self.out, self.name)

    def other_frames(self) -> str:
        """Return why existing files do not belong to this burst (they were made from different frames), or ''."""
        old = recorded(self.record, "fingerprints")
        if not isinstance(old, list):
            return ""
        changed = self._other_contents() if old == list(self.fingerprints) else 0
        if old == list(self.fingerprints) and not changed:
            return ""
        what = f"the content of {changed} changed, not its size" if changed else changed_frames(old, self.fingerprints)
        return f"{self.record} was made from different frames ({what}); use --overwrite to replace it, or choose another output folder"

    def _other_contents(self) -> int:
        """Return how many frames have another content than those of the record; 0 where that does not tell."""
        old = recorded(self.record, "contents")
        known = isinstance(old, list) and len(old) == len(self.contents)
        return sum(was != now for was, now in zip(old, self.contents, strict=True)) if known else 0

    def other_settings(self) -> bool:
        """Whether the existing files were made with other settings."""
        asked = recorded(self.record, "settings_asked")
        if isinstance(asked, dict) and "fallback" in asked:
            asked["fallback"] = renamed(asked["fallback"])
        return asked is not None and (not isinstance(asked, dict) or with_new_setting_names(asked) != json.loads(json.dumps(self.asked)))

    def damaged(self) -> tuple[str, ...]:
        """Return why frames are missing from the existing result, one reason for each."""
        reasons = recorded(self.record, "damaged_frames")
        return tuple(reason for reason in reasons if isinstance(reason, str) and reason) if isinstance(reasons, list) else ()

    @property
    def asked(self) -> dict[str, Any]:
        """Return the requested settings and files, ready for JSON."""
        return {**asdict(self.settings), **self.known.to_dict(), "fallback": self.fallback}


def recorded(record: Path, name: str) -> Any:  # noqa: ANN401  any JSON
    """Return the value of `name` in a result's record; None without a record or value."""
    try:
        return with_both_names(json.loads(record.read_text(encoding="utf-8")))[name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return None


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job. reason: why it failed or was skipped. outputs: its files, if any. advice: how to improve the
    next capture. damaged: why frames are missing from the result, one reason for each. may_pass: whether another try may succeed. attempts: so far.
    """

    name: str
    status: Literal["done", "skipped", "failed", "planned"]
    frames: int
    reason: str = ""
    outputs: tuple[Path, ...] = ()
    seconds: float = 0.0
    advice: str = ""
    damaged: tuple[str, ...] = ()
    may_pass: bool = False
    attempts: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome ready for JSON."""
        return {**asdict(self), "outputs": [str(p) for p in self.outputs], "seconds": round(self.seconds, 3)}


def result_files(folder: Path, name: str) -> ResultFiles:
    """Return the files of the burst `name`."""

    def complete(record: Mapping[str, Any]) -> bool:
        fingerprints = record.get("fingerprints")
        return record.get("burst") == name and isinstance(fingerprints, list) and all(isinstance(f, str) for f in fingerprints)

    return ResultFiles(folder, f"{name}.json", complete, lambda record: [name + suffix for suffix in STANDARD])


def changed_frames(old: Sequence[str], new: Sequence[str]) -> str:
    """Describe how the frames of a record differ from the current ones, by the fingerprints of `Job`.

    >>> changed_frames(["a.dng, 9 bytes", "b.dng, 9 bytes"], ["a.dng, 9 bytes", "b.dng, 7 bytes", "c.dng, 9 bytes"])
    '1 frame added, 1 changed'
    """
    was, now = ({f.rpartition(" bytes")[0].rpartition(", ")[0]: f for f in fingerprints} for fingerprints in (old, new))
    counts = Counter(added=len(now.keys() - was.keys()), gone=len(was.keys() - now.keys()))
    counts["changed"] = sum(was[name] != now[name] for name in was.keys() & now.keys())
    parts = [f"{number} {what}" for what, number in counts.items() if number]
    if not parts:
        return "in another order"
    first, _, rest = parts[0].partition(" ")
    return ", ".join([f"{first} frame{'s' if first != '1' else ''} {rest}", *parts[1:]])
