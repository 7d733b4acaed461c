"""How options are taken, and how what is wrong with them is said."""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from burstsr.cli import build_parser
from burstsr.settings import Settings


def parsers(parser):
    """The parser and all of its commands'."""
    inner = [p for a in parser._actions if isinstance(a, argparse._SubParsersAction) for p in a.choices.values()]
    return [parser, *(found for p in inner for found in parsers(p))]


def test_choices_of_every_option_are_case_insensitive():
    options = [a for p in parsers(build_parser()) for a in p._actions if a.choices and not isinstance(a, argparse._SubParsersAction)]
    assert len(options) >= 10
    for option in options:
        for choice in option.choices:
            assert option.type(choice.upper()) == option.type(choice.lower()) == choice, option.option_strings


def test_formats_have_their_usual_names():
    args = build_parser().parse_args(["process", "x", "-o", "o", "--format", "JPEG", "--format", "Tif", "--mode", "Best"])
    assert args.format == ["jpg", "tiff"] and args.mode == "best"
    assert build_parser().parse_args(["single", "x", "-o", "o", "--format", "PNG"]).format == ["png"]


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (("process", "nope", "-o", "o"), 2, "no such file or folder: nope"),
        (("process", "nope"), 2, "-o/--output"),
        (("process", "nope", "-o", "o", "--scale", "0"), 2, "--scale must be between 1 and 4, not 0"),
        (("process", "nope", "-o", "o", "--format", "gif"), 2, "gif"),
        (("inspect", "nope"), 2, "nope"),
        (("compare", "nope", "nope"), 2, "nope"),
        (("single", "nope", "-o", "o"), 2, "nope"),
        (("single", "nope", "-o", "o", "--scale", "17"), 2, "--scale must be above 0 and at most 16, not 17"),
        (("simulate", "nope", "-o", "o"), 2, "nope"),
        (("simulate", __file__, "-o", "o", "--blur", "99"), 2, "--blur must be between 0 and 10, not 99"),
        (("train", "nope"), 2, "nope"),
        (("calibrate", "jiggle", "--frames", "1"), 2, "--frames must be between 2 and 1000, not 1"),
        (("calibrate", "nope"), 2, "nope"),
        (("benchmark", "residual", "nope"), 1, "nope"),
        (("settings", "--set", "scale=0"), 2, "--set scale must be between 1 and 4, not 0"),
        (("nope",), 2, "nope"),
        ((), 2, "unrecognized arguments"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, tuple) else None,
)
def test_json_errors_are_json_in_every_command(run_json, argv, status, message):
    """`process nope --json` printed nothing on standard output."""
    found = run_json(*argv)
    assert found[0] == status
    assert message in found[1]["error"] and found[1]["exit_status"] == status


def test_json_of_unexpected_errors(run_json, monkeypatch):
    """A bug of ours is a message with --json and without, not a traceback."""
    import burstsr.cli.settings

    monkeypatch.setattr(burstsr.cli.settings, "read_settings", lambda *_: 1 / 0)
    status, found = run_json("settings")
    assert status == 1 and "ZeroDivisionError" in found["error"]


def test_train_list_is_json(run, run_json):
    status, found = run_json("train", "list")
    assert status == 0 and "srcnn-x4" in found["models"]
    assert run("train", "LIST")[1].split() == found["models"]


def test_printed_settings_are_the_defaults(run, run_json, tmp_path):
    status, out, _ = run("settings")
    assert status == 0 and tomllib.loads(out)["scale"] == 2.0 and "# " in out
    (tmp_path / "printed.toml").write_text(out, encoding="utf-8")
    changed = ("--set", "mode=best", "--set", "scale=3")
    assert run("settings", "--settings", tmp_path / "printed.toml")[1] == out
    assert run("settings", *changed)[1] != out
    status, found = run_json("settings", *changed)
    assert status == 0 and found["mode"] == "best" and found["scale"] == 3
    (tmp_path / "printed.json").write_text(json.dumps(found), encoding="utf-8")
    assert run("settings", "--settings", tmp_path / "printed.json")[1] == run("settings", *changed)[1]
    assert set(found) == {f for f in Settings.__dataclass_fields__}


