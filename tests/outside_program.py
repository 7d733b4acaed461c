"""What a user may write; `test_front_door` type-checks it in strict mode. It is not run."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import burstsr


def files(folder: Path) -> list[object]:
    facts: list[object] = []
    for found in burstsr.discover([folder]).bursts:
        burst = burstsr.read_burst([info.path for info in found.infos])
        result = burstsr.super_resolve(burst, burstsr.Settings(scale=2.0, mode="best"))
        burstsr.write_dng(folder / f"{found.name}.dng", result)
        shown: NDArray[np.float32] = burstsr.render(result)
        facts += [shown.shape, result.report.advice, [frame.motion_px for frame in result.report.frames], result.report.to_dict()["coverage"]]
    return facts


def arrays(mosaics: list[NDArray[np.uint16]], stop: threading.Event) -> NDArray[np.float32] | None:
    noise = burstsr.Noise(np.full(3, 1e-4), np.full(3, 1e-6))
    burst = burstsr.Burst.from_arrays(mosaics, "RGGB", black=64, white=1023, noise=noise)
    try:
        result = burstsr.super_resolve(burst, n_threads=2, cancel=stop, keep_maps=True)
    except burstsr.Cancelled:
        return None
    weight: NDArray[np.float32] | None = result.weight
    assert weight is not None and result.noise is not None
    snr: NDArray[np.float32] = np.divide(result.image, np.sqrt(result.noise), dtype=np.float32)
    return snr


def grey(mosaics: list[NDArray[np.uint16]]) -> tuple[burstsr.Result, NDArray[np.uint8]]:
    burst = burstsr.Burst.from_arrays(mosaics, burstsr.Cfa.parse("mono"), white=4095)
    return burstsr.super_resolve(burst), burst.info.cfa.channel_map(burst.info.shape)


def stream(frames: list[burstsr.Frame]) -> burstsr.Result:
    merge = burstsr.StreamingMerge(burstsr.Settings(scale=1.5))
    for frame in frames:
        merge.add(frame)
    return merge.finish()


def known_motion(burst: burstsr.Burst, shifts: list[tuple[float, float]]) -> burstsr.Result:
    flows = [burstsr.Flow(np.array([[shift]], np.float32), 4096) for shift in shifts]
    return burstsr.super_resolve(burst, burstsr.Settings(reference=0), flows=flows)


def motion(burst: burstsr.Burst) -> tuple[int, list[float]]:
    found = burstsr.register(burst)
    flows = [flow for flow in found.flows if flow is not None]
    model: burstsr.Noise = burstsr.estimate_noise(burst).model
    return found.reference, [float(model.beta[1]), *(float(flow.tiles[..., 0].mean()) for flow in flows)]


def simulated(image: NDArray[np.uint8]) -> burstsr.Burst:
    return burstsr.simulate_burst(image, burstsr.SimulateSettings(frames=4), np.random.default_rng(0)).burst
