"""Textures of scenes: smooth fields and tracks, branches, bark and a test chart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Array = NDArray[np.float64]


def smooth_track(frames: int, rms_px: float, rng: np.random.Generator) -> Array:
    """Return a (frames, 2) mean-reverting random walk, zero in the first frame, RMS `rms_px` per axis over the others."""
    track = np.zeros((frames, 2))
    for n in range(1, frames):
        track[n] = 0.8 * track[n - 1] + rng.normal(size=2)
    rms = np.sqrt(np.mean(track[1:] ** 2)) if frames > 1 else 1.0
    return np.asarray(track * (rms_px / max(rms, 1e-9)))


def smooth_field(shape: tuple[int, int], size_px: float, rng: np.random.Generator) -> Array:
    """Return an (H, W, 2) Gaussian field, RMS 1 over both axes, features of `size_px`."""
    field = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), size_px / 2, mode="reflect") for _ in range(2)], axis=-1)
    return np.asarray(field / np.sqrt(np.mean(np.sum(field**2, axis=-1))))


def blob_mask(shape: tuple[int, int], share: float, rng: np.random.Generator) -> Array:
    """Return an (H, W) smooth mask, 0 to 1, about `share` of the frame."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), min(shape) / 6, mode="reflect")
    field = (field - np.quantile(field, 1 - share)) / field.std()
    return np.asarray(np.clip(field * 4 + 0.5, 0, 1))


def branches(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Floats:
    """Return the (h, w) opacity of a dozen bent branches with twigs, 1 to 5 raw pixels thick."""
    canvas = np.zeros((shape[0] * 2, shape[1] * 2), np.uint8)
    for _ in range(14):
        point = rng.uniform(0, 1, 2) * canvas.shape
        angle, thickness = rng.uniform(0, 2 * np.pi), rng.uniform(1, 5) * scale * 2
        for _ in range(40):
            angle += rng.normal(0, 0.15)
            step = point + np.array([np.sin(angle), np.cos(angle)]) * 24
            cv2.line(canvas, tuple(point[::-1].astype(int)), tuple(step[::-1].astype(int)), 255, max(1, round(thickness)), cv2.LINE_AA)
            if rng.uniform() < 0.25:
                side = angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
                twig = point + np.array([np.sin(side), np.cos(side)]) * rng.uniform(40, 120)
                cv2.line(canvas, tuple(point[::-1].astype(int)), tuple(twig[::-1].astype(int)), 255, max(1, round(thickness / 2.5)), cv2.LINE_AA)
            point, thickness = step, thickness * 0.985
    return np.asarray(cv2.resize(canvas, (shape[1], shape[0]), interpolation=cv2.INTER_AREA).astype(np.float32) / 255)


def bark(background: Floats, rng: np.random.Generator) -> Floats:
    """Return (h, w, 3) dark, finely textured brown."""
    noise = ndimage.gaussian_filter(rng.normal(size=background.shape[:2]), 1.0)
    tone = np.array([0.045, 0.07, 0.035]) * rng.uniform(0.7, 1.5)
    return np.asarray(np.clip(tone * (1 + 1.2 * noise[..., None]), 0.005, 1), np.float32)


def test_chart(height: int, width: int, rng: np.random.Generator) -> Floats:
    """Return a (height, width, 3) sRGB chart: four quarters with a zone plate, a star, stripes of many pitches and angles, and text."""
    grey = np.full((height, width), 0.5)
    half_y, half_x = height // 2, width // 2
    y, x = np.mgrid[:half_y, :half_x].astype(float)
    cy, cx = half_y * rng.uniform(0.4, 0.6), half_x * rng.uniform(0.4, 0.6)
    radius2 = (y - cy) ** 2 + (x - cx) ** 2
    grey[:half_y, :half_x] = 0.5 + 0.4 * np.cos(np.pi * radius2 / (2.2 * min(half_y, half_x)))
    angle = np.arctan2(y - half_y / 2, x - half_x / 2)
    spokes = 0.5 + 0.4 * np.sign(np.cos(angle * rng.integers(36, 60)))
    grey[:half_y, width - half_x :] = np.where(np.hypot(y - half_y / 2, x - half_x / 2) < 0.47 * min(half_y, half_x), spokes, 0.7)
    stripes = np.full((half_y, half_x), 0.6)
    for n in range(12):
        top, left = divmod(n, 4)
        window = np.s_[top * half_y // 3 : (top + 1) * half_y // 3 - 6, left * half_x // 4 : (left + 1) * half_x // 4 - 6]
        pitch, turn = rng.uniform(2.2, 9), rng.uniform(0, np.pi)
        stripes[window] = 0.5 + 0.35 * np.sign(np.cos(2 * np.pi * (y[window] * np.sin(turn) + x[window] * np.cos(turn)) / pitch))
    grey[height - half_y :, :half_x] = stripes
    rgb = np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)
    text = np.full((half_y, half_x, 3), 235, np.uint8)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPRSTUVXYZ0123456789"
    line, size = 8, 1.0
    while line < half_y - 4:
        size = max(0.22, size * 0.9)
        line += int(26 * size) + 3
        words = "".join(rng.choice(list(letters), 60))
        colour = tuple(int(v) for v in rng.integers(0, 120, 3))
        cv2.putText(text, words, (4, line), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
    rgb[height - half_y :, width - half_x :] = text.astype(np.float32) / 255
    return np.asarray(np.clip(rgb, 0.02, 0.98), np.float32)
