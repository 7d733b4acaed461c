"""Cases of `benchmarks.fuzz`: a mutated file, and what reads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.fuzz_mutations import Rng, gain_map_bomb, mutated_bytes, mutated_text, mutated_tiff, with_tag
from benchmarks.wrong_files import write_files
from benchmarks.wrong_inputs import run_here

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="a &amp; b">'
    b"<dc:title>t</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)
_MOST_SHOT = {"iso": 1e9, "exposure_s": 1e8, "aperture": 1e5, "focal_mm": 1e7}


class Case(NamedTuple):
    """kind: key of KINDS. run: reads the file; returns what of its result makes no sense, or ''."""

    kind: str
    file_name: str
    content: bytes
    run: Callable[[Path], str]


def case(seed: int, number: int, folder: Path, kinds: tuple[str, ...]) -> Case:
    """Return case `number`, made from the files that `write_sources` wrote to `folder`."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([_SHARES[kind] for kind in kinds], float)
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    name, content, run = KINDS[kind](folder, rng)
    return Case(kind, name, content, run)


def write_sources(folder: Path, results: bool = True) -> None:
    """Write valid files of each kind below `folder`. results: those of RESULTS too, which takes a run of the pipeline."""
    from burstsr.io import opcodes, tags, tiff
    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.raw import read_frame

    write_files(folder)
    frame = read_frame(folder / "burst" / "frame_000.dng")
    gains = opcodes.whole_frame(np.linspace(1, 2, 12, dtype=np.float32).reshape(3, 4), frame.info.shape)
    extra = {tags.OPCODES_2: tiff.Entry(tiff.UNDEFINED, opcodes.written_gain_maps([gains])), tags.XMP: tiff.Entry(tiff.BYTE, _XMP)}
    write_cfa_dng(folder / "gains.dng", frame, extra=extra)
    _write_plain_dng(folder / "burst" / "frame_001.dng", folder / "plain.dng")
    picture = cv2.imread(str(folder / "picture.png"))
    assert picture is not None
    for suffix in ("jpg", "bmp", "webp", "tif"):
        cv2.imwrite(str(folder / f"picture.{suffix}"), picture)
    cv2.imwrite(str(folder / "stack.tif"), frame.mosaic)
    _write_fits(folder / "frame.fits", frame.mosaic)
    if not results:
        return
    answer = run_here(("process", str(folder / "burst"), "-o", str(folder / "done"), "--scale", "1", "--format", "tiff32"))
    if answer.status:
        raise RuntimeError(answer.err)


def _write_plain_dng(source: Path, target: Path) -> None:
    """Write a frame uncompressed, as LibRaw decodes it."""
    from burstsr.io import tags as t
    from burstsr.io import tiff
    from burstsr.io.raw import read_frame

    frame, found = read_frame(source), t.read_tags(source)
    kept = {
        code: entry for code, entry in found.raw.items() if code not in (t.TILE_WIDTH, t.TILE_HEIGHT, tiff.TILE_OFFSETS, tiff.TILE_COUNTS, tiff.EXIF_DIRECTORY)
    }
    directory = {
        **kept,
        t.BITS: tiff.integers(tiff.SHORT, 16),
        t.COMPRESSION: tiff.integers(tiff.SHORT, 1),
        t.ROWS_PER_STRIP: tiff.integers(tiff.LONG, frame.info.shape[0]),
    }
    with target.open("wb") as file:
        tiff.write_tiff(file, tiff.Image(directory, [frame.mosaic.tobytes()]), {tiff.EXIF_DIRECTORY: found.exif})


def _write_fits(path: Path, mosaic: Any) -> None:  # noqa: ANN401
    cards = [
        *("SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2", f"NAXIS1  = {mosaic.shape[1]:20d}"),
        *(f"NAXIS2  = {mosaic.shape[0]:20d}", "BZERO   =              32768.0", "BSCALE  =                  1.0", "EXPTIME =                  2.0"),
        *("BAYERPAT= 'RGGB    '", "GAIN    =                  100", "EGAIN   =                  1.5", "RDNOISE =                  3.5", "END"),
    ]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    data = (mosaic.astype(np.int32) - 32768).astype(">i2").tobytes()
    path.write_bytes(head + data + bytes(-len(data) % 2880))


