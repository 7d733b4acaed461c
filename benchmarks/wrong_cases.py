"""The command lines of `benchmarks.wrong_inputs`, each wrong in one way, with a word that the refusal must hold: the option, the file or the value.

They run in the folder that `benchmarks.wrong_files` fills.
"""

from __future__ import annotations

from typing import NamedTuple

_MANY_DIGITS = "9" * 5000


class Case(NamedTuple):
    """argv: the command line. says: what standard error must hold."""

    argv: tuple[str, ...]
    says: str


def cases() -> list[Case]:
    """All of them, by command."""
    groups = (_options, _process_files, _raws, _motions, _profiles, _settings, _simulate, _pictures, _single, _train, _calibrate, _compare, _benchmark, _rest)
    return [case for group in groups for case in group()]


def _each(base: str, *rows: tuple[str, str]) -> list[Case]:
    """A case for each (further arguments, word), blanks between arguments; a lone _ stands for an empty argument."""
    return [Case(tuple("" if word == "_" else word for word in f"{base} {more}".split()), says) for more, says in rows]


def _options() -> list[Case]:
    scales = [(f"--scale {v}", "--scale") for v in ("0", "0.99", "-2", "4.01", "nan", "inf", "1e308", "two", "_")]
    return _each(
        "process burst -o out",
        *scales,
        ("--mode slow", "--mode"),
        ("--mode", "--mode"),
        ("--format gif", "--format"),
        ("--format _", "--format"),
        ("--jobs 0", "--jobs"),
        ("--jobs -3", "--jobs"),
        ("--jobs 1.5", "--jobs"),
        (f"--jobs {_MANY_DIGITS}", "--jobs"),
        ("--threads 0", "--threads"),
        ("--threads 99999", "--threads"),
        ("--reference 3", "--reference"),
        ("--reference -1", "--reference"),
        ("--reference 1.5", "--reference"),
        ("--reference frame_009.dng", "--reference"),
        ("--reference _", "--reference"),
        (f"--reference {_MANY_DIGITS}", "--reference"),
        ("--reference ٣", "--reference"),
        ("--fallback magic", "--fallback"),
        ("--gap -1", "--gap"),
        ("--gap nan", "--gap"),
        ("--gap inf", "--gap"),
        ("--min-frames 0", "--min-frames"),
        ("--min-frames x", "--min-frames"),
        ("--scheduler nowhere", "nowhere"),
        ("--nonesuch", "--nonesuch"),
        ("--overwrite=yes", "--overwrite"),
    )


def _process_files() -> list[Case]:
    return _each(
        "process",
        ("burst", "--output"),
        ("nope -o out", "nope"),
        ("none -o out", "none"),
        ("notes.txt -o out", "notes.txt"),
        ("burst -o notes.txt", "notes.txt"),
        ("_ -o out", "INPUT"),
        ("burst -o _", "--output"),
        ("burst/frame_000.dng burst/frame_001.dng nope.dng -o out", "nope.dng"),
        (f"{'x' * 300} -o out", "xxx"),
        ("one -o out --fallback none", "--fallback none"),
        ("burst -o /dev/null/out", "/dev/null"),
        ("burst -o out --motion nope.json", "nope.json"),
        ("burst -o out --profile nope.json", "nope.json"),
        ("burst -o out --profile none --profile p_noise.json", "--profile none"),
        ("burst -o out --settings nope.toml", "nope.toml"),
    )


def _raws() -> list[Case]:
    files = ("empty text header cut noise zeros loop far many width_0 width_65535 bits_0 bits_65535 compression_0 compression_65535 photometric_0 black_65535 "
             "white_0 cfa_65535").split()  # fmt: skip
    inspected = [Case(("inspect", f"{name}.dng"), f"{name}.dng") for name in (*files, "a folder")]
    processed = [
        Case(("process", f"{name}.dng", "-o", "out"), f"{name}.dng") for name in ("empty", "cut", "noise", "loop", "width_65535", "white_0", "cfa_65535")
    ]
    single = [Case(("single", f"{name}.dng", "-o", "out"), f"{name}.dng") for name in ("empty", "cut", "zeros", "bits_65535")]
    return inspected + processed + single


