import hashlib
import inspect
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import burstsr.pipeline
from burstsr.cli import main
from burstsr.cli.simulated_files import write_simulated
from burstsr.simulate import SimulateSettings, simulate_burst

NAMES = ("apple", "birch", "cedar")


def scene(seed, height=160, width=192):
    """(height, width, 3) uint8: smooth random colours with a few edges."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = sum(np.sin(generator.uniform(-0.4, 0.4) * y + generator.uniform(-0.4, 0.4) * x + generator.uniform(0, 6)) for _ in range(8))
    grey = 0.5 + 0.1 * waves + 0.2 * ((x // 24 + y // 20) % 2)
    return np.uint8(np.clip(grey[..., None] * generator.uniform(0.6, 1, 3), 0.02, 0.98) * 255)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder of three bursts, four frames of 80 x 96 each, with their truth."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(NAMES):
        settings = SimulateSettings(frames=4, iso=200, deviation_px=1.0)
        write_simulated(folder / name, simulate_burst(scene(seed), settings, np.random.default_rng(seed), name), seed)
    return folder


@pytest.fixture(autouse=True)
def each_result_computed_once(monkeypatch):
    """Most tests of the command line process the same bursts in the same way and look at what becomes of the files: what was computed is used again."""
    monkeypatch.setattr(burstsr.pipeline, "super_resolve", remembered(burstsr.pipeline.super_resolve))


_results = {}  # by digest of all that a result depends on: it, pickled, and the calls of progress


def remembered(compute):
    """`super_resolve` that computes the result of a burst, settings and what else it is given once: pixels, names and descriptions, but not folders, tell."""

    def super_resolve(*args, **kwargs):
        given = inspect.signature(compute).bind(*args, **kwargs).arguments
        progress = given.pop("progress", None) or (lambda *_: None)
        burst = given.pop("burst")
        try:
            frames = [(replace(frame.info, path=Path(frame.info.path.name)), frame.mosaic) for frame in burst]
            key = hashlib.sha256(pickle.dumps((burst.name, frames, sorted(given.items())))).digest()
        except Exception:  # a damaged frame, or something to call: not to be remembered
            return compute(*args, **kwargs)
        if key not in _results:
            calls = []
            given["progress"] = lambda *call: (calls.append(call), progress(*call))
            result = compute(burst, **given)
            _results[key] = pickle.dumps(result), calls
            return result
        result, calls = pickle.loads(_results[key][0]), _results[key][1]
        for call in calls:
            progress(*call)
        (path,) = {frame.info.path for frame in burst if frame.info.path.name == result.reference.path.name}
        return replace(result, reference=replace(result.reference, path=path))

    return super_resolve


@pytest.fixture
def bursts(made, tmp_path):
    """A copy of `made` to spoil."""
    return shutil.copytree(made, tmp_path / "bursts")


@pytest.fixture
def run(capsys):
    """Run a command line: exit status, standard output, standard error."""

    def call(*argv):
        try:
            status = main([str(a) for a in argv])
        except SystemExit as leave:
            status = leave.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def run_json(run):
    """Run a command line with --json: exit status and the object; nothing else may stand on standard output."""

    def call(*argv):
        status, out, _ = run(*argv, "--json")
        return status, json.loads(out)

    return call


def contents(folder):
    """Every file below a folder, with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} if folder.exists() else {}
