"""`batch.warmup`: what is compiled ahead is what jobs need."""

import json
import math
import subprocess
import sys

import pytest

from burstsr.batch import warmup
from burstsr.core import jit_events

COVERAGE = """
import json, sys
from pathlib import Path
from burstsr.batch import warmup, warmup_parts
from burstsr.core import jit
import numpy as np
from burstsr.cli import main
from burstsr.cli.simulated_files import write_simulated
from burstsr.simulate import SimulateSettings, simulate_burst

folder = Path(sys.argv[1])
y, x = np.mgrid[:256, :320]
scene = np.clip(120 + 60 * np.sin(0.2 * x[..., None] + y[..., None] * [0.1, 0.15, 0.2]) + 50 * ((x // 40 + y // 30) % 2)[..., None], 0, 255).astype(np.uint8)
write_simulated(folder / "burst", simulate_burst(scene, SimulateSettings(frames=4, iso=200), np.random.default_rng(1)), 1)
for name in warmup.parts("best"):
    warmup_parts.compile_part(name)
ahead = {loop: len(loop.signatures) for loop in jit.loops}
for mode in ("fast", "best"):
    assert main(["process", str(folder / "burst"), "-o", str(folder / mode), "--mode", mode]) == 0
new = {f"{loop.py_func.__module__}.{loop.py_func.__name__}": len(loop.signatures) - n for loop, n in ahead.items() if len(loop.signatures) > n}
print(json.dumps([len(ahead), new]))
"""


def test_parts_cover_what_a_burst_needs(tmp_path):
    run = subprocess.run([sys.executable, "-c", COVERAGE, str(tmp_path)], capture_output=True, text=True, check=True)
    loops, new = json.loads(run.stdout.splitlines()[-1])
    assert loops > 80
    assert not new


def test_a_part_that_fails_is_told_and_not_tried_by_every_run(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(warmup, "parts", lambda mode: ("nonesuch",))
    ((name, seconds),) = warmup.compile_all(["nonesuch"], 2)
    assert name == "nonesuch" and math.isnan(seconds)
    assert warmup.is_compiled("fast", tried=True)  # what a run asks
    assert not warmup.is_compiled("fast")  # what `burstsr warmup` asks


def test_a_process_compiles_part_after_part():
    names = ["nonesuch", "other", "third"]
    assert [name for name, _ in warmup.compile_all(names, 1)] == names


def test_only_what_is_not_compiled_is_compiled(monkeypatch):
    shown, begun = [], []

    class Display:
        def stage(self, *progress):
            shown.append(progress)

    def compile_all(names, processes):
        begun.append(names)
        yield from ((name, 1.0) for name in names)

    monkeypatch.setattr(warmup, "compile_all", compile_all)
    monkeypatch.setattr(warmup, "thread_count", lambda: 2)
    monkeypatch.setattr(warmup, "is_compiled", lambda mode, tried: mode == "fast")
    monkeypatch.setenv("BURSTSR_WARMUP", "0")
    warmup.compile_ahead(["fast", "best"], Display())
    assert not begun
    monkeypatch.setenv("BURSTSR_WARMUP", "1")
    warmup.compile_ahead(["fast", "best"], Display())
    assert begun == [warmup.parts("best")]
    assert shown[-1] == ("burstsr", jit_events.COMPILING, len(warmup.parts("best")), len(warmup.parts("best")))


def test_another_processor_or_source_needs_compiling(monkeypatch, tmp_path):
    monkeypatch.setattr(warmup, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(warmup, "_digest", lambda: "a")
    assert not warmup.is_compiled("fast")
    warmup._remember("fast", failed=False)
    assert warmup.is_compiled("fast")
    assert not warmup.is_compiled("best")
    monkeypatch.setattr(warmup, "_digest", lambda: "b")
    assert not warmup.is_compiled("fast")


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_modes_have_parts(mode):
    assert set(warmup.parts("fast")) <= set(warmup.parts(mode))


def test_another_package_in_the_current_folder_is_not_taken(tmp_path, monkeypatch):
    """A checkout: its loops have a cache of their own, which an installed package does not read."""
    (tmp_path / "burstsr").mkdir()
    (tmp_path / "burstsr" / "__init__.py").write_text("raise ImportError('the wrong package')")
    monkeypatch.chdir(tmp_path)
    process = warmup._begun()
    answer, _ = process.communicate(b"none\n")
    assert b"KeyError" in answer  # it runs, and knows no such part