def _motions() -> list[Case]:
    refused = "1e308 nan inf 1e999 integer turn rows slope text true name two empty lists object".split()
    rows = [(f"--motion m_{name}.json", f"m_{name}.json") for name in refused]
    simulated = _each("simulate picture.png -o simulated", *rows[:6], *rows[8:12], ("--motion m_far.json", "motion must stay within"))
    return (
        _each("process burst -o out", *rows, ("--motion notes.txt", "notes.txt"), ("--motion .", "not a file"), ("--motion cut.json", "cut.json")) + simulated
    )


def _profiles() -> list[Case]:
    names = "motion nan two one zero iso integer black text missing extra kind list outside negative position offsets size shape lens".split()
    rows = [(f"--profile p_{name}.json", f"p_{name}.json") for name in names]
    return _each("process burst -o out", *rows, ("--profile p_lens.toml", "p_lens.toml"), ("--profile deep.json", "deep.json"), ("--profile .", "not a file"))


def _settings() -> list[Case]:
    files = "syntax range unknown stage group table text nan list date digits deep twice binary".split()
    rows = [(f"--settings {name}.toml", f"{name}.toml") for name in files]
    rows += [(f"--settings {name}.json", f"{name}.json") for name in "deep cut list number null huge asked".split()]
    sets = "scale scale= =1 scale=0 scale=nan mode=slow align.tile_px=8.5 align.tile_px=7 align=1 a.b=1 . finish.tone=x defects.repair=1 scale.x=1 reference=-1"
    rows += [(f"--set {text}", "--set") for text in sets.split()]
    return _each("settings", *rows, ("--settings .", "not a file"), ("--settings /dev/zero", "not a file"), ("more", "more"))


def _simulate() -> list[Case]:
    ranges = {
        "frames": "0 -1 1001 1.5 x", "scale": "0.5 5 nan", "seed": "-1 x", "iso": "0 -5 nan inf 1e99", "blur": "-1 11 nan", "shading": "-0.1 0.95 nan", "bits": "9 17 x",
        "orientation": "0 9", "row-noise": "-1 2 nan", "hot-pixels": "-1 99999999", "noise": "1 1,1 -1,0 nan,0 a,b", "cfa": "RGBG XTRANS", "psf": "nope.txt .",
    }  # fmt: skip
    rows = [(f"--{name} {value}", f"--{name}" if name != "psf" else value) for name, values in ranges.items() for value in values.split()]
    rows += [(f"--psf psf_{name}", f"psf_{name}") for name in ("even.txt", "nan.txt", "zero.txt", "text.txt", "ragged.txt", "vast.csv")]
    return _each(
        "simulate picture.png -o simulated",
        *rows,
        ("--psf psf.npy", "psf.npy"),
        ("--psf cut.png", "cut.png"),
        ("--motion dance", "--motion"),
        ("--residue 1", "--residue"),
        ("--residue nan --motion tripod", "--residue"),
        ("--rolling-shutter 2", "--rolling-shutter"),
        ("--rolling-shutter 1 --motion tripod", "--rolling-shutter"),
        ("--camera X", "--noise-table"),
        ("--camera X --noise-table table_list.json", "table_list.json"),
        ("--camera X --noise-table table_model.json", "table_model.json"),
        ("--camera X --noise-table table_short.json", "table_short.json"),
        ("--camera Y --noise-table table_short.json", "--camera Y"),
        ("--camera X --noise-table deep.json", "deep.json"),
    )


def _pictures() -> list[Case]:
    names = (
        "empty.png",
        "text.png",
        "cut.png",
        "vast.png",
        "cut.jpg",
        "dot.png",
        "nan.tif",
        "grey.tif",
        "five.tif",
        "double.tif",
        "text.tif",
        "notes.txt",
        "nope.png",
    )
    simulated = [Case(("simulate", name, "-o", "simulated"), name) for name in names]
    linear = [Case(("simulate", name, "-o", "simulated", "--linear"), name) for name in ("nan.tif", "inf.tif", "text.tif")]
    single = [
        Case(("single", name, "-o", "out"), name) for name in ("empty.png", "text.png", "cut.png", "vast.png", "cut.jpg", "nan.tif", "five.tif", "double.tif")
    ]
    compared = [Case(("compare", name, "picture.png"), name) for name in ("empty.png", "cut.png", "vast.png", "cut.jpg", "nan.tif", "five.tif", "double.tif")]
    return simulated + linear + single + compared