def _raw(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    data = _source(folder, rng, "burst/frame_000.dng", "plain.dng", "gains.dng")
    how = rng.random()
    if how < 0.06:
        bomb = gain_map_bomb(rng)
        data = with_tag(data, 51009, 7, len(bomb), bomb, rng)
    elif how < 0.14:
        xmp = mutated_bytes(_XMP, rng)
        data = with_tag((folder / "gains.dng").read_bytes(), 700, 1, len(xmp), xmp, rng)
    elif how < 0.2:
        sides = [int(rng.choice([1, 2, 3, 64, 256, 5003, 65535])) for _ in range(2)]
        data = with_tag(data, 50713, 3, 2, np.array(sides, "<u2").tobytes(), rng)
        count = min(sides[0] * sides[1], 30_000_000)
        data = with_tag(data, 50714, 3, count, np.full(count, 64, "<u2").tobytes(), rng)
    else:
        data = mutated_tiff(data, rng) if how < 0.8 else mutated_bytes(data, rng)
    return "mutated.dng", data, _frame


def _frame(file: Path) -> str:
    """Read a frame, and write a result with its metadata."""
    from xml.etree import ElementTree

    from burstsr.core.provenance import Provenance
    from burstsr.core.result import Result
    from burstsr.io.dng import write_dng
    from burstsr.io.raw import read_frame
    from burstsr.io.tags import XMP, read_tags

    frame = read_frame(file)
    wrong = _nonsense(frame.info, frame.mosaic)
    if not wrong and frame.mosaic.size < 1e6:
        image = np.full((32, 48, len(frame.info.cfa.channels)), 0.5, np.float32)
        write_dng(
            file.parent / "result.out", Result(image, replace(frame.info, path=file), 1.0, provenance=Provenance("compositeWithTrainedAlgorithmicMedia", "how"))
        )
        xmp = read_tags(file.parent / "result.out").first[XMP].data
        try:
            ElementTree.fromstring(xmp.decode())
        except (ElementTree.ParseError, UnicodeDecodeError) as error:
            wrong = f"XMP is not well-formed: {error}"
    return wrong


def _nonsense(info: Any, mosaic: Any) -> str:  # noqa: ANN401
    """Return what of a frame's description cannot be."""
    for name, most in _MOST_SHOT.items():
        if not 0 <= getattr(info, name) <= most:
            return f"{name} {getattr(info, name)}"
    if not np.isfinite(info.levels.black).all() or not info.levels.black.max() < info.levels.white < 1e9:
        return f"levels {info.levels}"
    neutral, matrix = info.colour.as_shot_neutral, info.colour.xyz_to_camera
    if not (np.isfinite(neutral).all() and (neutral > 0).all()):
        return f"neutral {neutral}"
    if matrix is not None and not np.isfinite(matrix).all():
        return f"matrix {matrix}"
    if info.noise is not None and not (np.isfinite([info.noise.alpha, info.noise.beta]).all() and min(info.noise.alpha.min(), info.noise.beta.min()) >= 0):
        return f"noise {info.noise}"
    return "" if mosaic.shape == info.shape else f"pixels {mosaic.shape} of {info.shape}"


def _other_raw(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    name = ("frame.fits", "stack.tif")[int(rng.integers(2))]
    data = (folder / name).read_bytes()
    return f"mutated{Path(name).suffix}", mutated_tiff(data, rng) if name == "stack.tif" and rng.random() < 0.6 else mutated_bytes(data, rng), _frame_alone


def _frame_alone(file: Path) -> str:
    from burstsr.io.raw import read_frame

    frame = read_frame(file)
    return _nonsense(frame.info, frame.mosaic)


def _image(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    name = ("picture.png", "picture.jpg", "picture.bmp", "picture.webp", "picture.tif", "burst/truth.tif")[int(rng.integers(6))]
    data = (folder / name).read_bytes()
    data = mutated_tiff(data, rng) if name.endswith(".tif") and rng.random() < 0.7 else mutated_bytes(data, rng)
    return f"mutated{Path(name).suffix}", data, _read_image


def _read_image(file: Path) -> str:
    from burstsr.core.errors import InputFileError
    from burstsr.io.display import read_display
    from burstsr.io.images import read_image

    try:
        shown = read_display(file).pixels
        if shown.dtype.kind == "f" and not np.isfinite(shown).all():
            return "not finite"
    except InputFileError as error:
        if file.name not in str(error):
            raise
    return "" if np.isfinite(read_image(file).rgb).all() else "not finite"


def _linear(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    name = ("done/burst.dng", "done/burst.linear.tif")[int(rng.integers(2))]
    data = (folder / name).read_bytes()
    return f"mutated{Path(name).suffix}", mutated_tiff(data, rng) if rng.random() < 0.7 else mutated_bytes(data, rng), _read_linear


def _read_linear(file: Path) -> str:
    from burstsr.io.linear_dng import linear_info, read_linear_dng, read_linear_tiff

    if file.suffix == ".dng":
        image = read_linear_dng(file)
        linear_info(file, image)
    else:
        found = read_linear_tiff(file)
        if found is None:
            return ""
        image = found
    fine = np.isfinite(image.rgb).all() and np.isfinite(image.colour.as_shot_neutral).all() and 0 <= image.orientation <= 8
    return "" if fine else f"{image.colour}, orientation {image.orientation}"


def _text(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    from burstsr.core.tables import as_toml
    from burstsr.settings import Settings

    names = ("p_noise.json", "p_motion.json", "p_outside.json", "p_lens.json", "burst/truth.json", "psf", "settings", "gyro")
    name = names[int(rng.integers(len(names)))]
    if name == "settings":
        return "mutated.toml", mutated_text(as_toml(Settings()), rng), _read_settings
    if name == "psf":
        return "mutated.txt", mutated_text("0 1 0\n1 4 1\n0 1 0\n", rng), _read_psf
    if name == "gyro":
        return "mutated.csv", mutated_text("".join(f"0.01,0.02,0.03,{t / 100}\n" for t in range(60)), rng), _read_gyro
    text = (folder / name).read_text().replace("[48, 0]", "[40, 0]").replace(": 99", ": 0.5")
    return "mutated.json", mutated_text(text, rng), _read_truth if name.endswith("truth.json") else _read_record


def _read_settings(file: Path) -> str:
    from burstsr.core.tables import changed, read_table
    from burstsr.settings import Settings

    table = read_table(file)
    try:
        changed(Settings(), table)
    except ValueError as error:  # the command line adds the file
        from burstsr.core.errors import SettingsError

        raise (SettingsError(f"{file}: {error}") if isinstance(error, SettingsError) else error) from error
    return ""


def _read_psf(file: Path) -> str:
    from burstsr.io.psf import read_psf

    return "" if np.isfinite(read_psf(file)).all() else "not finite"


def _read_gyro(file: Path) -> str:
    from calibration.gyro import read_gyro

    read_gyro(file)
    return ""


def _read_record(file: Path) -> str:
    from burstsr.profiles.files import read_record, to_dict
    from burstsr.simulate import read_motions

    json.dumps(to_dict(read_record(file)), allow_nan=False)
    read_motions(file)
    return ""


def _read_truth(file: Path) -> str:
    from burstsr.simulate import read_truth

    read_truth(file)
    return ""


def _weights(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    import single

    data = (Path(single.__file__).parent / "weights" / "srcnn-x2.safetensors").read_bytes()
    if rng.random() < 0.5:
        length = int.from_bytes(data[:8], "little")
        head = mutated_text(data[8 : 8 + length].decode(), rng)
        data = len(head).to_bytes(8, "little") + head + data[8 + length :]
    else:
        data = mutated_bytes(data, rng)
    return "mutated.safetensors", data, _read_weights


def _read_weights(file: Path) -> str:
    from single.inference import Request, make_upscaler

    image = np.random.default_rng(0).uniform(0, 1, (24, 32, 3)).astype(np.float32)
    upscaler = make_upscaler(Request(str(file), 2.0))
    return "" if np.isfinite(upscaler.image(image)).all() else "not finite"


def _command(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    """A mutated frame among the others of a burst, through a command."""
    name, data, _ = _raw(folder, rng)
    line = (
        ("inspect", "BURST"),
        ("inspect", "--json", "BURST"),
        ("process", "BURST", "-o", "OUT", "--scale", "1"),
        ("single", "FILE", "-o", "OUT", "--model", "bilinear"),
    )
    return name, data, _Command(line[int(rng.integers(len(line)))])


def _record(folder: Path, rng: Rng) -> tuple[str, bytes, Callable[[Path], str]]:
    """The record of a finished burst, mutated; the command must skip the burst, process it or say what is wrong."""
    return "burst.json", mutated_text((folder / "done" / "burst.json").read_text(), rng), _run_again


def _run_again(file: Path) -> str:
    done = file.parent / "again"
    shutil.copytree(file.parents[1] / "done", done)
    shutil.copy(file, done / "burst.json")
    return _said(("process", str(file.parents[1] / "burst"), "-o", str(done), "--scale", "1"), "burst")


class _Command:
    """Runs a command line on the file, or on a burst that contains it."""

    def __init__(self, line: tuple[str, ...]) -> None:
        self._line = line

    def __call__(self, file: Path) -> str:
        """Run it; raises what `_said` raises."""
        burst = file.parent / "burst"
        burst.mkdir()
        for frame in (file.parents[1] / "burst").glob("*.dng"):
            shutil.copy(frame, burst)
        shutil.copy(file, burst / file.name)
        places = {"BURST": str(burst), "FILE": str(file), "OUT": str(file.parent / "out")}
        return _said(tuple(places.get(word, word) for word in self._line), file.name)


def _said(line: tuple[str, ...], name: str) -> str:
    """Return '' where a command line succeeds; raise InputFileError where it says why it does not, RuntimeError where that is a bug."""
    from burstsr.core.errors import InputFileError

    answer = run_here(line)
    if "Traceback" in answer.err or "unexpected " in answer.err or "Warning: " in answer.err:
        raise RuntimeError(answer.err)
    if "not enough memory" in answer.err:
        raise MemoryError(answer.err)
    if answer.status:
        said = answer.err + answer.out
        raise InputFileError(said if name in said else f"no reason: {said}")
    return ""


def _source(folder: Path, rng: Rng, *names: str) -> bytes:
    return (folder / names[int(rng.integers(len(names)))]).read_bytes()


KINDS: dict[str, Callable[[Path, Rng], tuple[str, bytes, Callable[[Path], str]]]] = {
    "raw": _raw,
    "other raw": _other_raw,
    "image": _image,
    "linear": _linear,
    "text": _text,
    "weights": _weights,
    "record": _record,
    "command": _command,
}
RESULTS = ("linear", "record")  # made from results
_SHARES = {"raw": 40, "other raw": 10, "image": 15, "linear": 10, "text": 12, "weights": 3, "record": 4, "command": 6}
