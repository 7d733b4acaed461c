"""The sRGB colour space (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np

SRGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # linear sRGB, D65 white