def _single() -> list[Case]:
    rows = [(f"--scale {v}", "--scale") for v in ("0", "-1", "17", "nan", "1e-300", "x")] + [(f"--tile {v}", "--tile") for v in ("15", "-1", "99999999", "x")]
    rows += [(f"--blend {v}", "--blend") for v in ("2", "nan", "x", "0.5,", "0.5")]
    return _each(
        "single picture.png -o out",
        *rows,
        ("--model magic", "magic"),
        ("--model _", "model"),
        ("--model notes.txt", "notes.txt"),
        ("--model text.safetensors", "text.safetensors"),
        ("--model vast.safetensors", "vast.safetensors"),
        ("--model text.pth", "text.pth"),
        ("--model text.param", "text"),
        ("--format dng", "dng"),
        ("--format gif", "--format"),
        ("--device abacus", "--device"),
    ) + _each(
        "single",
        ("none -o out", "none"),
        ("nope -o out", "nope"),
        ("picture.png -o notes.txt", "notes.txt"),
        ("picture.png", "--output"),
        ("_ -o out", "INPUT"),
    )


def _train() -> list[Case]:
    ranges = {"steps": "0 -1 x", "batch": "0 9999", "patch-px": "7 4096", "rate": "0 nan 2", "final-rate": "-1 nan", "ema": "1 nan", "loss": "huber", "seed": "-1", "noise": "2 nan",
              "jpeg": "0 101", "blur-px": "-1 nan", "validate-every": "0", "pixel-weight": "-1 inf", "bf16": "maybe", "device": "abacus", "threads": "-1 99999"}  # fmt: skip
    rows = [(f"--data . --{name} {value}", f"--{name}") for name, values in ranges.items() for value in values.split()]
    return _each(
        "train srcnn-x4 -o trained",
        *rows,
        ("--raw-data burst", "--raw-data"),
        ("--data none", "none"),
        ("--data nope", "nope"),
        ("--data notes.txt", "notes.txt"),
        ("--data . --perceptual-weight 1", "--perceptual-weight"),
        ("--data . --start text.safetensors --steps 1", "text.safetensors"),
    ) + _each("train", ("srcnn-x99", "srcnn-x99"), ("srcnn-x4", "--data"), ("_", "MODEL"), ("srcnn-x4 --data . -o notes.txt --steps 1", "notes.txt"))


def _calibrate() -> list[Case]:
    gyro = [(f"motion --gyro gyro_{name}.csv --focal-px 3000", f"gyro_{name}.csv") for name in ("short", "still", "back", "text")]
    plans = {"focal-px": "0 nan inf", "frames": "1 1001", "interval": "0 nan", "readout": "-1 11", "rows": "0", "time-unit": "0 -1 nan"}
    gyro += [(f"motion --gyro gyro_huge.csv --focal-px 3000 --{name} {value}", f"--{name}") for name, values in plans.items() for value in values.split()]
    return _each(
        "calibrate",
        *gyro,
        ("motion --gyro gyro_huge.csv --focal-px 3000 --frames 5", "gyro_huge.csv"),
        ("motion --gyro nope.csv --focal-px 3000", "nope.csv"),
        ("motion --gyro gyro_huge.csv", "--focal-px"),
        ("motion", "--gyro"),
        ("motion one", "one"),
        ("noise", "PATH"),
        ("noise nope", "nope"),
        ("noise one", "frames"),
        ("noise burst --method magic", "--method"),
        ("noise burst --iso nan", "iso"),
        ("noise burst --iso 0", "iso"),
        ("noise --table table_list.json --camera X --iso 100", "table_list.json"),
        ("noise --table table_short.json --camera X --iso nan", "iso"),
        ("noise --table table_short.json", "--camera"),
        ("noise burst -o notes.txt", "notes.txt"),
        ("noise burst --darks nope", "nope"),
        ("defects one", "3"),
        ("defects burst --sigma 2", "--sigma"),
        ("defects burst --sigma nan", "--sigma"),
        ("lens burst --roi 1,2,3", "--roi"),
        ("lens burst --roi 0,0,9999,9999", "9999"),
        ("lens burst --roi -1,0,32,32", "--roi"),
        ("lens burst --burst --roi 0,0,32,32", "--roi"),
        ("lens one --burst", "one"),
        ("jiggle", "--frames"),
        ("jiggle --frames 1", "--frames"),
        ("jiggle --frames 4 --scale nan", "--scale"),
        ("jiggle --frames 4 --focal-px -1", "--focal-px"),
        ("jiggle --frames 4 -o notes.txt", "notes.txt"),
        ("jiggle --frames 4 --plot gif", "--plot"),
        ("list more", "more"),
        ("magic", "magic"),
        ("", "WHAT"),
    )


