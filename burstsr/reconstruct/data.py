"""Data of a tile: positions of its samples, normal equations, and residuals from an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.lateral import NO_LATERAL, LateralAberration
from burstsr.core.limits import at_least, at_most
from burstsr.core.mono import sample_channels
from burstsr.core.noise import MODEL_ERROR, Noise
from burstsr.core.quantise import unpacked
from burstsr.core.sensor import CLIPPED, samples
from burstsr.reconstruct import loops, normal_matrix_loops
from burstsr.reconstruct.blurred_frames import BlurredFrame, WideSamples, joined
from burstsr.reconstruct.equations import Footprints, NormalEquations, TileGrid, footprints, normal_equations
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.tiles import Tile, box_in_frame

Floats = NDArray[np.float32]
Residuals = tuple[Floats, Floats, Floats]
_AROUND = (5, 5)  # CFA cells over which misfits are averaged
_NEAR = (3, 3)  # CFA cells over which brightness is averaged
_ONLY_NOISE = 1e-12
_CLIPPED_SIGMAS = 2.0  # below saturation, in noise sigmas: levels at which what is not clipped is so by chance
_LIGHT_PX = 2.0  # radius, raw pixels, of the box (applied twice) within which flux is preserved
_LEAST_OF_A_SAMPLE = 0.01
_DOUBTED = 3  # power of the reliability of blur in brackets
_FEWEST = 0.1  # of the tile's mean: lower limit of the number of samples


class Sampling(NamedTuple):
    """Parameters of the forward model. taps: of the lens blur. defects: (n, 2) raw (y, x) of samples to leave out. lateral: chromatic aberration."""

    noise: Noise
    scale: float
    taps: Floats
    defects: NDArray[np.int64]
    lateral: LateralAberration | None = None


class TileData:
    """Crops of all views that cover a tile.

    start: (p, h, w), a first estimate of the tile, with one plane of monochrome frames, else three, for the samples' variance and first residuals.
    """

    def __init__(self, tile: Tile, views: Sequence[RegisteredFrame], inverses: Sequence[Flow], start: Floats, sampling: Sampling) -> None:
        noise, scale, taps, defects, lateral = sampling
        self._tile, self.taps, self._start = tile, taps, start
        self._scale = np.float32(scale)
        self._rows, self._columns = tile.cells(scale)
        corner = np.array([self._rows[0], self._columns[0]])
        self._cfa = sample_channels(views[0].frame)
        alpha, beta = self._noise_at_pixels(noise, scale)
        level = np.stack([cv2.blur(plane, (3, 3)) for plane in start])
        self._certainty = certainty = np.asarray(1 / at_least(alpha * at_least(level, 0) + beta, _ONLY_NOISE), np.float32)
        room = math.ceil(lateral.largest_px(views[0].frame.info.shape)) if lateral else 0
        crops = [_crop(view.frame, box_in_frame(tile, view.flow, scale, view.frame.info.shape, room), defects) for view in views]
        lens = lateral.table() if lateral else NO_LATERAL
        grid = TileGrid(corner, (len(self._rows), len(self._columns)), certainty, np.array(tile.origin), lens)
        self._model_error: Floats | None = None
        self._certainties = [self._certainty_of(view.frame, noise, level) for view in views]
        grids = [grid if c is None else grid._replace(certainty=c) for c in self._certainties]
        self._spots = [footprints(*crop, self._cfa, self._scale, inverse, g) for crop, inverse, g in zip(crops, inverses, grids, strict=True)]
        self._weights = [np.float32(view.weight if view.blur is None else _trust(view)) for view in views]
        self._blurred = [
            None if view.blur is None else BlurredFrame.of(spot.where, spot.how, tile.shape, view.blur, float(scale))
            for view, spot in zip(views, self._spots, strict=True)
        ]
        self._misfits_of: tuple[Floats, list[Floats]] | None = None
        self.robustness_maps = [
            np.ascontiguousarray(unpacked(view.robustness[np.ix_(*_within((self._rows, self._columns), view.robustness.shape))])) for view in views
        ]

    def _noise_at_pixels(self, noise: Noise, scale: float) -> Iterator[Floats]:
        """Yield alpha and beta of a noise model, which broadcast to (p, h, w)."""
        rows, columns = (range(o, o + n) for o, n in zip(self._tile.origin, self._tile.shape, strict=True))
        for v in noise.of_output(rows, columns, scale):
            yield (v[:, None, None] if v.ndim == 1 else np.moveaxis(v, -1, 0))[: len(self._start)]

    def _certainty_of(self, frame: Frame, noise: Noise, level: Floats) -> Floats | None:
        """Return 1 / variance (p, h, w) of a frame's own samples, model errors included; None where the burst's noise model holds."""
        own = frame.info.own_noise
        if own is None:
            return None
        alpha, beta = self._noise_at_pixels(own, float(self._scale))
        level = at_least(level, 0)
        noise_variance = alpha * level + beta
        variance = at_least(noise_variance + self._model_variance(level), _ONLY_NOISE)
        saturation = np.float32(frame.info.levels.saturation)
        if saturation < 1:
            variance[level + np.float32(_CLIPPED_SIGMAS) * np.sqrt(noise_variance) > saturation] = np.inf
        return np.ascontiguousarray(1 / variance, np.float32)

    def _model_variance(self, level: Floats) -> Floats:
        """Return the variance of model errors, (p, h, w), the same for all frames of a bracket."""
        if self._model_error is None:
            side = 2 * round(float(self._scale)) + 1
            brightest = np.stack([cv2.dilate(plane, np.ones((side, side), np.uint8)) for plane in level])
            self._model_error = np.asarray(np.square(np.float32(MODEL_ERROR) * brightest), np.float32)
        return self._model_error

    @property
    def positions(self) -> list[Footprints]:
        """Return, per view, the positions of its samples, as if they were not blurred."""
        return self._spots

    @cached_property
    def is_bracket(self) -> bool:
        """Whether views have noise of their own."""
        return any(c is not None for c in self._certainties)

    @cached_property
    def relative_precision(self) -> list[Floats | np.float32]:
        """Return, per view, 1 / variance of its samples at each cell, (m, n), relative to that of the burst's noise model; 1 where that holds."""
        least = np.float32(1e-6)  # where a frame is clipped
        return [np.float32(1) if c is None else np.maximum(self._at_cells((c / self._certainty).mean(axis=0)), least) for c in self._certainties]

    @property
    def least_information(self) -> Floats:
        """Return a lower limit of the information of a bracket's pixels, (p, h, w): a small share of one of the noisiest samples."""
        return np.asarray(np.float32(_LEAST_OF_A_SAMPLE) * self._certainty, np.float32)

    def equations(self, robustness_maps: Sequence[Floats]) -> NormalEquations:
        """Return the normal equations of all samples, weighted by robustness (m, n) per CFA cell of the tile and by 1 / variance."""
        reach = int(np.ceil(self._scale))
        robustness_maps = self.weighted(robustness_maps)
        sharp = [robustness if frame is None else np.zeros_like(robustness) for robustness, frame in zip(robustness_maps, self._blurred, strict=True)]
        normal, right = normal_equations(self._spots, sharp, self._cfa, self._scale, (len(self._start), *self._tile.shape))
        information = np.empty_like(right)
        normal_matrix_loops.product(normal, np.ones_like(right), information)
        wide = self._wide_samples(robustness_maps, right, information)
        for axis in (1, 2):  # excluded by `product`, hence here too
            rim = np.moveaxis(right, axis, 0)
            rim[:reach] = rim[-reach:] = 0
        return NormalEquations(normal, self.blurred(right), information, self._effective_samples(information, robustness_maps), wide)

    def _wide_samples(self, robustness_maps: Sequence[Floats], right: Floats, information: Floats) -> WideSamples:
        """Return the samples of blurred frames; add their A^T W y and A^T W 1 to `right` and `information`."""
        frames = []
        for spot, frame, robustness in zip(self._spots, self._blurred, robustness_maps, strict=True):
            if frame is not None and robustness.any():
                weight = spot.how[2, frame.kept] * robustness.ravel()[spot.where[1, frame.kept]]
                frame.add_spread(weight * spot.how[3, frame.kept], right)
                frame.add_spread(weight, information)
                frames.append((frame, weight))
        return joined(frames, len(right))

    def weighted(self, robustness_maps: Sequence[Floats]) -> list[Floats]:
        """Return robustness times the weight of its view."""
        return [robustness if weight == 1 else robustness * weight for robustness, weight in zip(robustness_maps, self._weights, strict=True)]

    def misfits(self, image: Floats) -> list[Floats]:
        """Return, per view, the mean squared residual over variance around each CFA cell of the tile, (m, n); inf where the view does not cover it."""
        if self._misfits_of is None or self._misfits_of[0] is not image:  # several checks use the same image
            self._misfits_of = image, [_misfit(total, count) for total, count, _ in self._residuals(image)]
        return self._misfits_of[1]

    def steepness_of(self, image: Floats, most: np.float32) -> Floats:
        """Return the `steepness` of an image, limited to `most` times that of the first estimate."""
        return self.steepness_of_start if image is self._start else np.minimum(self.steepness(image), most * self.steepness_of_start)

    @cached_property
    def steepness_of_start(self) -> Floats:
        """Return the `steepness` of the first estimate."""
        return self.steepness(self._start)

    @cached_property
    def own_cells(self) -> Floats:
        """Return (m, n) 1 for cells whose centres are in the tile's own pixels, 0 in its margins, which lack the samples beyond."""
        t, s = self._tile, float(self._scale)
        (y, x) = ((2 * index + 1) * s for index in (self._rows, self._columns))
        return np.asarray(np.outer((y >= t.y0) & (y < t.y1), (x >= t.x0) & (x < t.x1)), np.float32)

    def steepness(self, image: Floats) -> Floats:
        """Return the squared gradient per raw pixel over the samples' noise variance, (m, n), mean around each cell of the tile and over channels."""
        s = self._scale
        total = np.zeros(image.shape[1:], np.float32)
        for plane, certainty in zip(image, self._certainty, strict=True):
            y, x = np.zeros_like(plane), np.zeros_like(plane)
            y[1:-1] = plane[2:] - plane[:-2]
            x[:, 1:-1] = plane[:, 2:] - plane[:, :-2]
            total += (y * y + x * x) * certainty * (s * s / np.float32(4 * len(image)))
        side = 2 * round(2 * float(s)) + 1
        return self._at_cells(np.asarray(cv2.blur(total, (side, side)), np.float32))

    def _at_cells(self, plane: NDArray[np.floating]) -> Floats:
        """Return values (h, w) of the tile's pixels at the centres of its CFA cells, (m, n), bilinear."""
        s = self._scale
        y, x = (((2 * index + 1) * s - o - np.float32(0.5)).astype(np.float32) for index, o in zip((self._rows, self._columns), self._tile.origin, strict=True))
        at_y, at_x = (np.ascontiguousarray(a) for a in np.broadcast_arrays(y[:, None], x[None]))
        return np.asarray(cv2.remap(np.asarray(plane, np.float32), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def misfits_of_start(self) -> list[Floats]:
        """Return the `misfits` of the first estimate."""
        return [_misfit(total, count) for total, count, _ in self._of_start]

    def brightness(self, reference: int) -> list[Floats]:
        """Return, per view, the difference in mean intensity from the reference around each CFA cell of the tile, (m, n), in standard errors.

        Compared are means of residuals from the same image, so that sample positions hardly matter; the standard errors are those of their scatter.
        """
        means = []
        for (total, count, signed), precision in zip(self._of_start, self.relative_precision, strict=True):
            n = at_least(np.asarray(cv2.blur(count, _NEAR), np.float32), 1e-6)
            mean = cv2.blur(signed, _NEAR) / n
            variance = at_least(cv2.blur(total, _NEAR) / n - mean * mean, 1) / (n * np.float32(_NEAR[0] * _NEAR[1]))
            means.append((mean, variance) if not self.is_bracket else (mean / np.sqrt(precision), variance / precision))
        own, variance = means[reference]
        return [np.asarray(np.abs(m - own) / np.sqrt(v + variance), np.float32) for m, v in means]

    @cached_property
    def _of_start(self) -> list[Residuals]:
        return list(self._residuals(self._start))

    def _residuals(self, image: Floats) -> Iterator[Residuals]:
        """Yield, per view and (m, n) CFA cells, sums over its nearest samples: squared residuals over variance, number, residuals over standard deviation."""
        seen = self.blurred(image)
        for spot, frame in zip(self._spots, self._blurred, strict=True):
            total, count, signed = np.zeros((3, len(self._rows), len(self._columns)), np.float32)
            if frame is not None:
                _add_residuals(spot, frame, frame.means(seen), (total, count, signed))
            else:
                sums = (total.ravel(), count.ravel(), signed.ravel())
                loops.misfit(spot.where, spot.how, self._scale, seen.ravel(), self._tile.shape[1], *sums)
            yield total, count, signed

    def of_pixels(self, values: Floats) -> Floats:
        """Interpolate values (m, n) of CFA cells at the tile's pixels, (h, w), bilinear."""
        y, x = (
            ((np.arange(n) + o + 0.5) / self._scale / 2 - 0.5 - c).astype(np.float32)
            for n, o, c in zip(self._tile.shape, self._tile.origin, (self._rows[0], self._columns[0]), strict=True)
        )
        at_y, at_x = (np.ascontiguousarray(a) for a in np.broadcast_arrays(y[:, None], x[None]))
        return np.asarray(cv2.remap(values, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)

    def _effective_samples(self, information: Floats, weights: Sequence[Floats]) -> float:
        """Return the effective number of samples of any colour, weighted by robustness and by the views' weights: (m, n) `weights`."""
        if self.is_bracket:
            return sum(float(w.ravel()[spots.where[1]].sum(dtype=np.float64)) for spots, w in zip(self._spots, weights, strict=True))
        return float(np.asarray((information / self._certainty).sum(axis=0), np.float32).sum(dtype=np.float64))

    def relit(self, image: Floats, equations: NormalEquations, share: float) -> Floats:
        """Return the image plus `share` of the local mean residual of each colour: restores flux lost to shrinkage. image: (p, h, w).

        Shrinkage lowers the intensity of what hardly exceeds noise: means of square roots are preserved, those of intensities are not. Here means
        are not weighted by 1 / variance: a star's core and wings have equal weight, so that the flux within a few raw pixels equals that of the samples.
        """
        if share == 0:
            return image
        scratch, seen = normal_matrix_loops.scratch_for(image.shape, 3), np.empty_like(image)
        normal_matrix_loops.seen_of(equations.normal, equations.wide, self.taps, image, seen, scratch)
        size = (2 * round(_LIGHT_PX * float(self._scale)) + 1,) * 2
        out = np.empty_like(image)
        for plane, right, explained, information, certainty, result in zip(
            image, equations.right, seen, equations.information, self._certainty, out, strict=True
        ):
            left, samples_seen = (cv2.blur(cv2.blur(a / certainty, size), size) for a in (right - explained, information))
            result[:] = plane + np.float32(share) * left / np.maximum(samples_seen, samples_seen.mean() * np.float32(_FEWEST) + np.float32(1e-9))
        return out

    def blurred(self, image: Floats) -> Floats:
        """Return the image (p, h, w) blurred by the lens."""
        if len(self.taps) == 1:
            return image
        out = np.empty_like(image)
        normal_matrix_loops.blur(image, self.taps, np.empty_like(image), out)
        return out


def _trust(view: RegisteredFrame) -> float:
    """Return the weight of a blurred view; longer exposures of a bracket, whose noise is lower, have less where their blur is not well known."""
    reliability = view.blur.reliability if view.blur else 1.0
    return reliability if view.frame.info.own_noise is None else reliability**_DOUBTED


def _add_residuals(spot: Footprints, frame: BlurredFrame, expected: Floats, sums: Residuals) -> None:
    """Add the residuals of a blurred frame's samples to the sums that `loops.misfit` computes for others."""
    cell, certainty, sample = spot.where[1, frame.kept], spot.how[2, frame.kept], spot.how[3, frame.kept]
    left = np.where((sample >= 1) & (sample < expected), 0, sample - expected)
    for out, values in zip(sums, (left * left * certainty, np.ones_like(left), left * np.sqrt(certainty)), strict=True):
        out += np.bincount(cell, values, out.size).reshape(out.shape).astype(np.float32)


def _misfit(total: Floats, count: Floats) -> Floats:
    around, samples_around = (np.asarray(cv2.blur(v, _AROUND), np.float32) for v in (total, count))
    return np.where(samples_around > 0, around / at_least(samples_around, 1e-6), np.float32(np.inf))


def _crop(frame: Frame, box: NDArray[np.int64], defects: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Return the frame's samples inside box = (y0, y1, x0, x1), even numbers, clipped at 1.0, NaN at defects; and (y0, x0).

    Clipped samples of the longer exposures of a bracket are NaN too.
    """
    y0, y1, x0, x1 = box
    crop = at_most(samples(frame.mosaic[y0:y1, x0:x1], frame.info.levels), 1)
    saturation = frame.info.levels.saturation
    if saturation < 1:
        crop[crop >= np.float32(CLIPPED * saturation)] = np.nan
    inside = defects[(defects[:, 0] >= y0) & (defects[:, 0] < y1) & (defects[:, 1] >= x0) & (defects[:, 1] < x1)]
    crop[inside[:, 0] - y0, inside[:, 1] - x0] = np.nan
    return crop, np.array([y0, x0])


def _within(index: tuple[NDArray[np.int64], ...], shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    return [np.clip(i, 0, n - 1) for i, n in zip(index, shape, strict=True)]
