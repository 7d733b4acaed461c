"""Errors of an image and of a flow against the truth. All images are (H, W, 3) linear camera RGB, 1.0 = saturation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour
from burstsr.core.errors import SettingsError
from burstsr.core.srgb import LUMA_601, camera_to_srgb, display_values
from burstsr.quality import display


class FlowError(NamedTuple):
    """Length of the difference between two flows, raw pixels: median and 95th percentile."""

    median: float
    p95: float


def display_srgb(image: NDArray[np.floating], colour: Colour) -> NDArray[np.float32]:
    """(H, W, 3) float32 sRGB, 0 to 1: white balance, clip at saturation, camera matrix with white kept white, sRGB curve; no tone curve.

    Without a matrix, or with one that has no inverse, the balanced camera RGB is taken as sRGB.
    """
    neutral = np.asarray(colour.as_shot_neutral, np.float64)
    balanced = np.minimum(np.asarray(image, np.float32) / (neutral / neutral.max()).astype(np.float32), 1)
    if colour.xyz_to_camera is not None:
        balanced = balanced @ camera_to_srgb(colour).T.astype(np.float32)
    return display_values(balanced)


def psnr_linear(image: NDArray[np.floating], truth: NDArray[np.floating], border: int = 0) -> float:
    """Return the PSNR in dB, peak 1, of linear camera RGB, without a border of `border` pixels; inf where equal."""
    return display.psnr(*_cropped(image, truth, border))


def psnr_srgb(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return the PSNR in dB, peak 1, of both images after `display_srgb`."""
    return display.psnr(*_displayed(image, truth, colour, border))


def ssim(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return `display.ssim` of both images after `display_srgb`. Raises SettingsError below 11 x 11 pixels."""
    shown, true = _displayed(image, truth, colour, border)
    if min(shown.shape[:2]) < display.WINDOW:
        raise SettingsError(f"images of {shown.shape[0]} x {shown.shape[1]} pixels inside the border: SSIM requires at least 11 x 11")
    return display.ssim(shown, true)


def chroma_error(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return the RMS error of Cb and Cr (BT.601, full range 1) of both images after `display_srgb`; sensitive to false colour."""
    shown, true = _displayed(image, truth, colour, border)
    error = shown - true
    luma = error @ LUMA_601
    return float(np.sqrt(np.mean([np.square((error[..., 2] - luma) / 1.772, dtype=np.float64), np.square((error[..., 0] - luma) / 1.402, dtype=np.float64)])))


def flow_error(flow: NDArray[np.floating], true_flow: NDArray[np.floating]) -> FlowError:
    """Return the error of `flow` (..., 2) against `true_flow` (..., 2) at the same points, raw pixels."""
    if flow.shape != true_flow.shape or flow.shape[-1:] != (2,) or not flow.size:
        raise SettingsError(f"flows of shapes {flow.shape} and {true_flow.shape}: expected the same, (..., 2)")
    length = np.linalg.norm(np.asarray(flow, np.float64) - true_flow, axis=-1)
    return FlowError(float(np.median(length)), float(np.percentile(length, 95)))


def _cropped(image: NDArray[np.floating], truth: NDArray[np.floating], border: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    if image.shape != truth.shape or image.ndim != 3 or image.shape[2] != 3:
        raise SettingsError(f"images of shapes {image.shape} and {truth.shape}: expected the same, (height, width, 3)")
    return display.cropped(image, border), display.cropped(truth, border)


def _displayed(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    inside, true = _cropped(image, truth, border)
    return display_srgb(inside, colour), display_srgb(true, colour)
