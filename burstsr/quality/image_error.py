"""Errors of an image and of a flow against the truth. All images are (H, W, 3) linear camera RGB, 1.0 = saturation."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour
from burstsr.core.errors import RangeError, SettingsError
from burstsr.core.srgb import camera_to_srgb

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


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
    v = np.clip(balanced, 0, 1)
    return np.asarray(np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055), np.float32)


def psnr_linear(image: NDArray[np.floating], truth: NDArray[np.floating], border: int = 0) -> float:
    """Return the PSNR in dB, peak 1, of linear camera RGB, without a border of `border` pixels; inf where equal."""
    return _psnr(*_cropped(image, truth, border))


def psnr_srgb(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return the PSNR in dB, peak 1, of both images after `display_srgb`."""
    return _psnr(*_displayed(image, truth, colour, border))


def ssim(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return the structural similarity of both images after `display_srgb`, mean over channels; Gaussian window, sigma 1.5 px (Wang 2004), at least 11 x 11."""
    from skimage.metrics import structural_similarity

    shown, true = _displayed(image, truth, colour, border)
    if min(shown.shape[:2]) < 11:
        raise SettingsError(f"images of {shown.shape[0]} x {shown.shape[1]} pixels inside the border: SSIM requires at least 11 x 11")
    similarity: Callable[..., float] = structural_similarity
    return float(similarity(shown, true, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


def chroma_error(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int = 0) -> float:
    """Return the RMS error of Cb and Cr (BT.601, full range 1) of both images after `display_srgb`; sensitive to false colour."""
    shown, true = _displayed(image, truth, colour, border)
    error = shown - true
    luma = error @ LUMA
    return float(np.sqrt(np.mean([np.square((error[..., 2] - luma) / 1.772, dtype=np.float64), np.square((error[..., 0] - luma) / 1.402, dtype=np.float64)])))


def flow_error(flow: NDArray[np.floating], true_flow: NDArray[np.floating]) -> FlowError:
    """Return the error of `flow` (..., 2) against `true_flow` (..., 2) at the same points, raw pixels."""
    if flow.shape != true_flow.shape or flow.shape[-1:] != (2,) or not flow.size:
        raise SettingsError(f"flows of shapes {flow.shape} and {true_flow.shape}: expected the same, (..., 2)")
    length = np.linalg.norm(np.asarray(flow, np.float64) - true_flow, axis=-1)
    return FlowError(float(np.median(length)), float(np.percentile(length, 95)))


def _psnr(image: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    error = float(np.mean(np.square(image - truth, dtype=np.float64)))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def _cropped(image: NDArray[np.floating], truth: NDArray[np.floating], border: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    if image.shape != truth.shape or image.ndim != 3 or image.shape[2] != 3:
        raise SettingsError(f"images of shapes {image.shape} and {truth.shape}: expected the same, (height, width, 3)")
    height, width = image.shape[:2]
    if not 0 <= 2 * border < min(height, width):
        raise RangeError("border", f"must be at least 0 and less than half of {height} x {width} pixels, not {border}")
    inside = np.s_[border : height - border, border : width - border]
    return image[inside], truth[inside]


def _displayed(image: NDArray[np.floating], truth: NDArray[np.floating], colour: Colour, border: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    inside, true = _cropped(image, truth, border)
    return display_srgb(inside, colour), display_srgb(true, colour)
