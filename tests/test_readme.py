"""What the README says works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from burstsr.cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_set_up_is_two_commands():
    """.ci/run takes the second from here, so the two cannot differ."""
    commands = [block.strip() for block in blocks("bash")[:2]]
    assert all("\n" not in command and command.startswith("python3 -m venv .venv && ") for command in commands)
    assert commands[0].endswith("burstsr demo") and commands[1].endswith(" && .venv/bin/pytest -n auto --dist worksteal")
    assert [line for line in README.splitlines() if "'.[test]'" in line] == commands[1:]


@pytest.mark.parametrize("line", [line for line in "\n".join(blocks("bash")).splitlines() if line.startswith("burstsr ")])
def test_command_lines_parse(line):
    build_parser().parse_args(shlex.split(line, comments=True)[1:])


def test_python_example_runs(tmp_path):
    import numpy as np

    from burstsr.cli.simulated_files import write_simulated
    from burstsr.simulate import SimulateSettings, simulate_burst

    image = np.random.default_rng(0).uniform(0.2, 0.8, (96, 96, 3)).astype(np.float32)
    write_simulated(tmp_path / "photos" / "harbour", simulate_burst(image, SimulateSettings(frames=3), np.random.default_rng(0)), 0)
    (example,) = blocks("python")
    result = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "(96, 96, 3)" in result.stdout and "frame_002.dng" in result.stdout and (tmp_path / "harbour.dng").exists()


def test_linked_files_are_there():
    for link in re.findall(r"\]\(([\w./]+)\)", README):
        assert (ROOT / link).exists() or link == "benchmarks/demo.png", link