def test_a_record_is_settings(run_json, run, made, tmp_path):
    """What a result was made with makes it again, and so another burst alike."""
    run_json("process", made / "apple", "-o", tmp_path / "a", "--scale", "1.5", "--set", "finish.tone=0.5", "--fallback", "none")
    status, found = run_json("settings", "--settings", tmp_path / "a" / "apple.json")
    assert status == 0 and found["scale"] == 1.5 and found["finish"]["tone"] == 0.5
    assert "--fallback none" in run("settings", "--settings", tmp_path / "a" / "apple.json")[2]  # which is no setting


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("benchmark", "residual", "x", "--noise", "much"), "--noise: must be two numbers from 0 to below 1, ALPHA,BETA, such as 4e-4,1e-6, not 'much'"),
        (("simulate", "x", "-o", "o", "--noise", "1"), "--noise: '1': expected two numbers, ALPHA,BETA, such as 4e-4,1e-6"),
        (("calibrate", "lens", "x", "--roi", "1,2"), "--roi: '1,2': expected four"),
        (("process", "x", "-o", "o", "--gap", "x"), "--gap: 'x': must be a number"),
        (("process", "x", "-o", "o", "--threads", "x"), "--threads: 'x': must be between 1 and"),
        (("single", "x", "-o", "o", "--blend", "x"), "--blend: 'x': expected the weight of the model"),
        (("benchmark", "pipeline", "--size", "x"), "--size: 'x': expected a size"),
        (("benchmark", "quality", "--iso", "x"), "--iso: 'x': expected numbers"),
    ],
    ids=lambda v: v[0] if isinstance(v, tuple) else "",
)
def test_no_message_names_a_function_of_ours(run_json, argv, message):
    """Fault 15: "argument --noise: invalid _pair value" hid what was wrong."""
    status, found = run_json(*argv)
    assert status == 2 and message in found["error"] and "value: " not in found["error"]


def help_of(*names):
    parser = build_parser()
    for name in names:
        (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = commands.choices[name]
    return " ".join(parser.format_help().split())


@pytest.mark.parametrize(("what", "file"), [("noise", True), ("defects", True), ("lens", True), ("motion", False), ("jiggle", False)])
def test_help_promises_no_file_that_is_not_written(what, file):
    """Fault 15: motion and jiggle write nothing to the user's folder of profiles."""
    text = help_of("calibrate", what)
    assert ("in the user's profile folder" in text) is file and ("default: none; the result is printed" in text) is not file


def test_the_old_name_of_the_default_fallback_warns(run, made, tmp_path):
    status, out, err = run("process", made / "apple", "-o", tmp_path, "--dry-run", "--fallback", "lanczos")
    assert status == 0 and "--fallback lanczos is now called --fallback merge" in err
    assert "lanczos" not in help_of("process")


def test_the_version_is_that_of_the_distribution_and_costs_nothing_before(run):
    from importlib.metadata import version

    import burstsr

    assert run("--version") == (0, f"burstsr {version('burstsr')}\n", "") and burstsr.__version__ == version("burstsr")
    asked = "import sys, burstsr.cli; burstsr.cli.build_parser(); print('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_the_version_of_sources_that_are_not_installed_is_unknown(monkeypatch):
    from importlib import metadata

    import burstsr

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    monkeypatch.delattr(burstsr, "__version__", raising=False)
    assert burstsr.__version__ == "0+unknown"
    del burstsr.__version__


OLD_OPTIONS = [
    (("simulate", "x.png", "-o", "out", "--mover"), "--mover", "--moving-object", True),
    (("simulate", "x.png", "-o", "out", "--blink"), "--blink", "--flicker", True),
    (("simulate", "x.png", "-o", "out", "--shading", "0.3"), "--shading", "--vignetting", 0.3),
    (("train", "srcnn-x4", "--out", "here"), "--out", "--output", Path("here")),
    (("benchmark", "quality", "--out", "here"), "--out", "--output", Path("here")),
]


@pytest.mark.parametrize(("line", "old", "new", "value"), OLD_OPTIONS, ids=lambda case: case[0] if isinstance(case, tuple) else "")
def test_old_names_of_options_are_still_accepted_with_a_warning(line, old, new, value, capsys):
    args = build_parser().parse_args(line)
    assert getattr(args, new[2:].replace("-", "_")) == value
    assert f"{old} is now called {new}; the old name will be removed in the next release" in capsys.readouterr().err
    assert f"{old} " not in help_of(*line[: 2 if line[0] == "benchmark" else 1])
