"""The models that `burstsr single --model` knows: built in, in the package, in pip packages, and in the user's folder. Does not require torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from burstsr.core.errors import BurstsrError
from single.classical import METHODS
from single.loading.registry import NAMES, SUFFIXES, Weights, all_weights, find, models_folder


@dataclass(frozen=True)
class Listed:
    """A model. scales: of its networks; empty: any. files: of its weights. missing: how to get them, "" where installed. licence: of weights, if known."""

    name: str
    scales: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    missing: str = ""
    licence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the model ready for JSON."""
        return {**asdict(self), "installed": not self.missing}

    def to_text(self) -> str:
        """Return one line."""
        if self.missing:
            return f"{self.name}: NOT installed: {self.missing}"
        scales = ", ".join(f"x{scale}" for scale in self.scales) or ("as in the file" if self.files else "any scale")
        return f"{self.name}: {scales}" + "".join(f"\n    {file}" for file in self.files) + (f"\n    licence: {self.licence}" if self.licence else "")


def listed() -> list[Listed]:
    """Return all models by name: interpolation, then networks, then other files of the user's folder."""
    found = [Listed(name) for name in METHODS]
    for name in NAMES:
        try:
            find(name)
            found.append(_of(name, all_weights(name)))
        except BurstsrError as error:
            found.append(Listed(name, missing=str(error).partition(": ")[2]))
    known = {file for model in found for file in model.files}
    return found + [Listed(path.stem, files=(str(path),)) for path in _own_files() if str(path) not in known]


def _of(name: str, weights: Iterable[Weights]) -> Listed:
    by_scale = sorted(weights, key=lambda w: w.scale or 0)
    licences = dict.fromkeys(text for each in by_scale if (text := _licence(each.path)))
    return Listed(name, tuple(w.scale for w in by_scale if w.scale), tuple(str(w.path) for w in by_scale), licence="; ".join(licences))


def _licence(path: Path) -> str:
    """Return the licence in the header of a file that burstsr wrote, and what it was trained on."""
    if path.suffix != ".safetensors":
        return ""
    from single.weights_file import read_header

    try:
        _, facts = read_header(path)
    except BurstsrError:
        return ""
    return ", trained on ".join(part for part in (facts.get("licence", ""), facts.get("data", "")) if part)


def _own_files() -> list[Path]:
    folder = models_folder()
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.suffix != ".bin") if folder.is_dir() else []
