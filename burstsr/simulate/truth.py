"""truth.json: the ground truth of a simulation, written and read."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from burstsr.core.burst import Colour, Levels
from burstsr.core.cfa import NAMES, Cfa
from burstsr.core.checks import FARTHEST_PX, check_colour, check_levels, check_noise
from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import check_choice, check_range
from burstsr.core.noise import Noise
from burstsr.core.schema import SCHEMA_VERSION
from burstsr.core.tables import read_json
from burstsr.simulate.motion import FrameMotion, motions_from_record, motions_record
from burstsr.simulate.stage import SimulatedBurst
from burstsr.simulate.worlds import WorldBurst


@dataclass(frozen=True)
class TruthRecord:
    """Contents of `truth.json`. motions: of every frame, the first zero. shape: (H, W) of a frame. seed: None where it is not given.

    orientation: EXIF code of the frames.
    """

    scale: float
    shape: tuple[int, int]
    cfa_order: str
    motions: tuple[FrameMotion, ...]
    noise: Noise
    levels: Levels
    colour: Colour
    seed: int | None
    orientation: int = 1


def truth_record(simulated: SimulatedBurst, seed: int | None = None) -> dict[str, Any]:
    """Return the ground truth of a simulated burst without pixels, ready for JSON. Also a motion file for `read_motions`."""
    info, settings = simulated.burst.info, simulated.settings
    recorded = {field.name: _plain(getattr(settings, field.name)) for field in fields(settings)}
    if not isinstance(settings.motion, str):
        recorded["motion"] = "given"  # stored under "motions"
    return {
        "schema_version": SCHEMA_VERSION,
        "name": simulated.burst.name,
        "scale": settings.scale,
        "shape": list(info.shape),
        "frames": [str(frame.info.path) for frame in simulated.burst],
        "cfa": info.cfa_order,
        "motions": motions_record(simulated.motions),
        "noise": _plain(simulated.noise),
        "levels": _plain(info.levels),
        "colour": _plain(info.colour),
        "hot_pixels": simulated.hot_pixels.tolist(),
        "settings": recorded,
        "seed": seed,
    }


def world_record(world: WorldBurst, scene: str, seed: int | None = None) -> dict[str, Any]:
    """Return the ground truth of a named scene without pixels, ready for JSON.

    "motions": median motion of every frame; what is dense is not here. "blur_moments_px2": yy, yx, xx of each frame's motion during its exposure.
    """
    info = world.burst.info
    visible = [flow[~hidden] if not hidden.all() else flow.reshape(-1, 2) for flow, hidden in zip(world.flows, world.occluded, strict=True)]
    motions = [FrameMotion(*(round(float(v), 5) for v in np.median(flow, axis=0))) for flow in visible]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": world.burst.name,
        "scene": scene,
        "scale": world.scale,
        "shape": list(info.shape),
        "frames": [str(frame.info.path) for frame in world.burst],
        "cfa": info.cfa_order,
        "motions": motions_record(motions),
        "blur_moments_px2": np.round(world.blur_moments, 6).tolist(),
        "noise": _plain(info.noise),
        "levels": _plain(info.levels),
        "colour": _plain(info.colour),
        "settings": {"scene": scene, "frames": len(world.burst), "scale": world.scale, "iso": info.iso, "orientation": info.orientation},
        "seed": seed,
    }


def read_truth(path: Path) -> TruthRecord:
    """Read a `truth.json`. Raises InputFileError for any other file."""
    record = read_json(path)
    try:
        height, width = record["shape"]
        matrix = record["colour"]["xyz_to_camera"]
        truth = TruthRecord(
            scale=float(record["scale"]),
            shape=(int(height), int(width)),
            cfa_order=str(record["cfa"]),
            motions=motions_from_record(record, str(path)),
            noise=Noise(np.array(record["noise"]["alpha"], np.float64), np.array(record["noise"]["beta"], np.float64)),
            levels=Levels(np.array(record["levels"]["black"], np.float64), float(record["levels"]["white"])),
            colour=Colour(np.array(record["colour"]["as_shot_neutral"], np.float64), None if matrix is None else np.array(matrix, np.float64)),
            seed=record["seed"],
            orientation=int(record["settings"].get("orientation", 1)),
        )
        _check(truth)
    except SettingsError as error:
        raise InputFileError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputFileError(f"{path}: not a truth.json of burstsr simulate ({type(error).__name__}: {error})") from error
    return truth


def _check(truth: TruthRecord) -> None:
    """Raise SettingsError unless all values are valid for a simulation."""
    check_range("scale", truth.scale, 1, 4)
    for length in truth.shape:
        check_range("shape", length, 1, FARTHEST_PX)
    check_choice("cfa", truth.cfa_order, NAMES)
    channels = len(Cfa.parse(truth.cfa_order).channels)
    check_range("orientation", truth.orientation, 1, 8)
    check_noise(truth.noise, channels=channels)
    check_levels(truth.levels, "levels")
    if channels == 3:
        check_colour(truth.colour, "colour")


def _plain(value: Any) -> Any:  # noqa: ANN401  any field
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value.tolist() if isinstance(value, np.ndarray) else value
