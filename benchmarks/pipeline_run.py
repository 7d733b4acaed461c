"""What `burstsr benchmark pipeline` does in processes of their own: make a burst, or process one and say what every stage took.

    python -m benchmarks.pipeline_run '{"do": "run", ...}'      one JSON object on standard output

A process of its own has a peak of memory of its own, and nothing that an earlier run left warm.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr import Settings, read_burst, super_resolve, write_dng
from burstsr.core.result import Result
from burstsr.finish import finish_uint8
from burstsr.io.dng import write_cfa_dng
from burstsr.io.images import write_jpeg
from burstsr.report import COMPILING
from burstsr.simulate import SimulateSettings, simulate_burst

_OCTAVES = ((4, 0.06), (16, 0.1), (64, 0.15), (256, 0.15))  # spacing of the noise's knots in pixels, and its deviation
_EDGES_PX, _EDGES = 40, 0.15  # spacing of the knots of what is cut into edges, and their contrast
_ISO, _BITS = 400.0, 14


def scene(shape: tuple[int, int], seed: int = 0) -> NDArray[np.float32]:
    """(H, W, 3) float32 sRGB: smooth noise of several octaves, and sharp edges; the same for the same seed, alike at every size."""
    rng = np.random.default_rng(seed)
    image = np.full((*shape, 3), 0.45, np.float32)
    for spacing, deviation in _OCTAVES:
        image += np.float32(deviation) * _smooth(shape, spacing, 3, rng)
    image += np.where(_smooth(shape, _EDGES_PX, 1, rng) > 0, np.float32(_EDGES), np.float32(-_EDGES))
    return np.clip(image, 0.02, 0.98, out=image)


def _smooth(shape: tuple[int, int], spacing: int, channels: int, rng: np.random.Generator) -> NDArray[np.float32]:
    knots = rng.standard_normal((shape[0] // spacing + 3, shape[1] // spacing + 3, channels), np.float32)
    large = cv2.resize(knots, (knots.shape[1] * spacing, knots.shape[0] * spacing), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32).reshape(*large.shape[:2], channels)[: shape[0], : shape[1]]


def make(folder: str, shape: list[int], frames: int) -> dict[str, Any]:
    """Write frames of `shape` (H, W) as DNGs to `folder`. Simulated at scale 1: how fine the truth is, costs the pipeline nothing."""
    settings = SimulateSettings(frames=frames, scale=1.0, iso=_ISO, bits=_BITS)
    made = simulate_burst(scene((shape[0], shape[1])), settings, np.random.default_rng(0), Path(folder).name)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for frame in made.burst:
        write_cfa_dng(Path(folder) / frame.info.path.name, frame, bits=_BITS)
    return {"frames": [str(Path(folder) / frame.info.path.name) for frame in made.burst]}


def run(frames: list[str], warm: list[str], scale: float, mode: Literal["fast", "best"]) -> dict[str, Any]:
    """Process the burst `frames`, after the small burst `warm`, whose time does not count. seconds and peak_bytes (0 = unknown) per stage, in order.

    Stages are those of the report, and the last that the progress callback named: it names a stage when it begins. "read" is what `read_burst` takes:
    frames are decoded in the background meanwhile and afterwards, which counts where a stage waits for them.
    """
    settings = Settings(scale=scale, mode=mode)
    with tempfile.TemporaryDirectory(prefix="burstsr-benchmark-") as folder:
        _process(warm, settings, Path(folder), Laps())
        laps = Laps()
        before = laps.peak()
        start = time.perf_counter()
        image = _process(frames, settings, Path(folder), laps)
        total = time.perf_counter() - start
    stages = image.report.seconds  # under their new names alone
    seconds = {"read": laps.seconds["read"], **stages, **{name: laps.seconds[name] for name in ("finish", "write")}}
    return {"seconds": seconds, "peak_bytes": {name: laps.peaks.get(name, 0) for name in seconds}, "before_bytes": before, "total_seconds": total}


def _process(frames: list[str], settings: Settings, folder: Path, laps: Laps) -> Result:
    burst = read_burst(frames)
    laps.lap("read")
    image = super_resolve(burst, settings, laps.progress)
    del burst
    laps.progress("finish", 0, 0)
    with ThreadPoolExecutor(1) as pool:  # as `burstsr process` does
        writing = pool.submit(write_dng, folder / "picture.dng", image)
        srgb = finish_uint8(image, settings.finish)
        laps.lap("finish")
        write_jpeg(folder / "picture.jpg", srgb, image.reference)
        writing.result()
    laps.lap("write")
    return image


class Laps:
    """Seconds and peak of resident memory since the last lap, summed and maximised by stage.

    Linux can forget a process's peak, so that each lap has its own; elsewhere a lap's is the peak so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, int] = {}
        self.peak()
        self._stage, self._last = "read", time.perf_counter()

    def progress(self, stage: str, done: int, total: int) -> None:
        """The pipeline's progress: a stage begins, or a step of it. That something is being compiled is neither, and told by another thread."""
        if stage != COMPILING:
            self.lap(self._stage)
            self._stage = stage

    def lap(self, stage: str) -> None:
        """What was done since the last lap was `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self.peaks[stage] = max(self.peaks.get(stage, 0), self.peak())
        self._last = time.perf_counter()

    def peak(self) -> int:
        """Peak of resident memory, bytes, since the last call (Linux) or since the process began (macOS); 0 where the system does not tell.

        getrusage's peak would count what the parent held when it started this process.
        """
        status = Path("/proc/self/status")
        if not status.is_file():
            if find_spec("resource") is None:
                return 0
            resource: Any = import_module("resource")
            return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is resident now (man 5 proc)
        except OSError:  # then it stays the peak so far
            pass
        return int(line.split()[1]) * 1024


def main(argument: str) -> None:
    """Do what the JSON object says; its other names are arguments of `make` or `run`."""
    told = json.loads(argument)
    works: dict[str, Callable[..., dict[str, Any]]] = {"make": make, "run": run}
    sys.stdout.write(json.dumps(works[told.pop("do")](**told)))


if __name__ == "__main__":
    main(sys.argv[1])
