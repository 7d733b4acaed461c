"""Files of `benchmarks.wrong_inputs`: a valid burst, image and records of a few kilobytes, and faulty variants of each."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from burstsr.cli.simulated_files import write_simulated
from burstsr.simulate import SimulateSettings, simulate_burst

SIDE = 96
Bytes = bytes | bytearray
_NOISE = {"kind": "noise", "camera": "c", "iso": 100, "date": "d", "method": "m", "alpha": [1e-4] * 3, "beta": [1e-6] * 3}
_DEFECTS: dict[str, Any] = {"kind": "defects", "camera": "c", "iso": 100, "date": "d", "method": "m", "shape": [48, 48], "hot": [], "dead": []}
_LENS = {"kind": "lens", "camera": "c", "iso": 100, "date": "d", "method": "m", "psf_sigma_px": 0.4}
_MOTION = {"kind": "motion", "camera": "c", "iso": 100, "date": "d", "method": "m", "frame_interval_s": 0.03, "motions": [{"dy_px": 1.0}] * 3}
_RAW_TAGS = {"width": 256, "bits": 258, "compression": 259, "photometric": 262, "black": 50714, "white": 50717, "cfa": 33422}


def write_files(folder: Path) -> None:
    """Write all files below `folder`."""
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.uniform(0, 255, (12, 12, 3)).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "picture.png"), image)
    simulated = simulate_burst(image, SimulateSettings(frames=3, iso=100), rng, "a")
    write_simulated(folder / "burst", simulated, 0)
    for name in ("one", "none", "spoilt_truth", "a folder.dng"):
        (folder / name).mkdir()
    (folder / "one" / "frame_000.dng").write_bytes((folder / "burst" / "frame_000.dng").read_bytes())
    tifffile.imwrite(folder / "spoilt_truth" / "truth.tif", np.full((SIDE, SIDE, 3), 0.5, np.float32), photometric="rgb")
    (folder / "spoilt_truth" / "truth.json").write_text('{"scale": 2}')
    _write_raws(folder, (folder / "burst" / "frame_000.dng").read_bytes())
    _write_images(folder, (folder / "picture.png").read_bytes())
    for name, text in {**_settings(), **_motions(), **_profiles(), **_others()}.items():
        content = text if isinstance(text, Bytes) else (text if isinstance(text, str) else json.dumps(text)).encode()
        (folder / name).write_bytes(content)


def _write_raws(folder: Path, good: bytes) -> None:
    spoilt = {
        "empty": b"",
        "text": b"no picture",
        "header": good[:8],
        "cut": good[: len(good) // 2],
        "noise": np.random.default_rng(1).bytes(5000),
        "zeros": bytes(5000),
        "loop": b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 330, 4, 1, 8) + b"\x08\0\0\0",
        "far": b"II*\0" + struct.pack("<I", 2**32 - 1),
        "many": b"II*\0\x08\0\0\0\xff\xff" + good[:100],
        **{f"{name}_{value}": _with_tag(good, tag, value) for name, tag in _RAW_TAGS.items() for value in (0, 65535)},
    }
    for name, content in spoilt.items():
        (folder / f"{name}.dng").write_bytes(content)


def _with_tag(content: bytes, tag: int, value: int) -> bytes:
    """A TIFF whose every entry of `tag`, in whatever directory, says `value` in all its bytes."""
    found = bytearray(content)
    at = found.find(struct.pack("<H", tag))
    while at >= 0:
        kind, count = struct.unpack_from("<HI", found, at + 2)
        if 1 <= kind <= 12 and 1 <= count <= 64:
            found[at + 8 : at + 12] = struct.pack("<I", value if kind in (3, 4) and count == 1 else value * 0x10001)
        at = found.find(struct.pack("<H", tag), at + 2)
    return bytes(found)


def _write_images(folder: Path, good: bytes) -> None:
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "vast.png").write_bytes(good[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + good[24:])
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    cv2.imwrite(str(folder / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(folder / "small.png"), np.zeros((40, 40, 3), np.uint8))
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        tifffile.imwrite(folder / f"{name}.tif", np.full((SIDE, SIDE, 3), value, np.float32), photometric="rgb")
    tifffile.imwrite(folder / "grey.tif", np.full((SIDE, SIDE), 0.5, np.float32))
    tifffile.imwrite(folder / "five.tif", np.zeros((SIDE, SIDE, 5), np.uint8), planarconfig="contig", photometric="minisblack")
    tifffile.imwrite(folder / "double.tif", np.zeros((SIDE, SIDE, 3), np.complex128), photometric="rgb")
    (folder / "text.tif").write_bytes(b"no picture")


def _settings() -> Mapping[str, Any]:
    return {
        "syntax.toml": "scale = ",
        "range.toml": "[kernels]\nk_detail_px = 7\n",
        "unknown.toml": "[align]\ntiles = 7\n",
        "stage.toml": "[alignment]\ntile_px = 16\n",
        "group.toml": "align = 3\n",
        "table.toml": "[scale]\nx = 1\n",
        "text.toml": "scale = 'two'\n",
        "nan.toml": "scale = nan\n",
        "list.toml": "scale = [1, 2]\n",
        "date.toml": "scale = 2020-01-01\n",
        "digits.toml": "scale = " + "9" * 5000,
        "deep.toml": "scale = " + "[" * 20000,
        "twice.toml": "scale = 1\nscale = 2\n",
        "binary.toml": b"\xff\xfe\0s\0c",
        "deep.json": "[" * 100_000,
        "cut.json": "{",
        "list.json": "[1, 2]",
        "number.json": "7",
        "null.json": '{"scale": null}',
        "huge.json": '{"scale": 1e400}',
        "asked.json": {"settings_asked": {"scale": 9}},
    }


def _motions() -> Mapping[str, Any]:
    def three(**named: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        return [{}, named, {}]

    return {
        "m_1e308.json": three(dx_px=1e308),
        "m_nan.json": '[{}, {"dx_px": NaN}, {}]',
        "m_inf.json": '[{}, {"dx_px": -Infinity}, {}]',
        "m_1e999.json": '[{}, {"dx_px": 1e999}, {}]',
        "m_integer.json": '[{}, {"dx_px": 1' + "0" * 400 + "}, {}]",
        "m_turn.json": three(rotation_rad=1e9),
        "m_rows.json": three(dy_per_row=1e3),
        "m_slope.json": three(rotation_per_row=-0.01, dy_px=9e4, dx_per_row=0.5, dy_per_row=0.5),
        "m_text.json": three(dx_px="1"),
        "m_true.json": three(dx_px=True),
        "m_name.json": three(dz_px=1),
        "m_two.json": [{}, {}],
        "m_empty.json": [],
        "m_lists.json": [[0, 0]] * 3,
        "m_object.json": {"motions": {"0": {}}},
        "m_far.json": three(dx_px=9e4),
    }


def _profiles() -> Mapping[str, Any]:
    return {
        "p_noise.json": _NOISE,
        "p_motion.json": _MOTION,
        "p_nan.json": json.dumps(_NOISE).replace("0.0001", "NaN", 1),
        "p_two.json": {**_NOISE, "alpha": [1e-4] * 2},
        "p_one.json": {**_NOISE, "alpha": [1.5] * 3},
        "p_zero.json": {**_NOISE, "alpha": [0] * 3, "beta": [0] * 3},
        "p_iso.json": {**_NOISE, "iso": -1},
        "p_integer.json": json.dumps({**_NOISE, "iso": 0}).replace('"iso": 0', '"iso": 1' + "0" * 400),
        "p_black.json": {**_NOISE, "white_dn": 100, "black_dn": [[200, 0], [0, 0]]},
        "p_text.json": {**_NOISE, "alpha": "0.1"},
        "p_missing.json": {"kind": "noise"},
        "p_extra.json": {**_NOISE, "gamma": 1},
        "p_kind.json": {**_NOISE, "kind": ["noise"]},
        "p_list.json": [_NOISE],
        "p_outside.json": {**_DEFECTS, "hot": [[48, 0]]},
        "p_negative.json": {**_DEFECTS, "dead": [[-1, 0]]},
        "p_position.json": {**_DEFECTS, "hot": [[1, 2, 3]]},
        "p_offsets.json": {**_DEFECTS, "row_offset_dn": [1.0, 2.0]},
        "p_size.json": {**_DEFECTS, "shape": [96, 96]},
        "p_shape.json": {**_DEFECTS, "shape": [0, -5]},
        "p_lens.json": {**_LENS, "psf_sigma_px": 99},
        "p_lens.toml": "kind = 'lens'\npsf_sigma_px = ",
    }


def _header(value: Any) -> bytes:  # noqa: ANN401
    """A safetensors file without weights."""
    text = json.dumps(value).encode()
    return struct.pack("<Q", len(text)) + text


def _others() -> Mapping[str, Any]:
    row = "0.1,0.2,0.3,"
    return {
        "notes.txt": "notes",
        "psf_even.txt": "1 2\n3 4\n",
        "psf_nan.txt": "nan nan nan\n" * 3,
        "psf_zero.txt": "0 0 0\n" * 3,
        "psf_text.txt": "a b c\n" * 3,
        "psf_ragged.txt": "1 2 3\n1\n",
        "psf_vast.csv": "1," * 999 + "1\n",
        "psf.npy": b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (3, 3), }" + b" " * 56 + b"\n",
        "gyro_short.csv": (row + "1\n") * 3,
        "gyro_still.csv": (row + "5\n") * 40,
        "gyro_back.csv": "".join(f"{row}{t}\n" for t in (*range(30), *range(10))),
        "gyro_text.csv": "x,y,z,t\n" * 40,
        "gyro_huge.csv": "".join(f"1e308,1e308,1e308,{t}e-3\n" for t in range(900)),
        "table_list.json": [],
        "table_model.json": {"noiseprofiles": [{"maker": "M", "models": [{"model": "X", "profiles": [{"iso": "fast"}]}]}]},
        "table_short.json": {"noiseprofiles": [{"maker": "M", "models": [{"model": "X", "profiles": [{"iso": 100, "a": [1], "b": [1]}]}]}]},
        "text.safetensors": "no weights",
        "list.safetensors": _header({"__metadata__": []}),
        "deep.safetensors": struct.pack("<Q", 20000) + b"[" * 20000,
        "network.safetensors": _header({"__metadata__": {"descriptor": '{"name": "n", "architecture": "srcnn", "input": "y", "scale": 99}'}}),
        "sizes.safetensors": _header({"__metadata__": {"descriptor": '{"name": "n", "architecture": "srcnn", "input": "y", "scale": 2, "sizes": {"x": 1}}'}}),
        "vast.safetensors": struct.pack("<Q", 2**62) + b"{}",
        "text.pth": "no weights",
        "text.param": "7767517\nmany many\n",
    }
