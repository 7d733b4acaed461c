"""Wrong command lines of process, inspect and settings, and of every command that reads raw files, motion or profiles.

They run in the folder that `benchmarks.wrong_files` fills.
"""

from __future__ import annotations

from benchmarks.wrong_case import MANY_DIGITS, Case, each


def cases() -> list[Case]:
    """All of them."""
    return [case for group in (_options, _process_files, _raws, _motions, _profiles, _settings) for case in group()]


def _options() -> list[Case]:
    scales = [(f"--scale {v}", "--scale") for v in ("0", "0.99", "-2", "4.01", "nan", "inf", "1e308", "two", "_")]
    return each(
        "process burst -o out",
        *scales,
        ("--mode slow", "--mode"),
        ("--mode", "--mode"),
        ("--format gif", "--format"),
        ("--format _", "--format"),
        ("--jobs 0", "--jobs"),
        ("--jobs -3", "--jobs"),
        ("--jobs 1.5", "--jobs"),
        (f"--jobs {MANY_DIGITS}", "--jobs"),
        ("--threads 0", "--threads"),
        ("--threads 99999", "--threads"),
        ("--reference 3", "--reference"),
        ("--reference -1", "--reference"),
        ("--reference 1.5", "--reference"),
        ("--reference frame_009.dng", "--reference"),
        ("--reference _", "--reference"),
        (f"--reference {MANY_DIGITS}", "--reference"),
        ("--reference ٣", "--reference"),
        ("--fallback magic", "--fallback"),
        ("--gap -1", "--gap"),
        ("--gap nan", "--gap"),
        ("--min-frames 0", "--min-frames"),
        ("--min-frames x", "--min-frames"),
        ("--scheduler nowhere", "nowhere"),
        ("--nonesuch", "--nonesuch"),
        ("--overwrite=yes", "--overwrite"),
    )


def _process_files() -> list[Case]:
    return each(
        "process",
        ("burst", "--output"),
        ("nope -o out", "nope"),
        ("none -o out", "none"),
        ("notes.txt -o out", "notes.txt"),
        ("burst -o notes.txt", "notes.txt"),
        ("_ -o out", "empty argument"),
        ("burst -o _", "empty argument"),
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
    files = "empty text header cut noise zeros loop far many width_0 photometric_0 black_65535 white_0 cfa_65535".split()
    inspected = [Case(("inspect", f"{name}.dng"), f"{name}.dng") for name in (*files, "a folder")]
    processed = [
        Case(("process", f"{name}.dng", "-o", "out"), f"{name}.dng")
        for name in ("empty", "cut", "noise", "loop", "width_65535", "bits_65535", "compression_65535", "white_0", "cfa_65535")
    ]
    single = [Case(("single", f"{name}.dng", "-o", "out"), f"{name}.dng") for name in ("empty", "cut", "zeros", "bits_65535")]
    return inspected + processed + single


def _motions() -> list[Case]:
    refused = "1e308 nan inf 1e999 integer turn rows slope text true name two empty lists object".split()
    rows = [(f"--motion m_{name}.json", f"m_{name}.json") for name in refused]
    simulated = each(
        "simulate picture.png -o simulated",
        *(row for name, row in zip(refused, rows, strict=True) if name not in ("two", "slope")),
        ("--motion m_slope.json", "motion must stay within"),
        ("--motion m_far.json", "motion must stay within"),
    )
    return each("process burst -o out", *rows, ("--motion notes.txt", "notes.txt"), ("--motion .", "not a file"), ("--motion cut.json", "cut.json")) + simulated


def _profiles() -> list[Case]:
    names = "motion nan two one zero iso integer black text missing extra kind list outside negative position offsets size shape lens".split()
    rows = [(f"--profile p_{name}.json", f"p_{name}.json") for name in names]
    return each("process burst -o out", *rows, ("--profile p_lens.toml", "p_lens.toml"), ("--profile deep.json", "deep.json"), ("--profile .", "not a file"))


def _settings() -> list[Case]:
    files = "syntax range unknown stage group table text nan list date digits deep twice binary".split()
    rows = [(f"--settings {name}.toml", f"{name}.toml") for name in files]
    rows += [(f"--settings {name}.json", f"{name}.json") for name in "deep cut list number null huge asked".split()]
    sets = "scale scale= =1 scale=0 scale=nan mode=slow align.tile_px=8.5 align.tile_px=7 align=1 a.b=1 . finish.tone=x defects.repair=1 scale.x=1 reference=-1"
    rows += [(f"--set {text}", "--set") for text in sets.split()]
    return each("settings", *rows, ("--settings .", "not a file"), ("--settings /dev/zero", "not a file"), ("more", "more"))
