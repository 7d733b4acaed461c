"""Noise of named cameras, from darktable's table of measured profiles (noiseprofiles.json: variance = a x + b per channel)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import check_range
from burstsr.core.noise import Noise
from burstsr.core.tables import read_json


def camera_noise(table: Path, camera: str, iso: float) -> Noise:
    """Return the noise of `camera` ("Canon EOS 5D Mark II", or its model alone, in any case) at `iso`, from darktable's table at path `table`.

    Between two measured ISOs alpha and beta are interpolated linearly; beyond them alpha grows with the ISO and beta with its square.
    Negative betas count as zero. Raises InputFileError for an unreadable table, SettingsError for an unknown camera.
    """
    alpha, beta = camera_line(table, camera, iso)
    return Noise(np.maximum(alpha, 0), np.maximum(beta, 0))


def camera_line(table: Path, camera: str, iso: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (3,) alpha and beta of `camera_noise` as the table has them, negative ones too. Raises as it does."""
    check_range("iso", iso, 1, 10_000_000)
    profiles = _profiles(table, camera)
    try:
        isos, alphas, betas = (np.array([profile[name] for profile in profiles], np.float64) for name in ("iso", "a", "b"))
        if alphas.shape != (len(isos), 3) or betas.shape != alphas.shape or not np.isfinite([*isos, *alphas.flat, *betas.flat]).all() or isos.min() <= 0:
            raise ValueError(f"{camera}: every profile must have an ISO, three a and three b")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputFileError(f"{table}: not a darktable table of noise profiles ({type(error).__name__}: {error})") from error
    order = np.argsort(isos, kind="stable")
    isos, alphas, betas = isos[order], alphas[order], betas[order]
    nearest = float(np.clip(iso, isos[0], isos[-1]))
    alpha, beta = (np.array([np.interp(nearest, isos, values[:, channel]) for channel in range(3)]) for values in (alphas, betas))
    gain = iso / nearest
    return alpha * gain, beta * gain**2


def _profiles(table: Path, camera: str) -> list[dict[str, Any]]:
    wanted = " ".join(camera.casefold().split())
    try:
        makers = read_json(table)["noiseprofiles"]
        found = [
            model["profiles"]
            for maker in makers
            for model in maker["models"]
            if wanted in (model["model"].casefold(), f"{maker['maker']} {model['model']}".casefold())
        ]
        measured = [profile for profiles in found[:1] for profile in profiles if not profile.get("skip")]  # profiles that the table marks as unused
    except (KeyError, TypeError, AttributeError) as error:
        raise InputFileError(f"{table}: not a darktable table of noise profiles ({type(error).__name__}: {error})") from error
    if not measured:
        raise SettingsError(f"--camera {camera}: {table} has no such camera")
    return measured
