"""Fringes beside highlights: removed where colours are displaced, kept where they are the scene's."""

import cv2
import numpy as np
import pytest

from burstsr.bracket.colour_lines import draw_to_colour_lines

NEUTRAL = np.array([0.5, 1.0, 0.625], np.float32)
SATURATION = 1 / 16


def lettering(bright, dark, shifts=(0.0, 0.0, 0.0)):
    """Bars and a ring of one colour on another, sharp to a pixel, each channel displaced by `shifts` along x; camera RGB, 1.0 is 16 times saturation."""
    mask = np.zeros((480, 640), np.uint8)
    for left in (160, 200, 236, 300):
        mask[120:360, left : left + 12] = 255
    cv2.circle(mask, (440, 240), 70, 255, 14)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 4)
    planes = []
    for c, shift in enumerate(shifts):
        moved = cv2.warpAffine(soft, np.array([[1, 0, 4 * shift], [0, 1, 0]], np.float32), (640, 480), borderMode=cv2.BORDER_REPLICATE)
        planes.append(dark[c] + (bright[c] - dark[c]) * cv2.resize(moved, (160, 120), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(np.stack(planes, axis=-1) * NEUTRAL, np.float32)


def chroma_error(image, truth):
    a, b = (np.log(np.maximum(v / NEUTRAL, 1e-4)) for v in (image, truth))
    return np.abs((a - b)[..., (0, 2)] - (a - b)[..., 1:2]).mean()


def luma(image):
    return (image / NEUTRAL) @ np.array([0.25, 0.5, 0.25], np.float32)


@pytest.mark.parametrize("bright, dark", [((0.9, 0.9, 0.9), (0.01, 0.01, 0.01)), ((0.9, 0.3, 0.2), (0.01, 0.012, 0.02))])
def test_fringes_of_displaced_colours_are_removed_and_luma_stays(bright, dark):
    truth = lettering(bright, dark)
    displaced = lettering(bright, dark, (0.3, 0.0, -0.3))
    image = displaced.copy()
    draw_to_colour_lines(image, NEUTRAL, SATURATION, 2.0)
    assert chroma_error(image, truth) < 0.6 * chroma_error(displaced, truth)
    np.testing.assert_allclose(luma(image), luma(displaced), rtol=2e-3, atol=1e-5)


def test_two_colours_of_the_scene_are_kept():
    image = lettering((0.9, 0.3, 0.2), (0.01, 0.012, 0.02))
    drawn = image.copy()
    draw_to_colour_lines(drawn, NEUTRAL, SATURATION, 2.0)
    assert chroma_error(drawn, image) < 0.01


def test_without_highlights_nothing_changes():
    image = lettering((0.012, 0.01, 0.008), (0.001, 0.002, 0.001), (0.5, 0.0, -0.5))
    drawn = image.copy()
    draw_to_colour_lines(drawn, NEUTRAL, SATURATION, 2.0)
    np.testing.assert_array_equal(drawn, image)


def test_blocks_leave_no_seams(rng):
    image = np.tile(lettering((0.9, 0.9, 0.9), (0.01, 0.01, 0.01), (0.3, 0.0, 0.0)), (3, 4, 1))
    moved = np.ascontiguousarray(np.roll(image, (40, 60), axis=(0, 1)))
    for part in (image, moved):
        draw_to_colour_lines(part, NEUTRAL, SATURATION, 2.0)
    inner = slice(60, -60), slice(80, -80)
    np.testing.assert_allclose(np.roll(moved, (-40, -60), axis=(0, 1))[inner], image[inner], rtol=1e-3, atol=1e-6)
