"""Lateral chromatic aberration is found where there is some, and only there."""

import cv2
import numpy as np
import pytest

from burstsr.align import NOTHING, Patch, magnifications

SHAPE = (416, 480)
SCALE = 2.0


def textured(rng, magnified, noise=0.0):
    """An image whose red shows at p what green shows at c + (p - c) (1 + k), of coloured discs."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    fine = np.zeros((*SHAPE, 3), np.float32) + 0.4
    for _ in range(300):
        at, size = rng.uniform(0, SHAPE), rng.uniform(5, 40)
        fine[np.hypot(y - at[0], x - at[1]) < size] = rng.uniform(0.05, 0.9) * rng.uniform(0.6, 1, 3)
    fine = cv2.GaussianBlur(fine, (0, 0), 1.2)
    centre = (np.array(SHAPE) - 1) / 2
    for channel, k in zip((0, 2), magnified, strict=True):
        at = ((x - centre[1]) * (1 + k) + centre[1], (y - centre[0]) * (1 + k) + centre[0])
        fine[..., channel] = cv2.remap(np.ascontiguousarray(fine[..., channel]), *(np.float32(a) for a in at), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(fine + noise * rng.standard_normal(fine.shape), np.float32)


@pytest.mark.parametrize(("k", "noise"), [((0.0, 0.0), 0.02), ((0.003, -0.002), 0.002), ((-0.006, 0.004), 0.03)])
def test_magnifications_are_found(k, noise, rng):
    found = magnifications([Patch(textured(rng, k, noise), (0, 0))], SHAPE, SCALE)
    for m, true in zip(found, k, strict=True):
        corner = -true * np.hypot(*SHAPE) / 2 / SCALE
        assert m.corner_px == pytest.approx(corner, abs=max(4 * m.error_px, 0.03 * abs(corner)))
        assert m.error_px < 0.05 and abs(m.rotation_px) < 0.1 and m.k1 == 0


def test_parts_of_an_image_tell_the_same(rng):
    image = textured(rng, (0.004, 0.0))
    whole = magnifications([Patch(image, (0, 0))], SHAPE, SCALE)[0]
    parts = magnifications([Patch(image[:208], (0, 0)), Patch(image[208:], (208, 0))], SHAPE, SCALE)[0]
    assert parts.corner_px == pytest.approx(whole.corner_px, abs=4 * parts.error_px)


def test_nothing_is_told_by_an_empty_image():
    flat = np.full((*SHAPE, 3), 0.3, np.float32)
    assert magnifications([Patch(flat, (0, 0))], SHAPE, SCALE) == (NOTHING, NOTHING)


def test_a_rotation_is_no_magnification(rng):
    image = textured(rng, (0.0, 0.0))
    centre = (SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2
    image[..., 0] = cv2.warpAffine(image[..., 0], cv2.getRotationMatrix2D(centre, 0.15, 1), SHAPE[::-1], flags=cv2.INTER_CUBIC)
    red = magnifications([Patch(image, (0, 0))], SHAPE, SCALE)[0]
    assert abs(red.rotation_px) > 5 * abs(red.corner_px)