def _compare() -> list[Case]:
    return _each(
        "compare",
        ("picture.png", "TRUTH"),
        ("nope.png picture.png", "nope.png"),
        ("picture.png nope.png", "nope.png"),
        ("picture.png dot.png", "dot.png"),
        ("picture.png picture.png --crop -1", "--crop"),
        ("picture.png picture.png --crop 48", "--crop"),
        (f"picture.png picture.png --crop {_MANY_DIGITS}", "--crop"),
        ("picture.png picture.png --crop x", "--crop"),
        ("dot.png dot.png --crop 0", "dot.png"),
        ("burst picture.png", "burst"),
        ("burst/frame_000.dng picture.png", "frame_000.dng"),
        ("notes.txt picture.png", "notes.txt"),
        ("spoilt_truth/truth.tif picture.png", "truth.json"),
        ("_ picture.png", "PICTURE"),
    )


def _benchmark() -> list[Case]:
    quality = [(f"quality picture.png --out measured {more}", word) for more, word in (
        ("--iso 0", "--iso"), ("--iso nan", "--iso"), ("--frames 1.5", "--frames"), ("--frames 2000", "frames"), ("--scale 9", "scale"), ("--motion dance", "--motion"),
        ("--rows magic", "--rows"), ("--sections magic", "--sections"), ("--blur nan", "--blur"), ("--seed -1", "--seed"),
    )]  # fmt: skip
    return _each(
        "benchmark",
        *quality,
        ("quality nope.png", "nope.png"),
        ("quality picture.png --out notes.txt", "notes.txt"),
        ("residual nope", "nope"),
        ("residual one", "3"),
        ("residual burst --folds 1", "folds"),
        ("residual burst --scale nan", "scale"),
        ("residual burst --reference 9", "--reference"),
        ("residual burst --noise 1,2,3", "--noise"),
        ("merge --size 0x0", "--size"),
        ("merge --size nanMP", "--size"),
        ("merge --frames 0", "--frames"),
        ("merge --runs 0", "--runs"),
        ("merge --scale inf", "--scale"),
        ("pipeline --size 63x63", "63x63"),
        ("pipeline --counts 2", "--growth"),
        ("pipeline --frames 0", "frames"),
        ("pipeline --plot x.gif", "--plot"),
        ("single --data none", "none"),
        ("single --device abacus", "--device"),
        ("magic", "magic"),
        ("", "BENCHMARK"),
    )


def _rest() -> list[Case]:
    inspect = _each(
        "inspect",
        ("nope", "nope"),
        ("none", "none"),
        ("burst --scale 0", "--scale"),
        ("burst --scale nan", "--scale"),
        ("", "PATH"),
        ("_", "PATH"),
        ("notes.txt", "notes.txt"),
    )
    demo = _each("demo", ("notes.txt", "notes.txt"), ("a b", "b"), ("--threads 0", "--threads"), ("_", "OUT"), ("/dev/null/x", "/dev/null"))
    return inspect + demo + [Case(("magic",), "magic"), Case(("--json",), "--json"), Case(("",), "COMMAND"), Case(("process", "--", "--json"), "--output")]
