"""Noise of named cameras, from darktable's table of measured profiles (noiseprofiles.json: variance = a x + b per channel)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from burstsr.ground.errors import InputFileError, SettingsError
from burstsr.ground.noise import Noise


def noise_of_camera(table: Path, camera: str, iso: float) -> Noise:
    """Noise of `camera` ("Canon EOS 5D Mark II", or its model alone, in any case) at `iso`, after the darktable table at path `table`.

    Between two measured ISOs alpha and beta are interpolated linearly; beyond them alpha grows with the ISO and beta with its square.
    Fitted betas below zero count as zero. Raises InputFileError for an unreadable table, SettingsError for a camera it does not have.
    """
    if not iso > 0:
        raise SettingsError(f"iso = {iso}: allowed is above 0")
    profiles = sorted(_profiles(table, camera), key=lambda profile: float(profile["iso"]))
    isos = np.array([profile["iso"] for profile in profiles], np.float64)
    nearest = float(np.clip(iso, isos[0], isos[-1]))
    alpha, beta = (np.array([np.interp(nearest, isos, [profile[name][channel] for profile in profiles]) for channel in range(3)]) for name in "ab")
    gain = iso / nearest
    return Noise(np.maximum(alpha, 0) * gain, np.maximum(beta, 0) * gain**2)


def _profiles(table: Path, camera: str) -> list[dict[str, Any]]:
    wanted = " ".join(camera.casefold().split())
    try:
        makers = json.loads(table.read_text(encoding="utf-8"))["noiseprofiles"]
        found = [
            model["profiles"]
            for maker in makers
            for model in maker["models"]
            if wanted in (model["model"].casefold(), f"{maker['maker']} {model['model']}".casefold())
        ]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputFileError(f"{table}: not a darktable table of noise profiles ({type(error).__name__}: {error})") from error
    measured = [profile for profiles in found[:1] for profile in profiles if not profile.get("skip")]  # those were left aside by who measured them
    if not measured:
        raise SettingsError(f"camera = {camera!r}: {table} has no such camera")
    return measured
