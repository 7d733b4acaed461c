"""Figures of an image against its truth, of the flow, and of remaining noise."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shots import Shot
from burstsr.core.srgb import LUMA_601
from burstsr.quality import image_error
from burstsr.quality.display import psnr
from burstsr.quality.image_error import FlowError, display_srgb
from burstsr.simulate import flow_at

Floats = NDArray[np.float32]
_LEAST_BORDER = 16  # raw pixels
_FLOW_STEP = 4  # raw pixels between the points at which flows are compared
_FLAT_WINDOW = 9  # output pixels
_FLAT_DEVIATION = 3 / 255  # of displayed luma inside the window
_LAMP_RADII = 2.0  # of the lamp, around its centre
_HOT_PX = 2.0  # raw pixels around a hot one
_LEAST_FLAT = 400  # pixels below which flat areas are not evaluated


def border_of(shot: Shot) -> int:
    """Return the border in output pixels that is excluded: 16 raw pixels, or more where frames moved further."""
    height, width = shot.burst.info.shape
    corners = np.array([[y, x] for y in (0, height - 1) for x in (0, width - 1)], np.float64)
    furthest = max(float(np.abs(flow_at(motion, corners, (height, width))).max()) for motion in shot.made.motions)
    return math.ceil(max(_LEAST_BORDER, furthest + 4) * shot.scale)


def image_figures(image: Floats, shot: Shot) -> dict[str, float | None]:
    """Return PSNR of linear camera RGB and of sRGB (dB), SSIM, chroma error; and sRGB PSNR at `places_of`."""
    truth, colour, border = shot.made.truth, shot.colour, border_of(shot)
    figures: dict[str, float | None] = {
        "psnr_linear": image_error.psnr_linear(image, truth, border),
        "psnr_srgb": image_error.psnr_srgb(image, truth, colour, border),
        "ssim": image_error.ssim(image, truth, colour, border),
        "chroma_error": image_error.chroma_error(image, truth, colour, border),
    }
    for name, mask in places_of(shot).items():
        figures[name] = psnr_inside(image, shot, mask)
    return {name: value if value is not None and math.isfinite(value) else None for name, value in figures.items()}


def places_of(shot: Shot) -> dict[str, NDArray[np.bool_]]:
    """Return (h, w) masks of special regions: the moving object in the reference, and its path; the lamp and around it; near hot pixels."""
    made = shot.made
    places: dict[str, NDArray[np.bool_]] = {}
    if made.moving_object_mask is not None and made.moving_object_mask_any_frame is not None:
        places |= {"psnr_mover": made.moving_object_mask, "psnr_mover_ever": made.moving_object_mask_any_frame}
    if made.settings.flicker is not None:
        centre = np.multiply(made.settings.flicker.centre, made.truth.shape[:2])
        places["psnr_lamp"] = _near(centre[None], _LAMP_RADII * made.settings.flicker.radius_px * shot.scale, made.truth.shape)
    if len(made.hot_pixels):
        places["psnr_hot"] = _near((made.hot_pixels + 0.5) * shot.scale, _HOT_PX * shot.scale, made.truth.shape)
    return places


def _near(centres: NDArray[np.floating], radius: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return (h, w) bool: pixels within `radius` of any of `centres` (n, 2), edge coordinates."""
    elsewhere = np.ones(shape[:2], np.uint8)
    elsewhere[tuple(np.clip(centres.astype(int), 0, np.array(shape[:2]) - 1).T)] = 0
    return np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius)


def psnr_inside(image: Floats, shot: Shot, mask: NDArray[np.bool_]) -> float | None:
    """Return sRGB PSNR in dB over the pixels of `mask` (h, w) inside the border; None where there are none."""
    inside = np.zeros_like(mask)
    border = border_of(shot)
    inside[border:-border, border:-border] = mask[border:-border, border:-border]
    if not inside.any():
        return None
    found = psnr(display_srgb(image, shot.colour)[inside], display_srgb(shot.made.truth, shot.colour)[inside])
    return found if math.isfinite(found) else None


def flow_figures(shot: Shot) -> FlowError | None:
    """Return median and 95th percentile of the error of the pipeline's flow, raw pixels, over all frames but the reference; None for one frame.

    Compared on a grid of 4 px inside the border, where both frames show the scene. The path of a moving object, which has its own motion, is excluded.
    """
    shape = shot.burst.info.shape
    border = border_of(shot) / shot.scale
    y, x = np.meshgrid(*(np.arange(math.ceil(border), length - border, _FLOW_STEP) for length in shape), indexing="ij")
    if shot.made.moving_object_mask_any_frame is not None:
        rows, columns = (np.minimum(((v + 0.5) * shot.scale).astype(int), n - 1) for v, n in zip((y, x), shot.made.truth.shape, strict=False))
        still = ~shot.made.moving_object_mask_any_frame[rows, columns]
        y, x = y[still], x[still]
    if len(shot.flows) < 2 or y.size == 0:
        return None
    points = np.stack([y, x], axis=-1)
    found = np.stack([flow.at(y, x) for flow in shot.flows[1:]])
    true = np.stack([flow_at(motion, points, shape) for motion in shot.made.motions[1:]])
    return image_error.flow_error(found, true)


def flat_areas(shot: Shot) -> NDArray[np.bool_]:
    """Return (h, w) where the truth's displayed luma varies little, is neither black nor white, and not near a border."""
    luma = display_srgb(shot.made.truth, shot.colour) @ LUMA_601
    mean = cv2.blur(luma, (_FLAT_WINDOW, _FLAT_WINDOW))
    variance = cv2.blur(luma * luma, (_FLAT_WINDOW, _FLAT_WINDOW)) - mean * mean
    flat = (variance < _FLAT_DEVIATION**2) & (mean > 0.1) & (mean < 0.95)
    border = border_of(shot)
    inside = np.zeros_like(flat)
    inside[border:-border, border:-border] = flat[border:-border, border:-border]
    return inside


def noise_between(a: Floats, b: Floats, flat: NDArray[np.bool_], neutral: NDArray[np.float64]) -> float | None:
    """Return the noise sigma of either image (white-balanced linear, all channels) from two images with independent noise, on `flat`."""
    if int(flat.sum()) < _LEAST_FLAT:
        return None
    difference = (a[flat] - b[flat]) / (neutral / neutral.max()).astype(np.float32)
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)) / 2))
