"""Exposure of layered, moving scenes: exact area means of surfaces of unit squares, composited front to back. Shares nothing with alignment or merge."""

from __future__ import annotations

import numpy as np

from burstsr.core.jit import compiled


@compiled
def box_mean(plane, top, left, side):
    """Mean of a surface of unit squares over a square of `side` whose upper left corner is at the edge coordinates (top, left): exact area weights."""
    first_row, first_column = int(np.floor(top)), int(np.floor(left))
    last_row, last_column = int(np.ceil(top + side)), int(np.ceil(left + side))
    total = 0.0
    for y in range(first_row, last_row):
        down = min(top + side, y + 1.0) - max(top, float(y))
        row = min(max(y, 0), plane.shape[0] - 1)
        line = 0.0
        for x in range(first_column, last_column):
            across = min(left + side, x + 1.0) - max(left, float(x))
            line += across * plane[row, min(max(x, 0), plane.shape[1] - 1)]
        total += down * line
    return total / (side * side)


@compiled
def field_at(field, y, x, component):
    """Return the bilinear value of a displacement field (H, W, 2) at raw position (y, x), constant beyond the borders."""
    y = min(max(y, 0.0), field.shape[0] - 1.001)
    x = min(max(x, 0.0), field.shape[1] - 1.001)
    i, j = int(y), int(x)
    v, u = y - i, x - j
    upper = (1 - u) * field[i, j, component] + u * field[i, j + 1, component]
    lower = (1 - u) * field[i + 1, j, component] + u * field[i + 1, j + 1, component]
    return (1 - v) * upper + v * lower


@compiled
def expose_layers(first, last, layers, margin, scale, magnification, poses, offsets, field, subdivisions, cfa, out):
    """Compute rows first .. last of a frame's noise-free samples.

    layers (L, 4, h, w): premultiplied red, green, blue and opacity of each surface, front first, `margin` pixels of scene around the truth.
    magnification (3,): of the lens per channel. poses (H, K, 3): dy, dx (raw pixels) and angle (rad) of every row at K moments of the exposure.
    offsets (L, K, 2): displacement of each layer, raw pixels. field (H, W, 2): where a reference position of the last layer came from, less that position.
    """
    height, width = out.shape
    moments = poses.shape[1]
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    part = 1.0 / subdivisions
    side = scale * part
    for i in range(first, last):
        for j in range(width):
            channel = cfa[i % cfa.shape[0], j % cfa.shape[1]]
            grow = magnification[channel]
            total = 0.0
            for k in range(moments):
                y, x = i - centre_y - poses[i, k, 0], j - centre_x - poses[i, k, 1]
                cos, sin = np.cos(poses[i, k, 2]), np.sin(poses[i, k, 2])
                at_y, at_x = (y * cos - x * sin) * grow + centre_y, (x * cos + y * sin) * grow + centre_x
                for a in range(subdivisions):
                    for b in range(subdivisions):
                        left_over = 1.0
                        for layer in range(layers.shape[0]):
                            py, px = at_y - offsets[layer, k, 0], at_x - offsets[layer, k, 1]
                            if layer == layers.shape[0] - 1:
                                py, px = py + field_at(field, py, px, 0), px + field_at(field, py, px, 1)
                            top = margin + py * scale + a * side
                            left = margin + px * scale + b * side
                            opacity = 1.0
                            if layer < layers.shape[0] - 1:
                                opacity = box_mean(layers[layer, 3], top, left, side)
                                if opacity <= 0.0:
                                    continue
                            total += left_over * box_mean(layers[layer, channel], top, left, side)
                            left_over *= 1.0 - opacity
                            if left_over < 1e-6:
                                break
            out[i, j] = total * part * part / moments
