"""Wrong command lines of simulate, single, train, calibrate, compare, benchmark, demo and of no command.

They run in the folder that `benchmarks.wrong_files` fills.
"""

from __future__ import annotations

from benchmarks.wrong_case import MANY_DIGITS, Case, each


def cases() -> list[Case]:
    """All of them."""
    return [case for group in (_simulate, _images, _single, _train, _calibrate, _compare, _benchmark, _rest) for case in group()]


def _simulate() -> list[Case]:
    ranges = {
        "frames": "0 -1 1001 1.5 x", "scale": "0.5 5 nan", "seed": "-1 x", "iso": "0 -5 nan inf 1e99", "blur": "-1 11 nan",
        "vignetting": "-0.1 0.95 nan", "bits": "9 17 x", "orientation": "0 9", "row-noise": "-1 2 nan", "hot-pixels": "-1 99999999",
        "noise": "1 1,1 -1,0 nan,0 a,b", "cfa": "RGBG XTRANS", "psf": "nope.txt .",
    }  # fmt: skip
    rows = [(f"--{name} {value}", f"--{name}" if name != "psf" else value) for name, values in ranges.items() for value in values.split()]
    rows += [(f"--psf psf_{name}", f"psf_{name}") for name in ("even.txt", "nan.txt", "zero.txt", "text.txt", "ragged.txt", "vast.csv")]
    return each(
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


def _images() -> list[Case]:
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
    rows = [(f"--scale {v}", "--scale") for v in ("0", "-1", "17", "nan", "x")] + [(f"--tile {v}", "--tile") for v in ("15", "-1", "99999999", "x")]
    rows += [(f"--blend {v}", "--blend") for v in ("2", "nan", "x", "0.5,", "0.5")]
    return each(
        "single picture.png -o out",
        *rows,
        ("--model magic", "magic"),
        ("--model _", "model"),
        ("--model notes.txt", "notes.txt"),
        ("--model text.safetensors", "text.safetensors"),
        ("--model vast.safetensors", "vast.safetensors"),
        ("--model text.pth", "text.pth"),
        ("--model list.safetensors", "list.safetensors"),
        ("--model deep.safetensors", "deep.safetensors"),
        ("--model network.safetensors", "network.safetensors"),
        ("--model sizes.safetensors", "sizes.safetensors"),
        ("--model text.param", "text"),
        ("--format dng", "dng"),
        ("--format gif", "--format"),
        ("--device abacus", "--device"),
    ) + each(
        "single",
        ("none -o out", "none"),
        ("nope -o out", "nope"),
        ("picture.png -o notes.txt", "notes.txt"),
        ("picture.png", "--output"),
        ("_ -o out", "empty argument"),
    )


def _train() -> list[Case]:
    ranges = {
        "steps": "0 -1 x", "batch": "0 9999", "patch-px": "7 4096", "rate": "0 nan 2", "final-rate": "-1 nan", "ema": "1 nan", "loss": "huber",
        "seed": "-1", "noise": "2 nan", "jpeg": "0 101", "blur-px": "-1 nan", "validate-every": "0", "pixel-weight": "-1 inf", "bf16": "maybe",
        "device": "abacus", "threads": "-1 99999",
    }  # fmt: skip
    rows = [(f"--data . --{name} {value}", f"--{name}") for name, values in ranges.items() for value in values.split()]
    return each(
        "train srcnn-x4 -o trained",
        *rows,
        ("--raw-data burst", "--raw-data"),
        ("--data none", "none"),
        ("--data nope", "nope"),
        ("--data notes.txt", "notes.txt"),
        ("--data . --perceptual-weight 1", "--perceptual-weight"),
        ("--data . --start text.safetensors --steps 1", "text.safetensors"),
    ) + each("train", ("srcnn-x99", "srcnn-x99"), ("srcnn-x4", "--data"), ("_", "empty argument"), ("srcnn-x4 --data . -o notes.txt --steps 1", "notes.txt"))


def _calibrate() -> list[Case]:
    gyro = [(f"motion --gyro gyro_{name}.csv --focal-px 3000", f"gyro_{name}.csv") for name in ("short", "still", "back", "text")]
    plans = {"focal-px": "0 nan inf", "frames": "1 1001", "interval": "0 nan", "readout": "-1 11", "rows": "0", "time-unit": "0 -1 nan"}
    gyro += [(f"motion --gyro gyro_huge.csv --focal-px 3000 --{name} {value}", f"--{name}") for name, values in plans.items() for value in values.split()]
    return each(
        "calibrate",
        *gyro,
        ("motion --gyro gyro_huge.csv --focal-px 3000 --frames 5", "gyro_huge.csv"),
        ("motion --gyro nope.csv --focal-px 3000", "nope.csv"),
        ("motion --gyro gyro_huge.csv", "--focal-px"),
        ("motion", "--gyro"),
        ("motion one", "one has 1"),
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
    return each(
        "compare",
        ("picture.png", "TRUTH"),
        ("nope.png picture.png", "nope.png"),
        ("picture.png nope.png", "nope.png"),
        ("picture.png dot.png", "dot.png"),
        ("picture.png picture.png --crop -1", "--crop"),
        ("picture.png picture.png --crop 48", "--crop"),
        (f"picture.png picture.png --crop {MANY_DIGITS}", "--crop"),
        ("picture.png picture.png --crop x", "--crop"),
        ("dot.png dot.png --crop 0", "1 x 1"),
        ("burst picture.png", "burst"),
        ("burst/frame_000.dng picture.png", "frame_000.dng"),
        ("notes.txt picture.png", "notes.txt"),
        ("spoilt_truth/truth.tif picture.png", "truth.json"),
        ("_ picture.png", "empty argument"),
    )


def _benchmark() -> list[Case]:
    quality = [(f"quality picture.png --output measured {more}", word) for more, word in (
        ("--iso 0", "--iso"), ("--iso nan", "--iso"), ("--frames 1.5", "--frames"), ("--frames 2000", "frames"), ("--scale 9", "scale"),
        ("--motion dance", "--motion"), ("--rows magic", "--rows"), ("--sections magic", "--sections"), ("--blur nan", "--blur"), ("--seed -1", "--seed"),
    )]  # fmt: skip
    return each(
        "benchmark",
        *quality,
        ("quality nope.png", "nope.png"),
        ("quality picture.png --output notes.txt", "notes.txt"),
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
    inspect = each(
        "inspect",
        ("nope", "nope"),
        ("none", "none"),
        ("burst --scale 0", "--scale"),
        ("burst --scale nan", "--scale"),
        ("", "PATH"),
        ("_", "empty argument"),
        ("notes.txt", "notes.txt"),
    )
    demo = each("demo", ("notes.txt", "notes.txt"), ("a b", "b"), ("--threads 0", "--threads"), ("_", "empty argument"), ("/dev/null/x", "/dev/null"))
    none = [Case(("magic",), "magic"), Case(("--json",), "--json"), Case(("",), "empty argument"), Case(("process", "--", "--json"), "--output")]
    return inspect + demo + none
