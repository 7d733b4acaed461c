"""Frames to write and read back."""

import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from burstsr.core.burst import Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise

XYZ_TO_CAMERA = np.array([[0.8606, -0.2573, -0.0949], [-0.8237, 1.5489, 0.2974], [-0.2649, 0.3076, 0.91]])


@pytest.fixture
def make_frame():
    def make(shape=(64, 80), order="RGGB", mosaic=None, **changes):
        known = {
            "path": Path("simulated"),
            "shape": shape,
            "cfa": Cfa.parse(order),
            "levels": Levels(np.array([[512.25, 513.5], [511.75, 512.0]]), 16383.0),
            "colour": Colour(np.array([0.5, 1.0, 0.7]), XYZ_TO_CAMERA),
            "camera": "Acme One",
            "noise": Noise(np.array([1e-4, 2e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6])),
            "iso": 400.0,
            "exposure_s": 1 / 60,
            "aperture": 2.8,
            "focal_mm": 4.25,
            "time": datetime(2024, 5, 6, 7, 8, 9, 120003),
        }
        info = FrameInfo(**{**known, **changes})
        if mosaic is None:
            rng = np.random.default_rng(7)
            mosaic = rng.integers(0, int(info.levels.white) + 1, info.shape).astype(np.uint16)
        return Frame(info, mosaic)

    return make


@pytest.fixture
def data():
    """Folder of real files, or a skip."""
    folder = Path(os.environ.get("BURSTSR_DATA") or os.devnull)
    if not folder.is_dir():
        pytest.skip("no data folder: set BURSTSR_DATA")
    return folder


@pytest.fixture
def run():
    """Run a program that may not be installed; its output."""

    def call(program, *arguments):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True).stdout

    return call
