"""Training pairs: (network input, target), batch by batch."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burstsr.core.errors import InputFileError
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples
from burstsr.core.srgb import camera_to_srgb, decode_srgb, encode_srgb
from burstsr.io.images import read_image
from burstsr.io.raw import read_frame
from burstsr.quality.display import STUDIO_BLACK, STUDIO_LUMA
from single.data.degrade import MARGIN, Degradation
from single.data.folder import PatchDataset
from single.mosaic import balance, bayer_planes, noise_planes


class Pairs(Protocol):
    """batch: (inputs, targets) of `count` patches of `side` input pixels; randomness only from `rng`."""

    def batch(self, count: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]: ...  # noqa: D102


def luma(rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) sRGB to (N, 1, H, W) BT.601 luma, 16/255 to 235/255, the input of SRCNN and the plane of published figures."""
    weights = torch.from_numpy(STUDIO_LUMA).to(rgb.dtype).view(1, 3, 1, 1)
    return (rgb * weights).sum(1, keepdim=True) + STUDIO_BLACK


class ImagePairs:
    """Images, degraded on the fly. y: as luma. scale: of the network."""

    def __init__(self, folder: PatchDataset, scale: int, degradation: Degradation, y: bool = False) -> None:
        self.folder, self.scale, self.degradation, self.y = folder, scale, degradation, y

    def batch(self, count: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(count, C, side, side) and (count, C, scale side, scale side)."""
        patches = np.stack([self.folder.patch((side + 2 * MARGIN) * self.scale, rng) for _ in range(count)])
        high = torch.from_numpy(patches).permute(0, 3, 1, 2).float() / 255
        low = self.degradation(high, self.scale, torch.Generator().manual_seed(int(rng.integers(2**62))))
        low, high = _without(MARGIN, low), _without(MARGIN * self.scale, high)
        return (luma(low), luma(high)) if self.y else (low, high)


def _without(border: int, x: Tensor) -> Tensor:
    return x[:, :, border:-border, border:-border].contiguous()


class BayerPairs:
    """Raw patches with their truth, simulated from images: linear RGB, lens, pixel area, CFA, signal-dependent noise.

    alpha: noise of a sample, variance = alpha x + beta in units of saturation, drawn log-uniformly from this range. read_electrons: beta = (that times
    alpha)**2, drawn likewise. White balance of 1.4 to 2.4 for red and blue scales their noise, as in a camera that balances afterwards. blur_px: Gaussian sigma
    of the lens, drawn uniformly up to this, in raw pixels; the truth is without it. noise_map: inputs also tell the noise (`single.mosaic.noise_planes`).
    """

    def __init__(
        self,
        folder: PatchDataset,
        scale: int,
        alpha: tuple[float, float] = (1e-5, 8e-3),
        *,
        read_electrons: tuple[float, float] = (0.7, 12.0),
        blur_px: float = 0.4,
        noise_map: bool = False,
    ) -> None:
        self.folder, self.scale, self.alpha, self.read_electrons, self.blur_px, self.noise_map = folder, scale, alpha, read_electrons, blur_px, noise_map
        self.finer = 2 if scale == 1 else 1  # a blur of less than a pixel needs more than one sample per pixel

    def batch(self, count: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(count, 4 or 8, side, side) and (count, 3, 2 scale side, 2 scale side), both on the curve of `burstsr.core.srgb.encode_srgb`."""
        given, wanted = [], []
        for _ in range(count):
            linear = decode_srgb(self.folder.patch(2 * side * self.scale * self.finer, rng).astype(np.float32) / np.float32(255))
            given.append(self._planes(linear, rng))
            wanted.append(encode_srgb(_shrunk(linear, self.finer)))
        return torch.from_numpy(np.stack(given)), torch.from_numpy(np.stack(wanted)).permute(0, 3, 1, 2).contiguous()

    def _planes(self, linear: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Return (4 or 8, side, side) of white-balanced noisy samples of an image of `scale` times `finer` pixels per raw pixel, encoded."""
        factor = self.scale * self.finer
        sigma = self.blur_px * rng.random() * factor
        pixels = _shrunk(np.asarray(cv2.GaussianBlur(linear, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32) if sigma > 0.05 else linear, factor)
        planes = np.stack((pixels[0::2, 0::2, 0], pixels[0::2, 1::2, 1], pixels[1::2, 0::2, 1], pixels[1::2, 1::2, 2]))
        gains = np.array([rng.uniform(1.4, 2.4), 1, rng.uniform(1.4, 2.4)])
        alpha, read = (float(np.exp(rng.uniform(*np.log(span)))) for span in (self.alpha, self.read_electrons))
        noise = Noise(np.full(3, alpha), np.full(3, (read * alpha) ** 2))
        by_plane = gains[[0, 1, 1, 2]].astype(np.float32)[:, None, None]
        exposed = planes / by_plane
        noisy = exposed + np.sqrt(noise.variance(exposed, 0)).astype(np.float32) * rng.standard_normal(planes.shape, np.float32)
        balanced = np.minimum(noisy * by_plane, 1)  # as in inference
        return np.concatenate((encode_srgb(balanced), noise_planes(balanced, noise, gains))) if self.noise_map else encode_srgb(balanced)


def _shrunk(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Return means over blocks of factor x factor pixels."""
    height, width = (n // factor for n in image.shape[:2])
    return image if factor == 1 else np.asarray(image.reshape(height, factor, width, factor, 3).mean((1, 3)), np.float32)


class AlignedPairs:
    """Raw files and images of the same view, one folder per scene or `x.dng` beside `x.png`, as SR-RAW is organised after its alignment.

    The image is `scale` times as large as the mosaic, in sRGB; it is brought back to white-balanced RGB of that camera, which networks make. A side that
    differs by up to 2 % is cropped. Raises InputFileError.
    """

    RAW = (".dng", ".arw", ".cr2", ".nef")

    def __init__(self, place: str | Path, scale: int) -> None:
        if not Path(place).is_dir():
            raise InputFileError(f"{place}: {'is a file; must be a folder of raw files' if Path(place).exists() else 'no such folder'}")
        self.scale = scale
        self.pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        for raw in sorted(path for path in Path(place).rglob("*") if path.suffix.lower() in self.RAW):
            image = next((raw.with_suffix(end) for end in (".png", ".jpg", ".JPG", ".tif") if raw.with_suffix(end).is_file()), None)
            if image is not None:
                self.pairs.append(self._pair(raw, image))
        if not self.pairs:
            raise InputFileError(f"{place}: no raw file ({', '.join(self.RAW)}) with an image of the same name (.png, .jpg, .tif) beside it")

    def _pair(self, raw: Path, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        frame = read_frame(raw)
        planes, top, left = bayer_planes(samples(frame.mosaic, frame.info.levels), frame.info.cfa, balance(frame.info))
        matrix = np.linalg.inv(camera_to_srgb(frame.info.colour)).astype(np.float32)  # networks see and make camera RGB; the matrix is applied to their results
        rgb = encode_srgb(np.clip(decode_srgb(read_image(path).rgb) @ matrix.T, 0, 1))
        height, width = (length * self.scale for length in frame.info.shape)
        if abs(rgb.shape[0] / height - 1) > 0.02 or abs(rgb.shape[1] / width - 1) > 0.02:
            raise InputFileError(f"{path}: {rgb.shape[1]} x {rgb.shape[0]} pixels; {raw.name} at x{self.scale} needs {width} x {height}")
        rgb = np.pad(rgb, ((top * self.scale, 0), (left * self.scale, 0), (0, 0)), mode="edge")  # aligned with the planes
        rows, columns = (min(n, length // (2 * self.scale)) for n, length in zip(planes.shape[1:], rgb.shape[:2], strict=True))
        return encode_srgb(planes[:, :rows, :columns]), rgb[: 2 * self.scale * rows, : 2 * self.scale * columns]

    def batch(self, count: int, side: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """As `BayerPairs.batch`, but without rotation: the CFA order is part of the input."""
        given, wanted = [], []
        for _ in range(count):
            planes, rgb = self.pairs[int(rng.integers(len(self.pairs)))]
            if min(planes.shape[1:]) < side:
                raise InputFileError(f"a raw plane of {planes.shape[2]} x {planes.shape[1]} is smaller than the patch of {side}")
            y, x = int(rng.integers(planes.shape[1] - side + 1)), int(rng.integers(planes.shape[2] - side + 1))
            step = 2 * self.scale
            given.append(planes[:, y : y + side, x : x + side])
            wanted.append(rgb[step * y : step * (y + side), step * x : step * (x + side)])
        return torch.from_numpy(np.stack(given)), torch.from_numpy(np.ascontiguousarray(np.stack(wanted).transpose(0, 3, 1, 2)))
