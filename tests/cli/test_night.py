"""Simulated nights, from folders of FITS to a stacked FITS: lights, darks, flats and bias frames of a sensor with hot pixels, vignetting and dust."""

import json
from math import erf

import cv2
import numpy as np
import pytest

from burstsr.core.cfa import Cfa

fits = pytest.importorskip("astropy.io.fits")
SHAPE, SCALE, FRAMES = (96, 112), 2, 16
SIGMA, GAIN_E, BIAS_DN, READ_E, SKY_E, DARK_E = 1.25, 1.0, 400.0, 3.0, 200.0, 30.0
SHIFTS = [(6 * ((0.7549 * n + 0.5) % 1) - 3, 6 * ((0.5698 * n + 0.5) % 1) - 3) for n in range(FRAMES)]  # a dither, px


def star_field(rng, count=9, margin=12, apart=15):
    """(n, 3) y, x in raw pixels, and flux in electrons, of stars that do not touch."""
    stars = []
    while len(stars) < count:
        y, x = (rng.uniform(margin, length - margin) for length in SHAPE)
        if all(np.hypot(y - a, x - b) > apart for a, b, _ in stars):
            stars.append((y, x, np.exp(rng.uniform(np.log(4e4), np.log(3e5)))))
    return np.array(stars)


def exposed(stars, shift):
    """(H, W) electrons of stars, each a Gaussian integrated over the pixels. `shift`: as of a flow: a frame at p + shift shows what the reference at p does."""

    def share(centre, length):
        edge = (np.arange(length + 1) - 0.5 - centre) / (SIGMA * np.sqrt(2))
        return np.diff([erf(e) / 2 for e in edge])

    return sum(flux * np.outer(share(y + shift[0], SHAPE[0]), share(x + shift[1], SHAPE[1])) for y, x, flux in stars)


class Camera:
    def __init__(self, rng, cfa):
        self.rng, self.cfa = rng, cfa
        y, x = (np.linspace(-1, 1, length) for length in SHAPE)
        self.light = 1 - 0.25 * (y[:, None] ** 2 + x[None] ** 2) / 2
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        self.light *= 1 - 0.3 * np.exp(-((y - 43) ** 2 + (x - 73) ** 2) / (2 * 4**2))  # dust
        self.filters = np.array([0.6, 1.0, 0.8] if cfa else [1.0])[Cfa.parse(cfa or "mono").channel_map(SHAPE)]
        self.dark = np.full(SHAPE, DARK_E)
        hot = rng.integers(0, SHAPE, (25, 2))
        self.dark[tuple(hot.T)] = np.minimum(rng.exponential(2000, len(hot)), 30000)

    def write(self, path, electrons, time_s=10.0, temperature=-10.0, **cards):
        """A frame of `electrons` that fall onto the sensor, DARK_E and hot pixels being those of 10 s at -10 C."""
        current = self.dark * time_s / 10 * 2 ** ((temperature + 10) / 6)
        seen = self.rng.poisson(electrons * self.light * self.filters + current) + self.rng.normal(0, READ_E, SHAPE)
        header = fits.Header({"INSTRUME": "Cam", "EXPTIME": time_s, "GAIN": 100, "CCD-TEMP": temperature, **cards})
        if self.cfa:
            header["BAYERPAT"] = self.cfa
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.PrimaryHDU(np.clip(np.rint(seen / GAIN_E + BIAS_DN), 0, 65535).astype(np.uint16), header).writeto(path)


@pytest.fixture(params=["", "GRBG"], ids=["mono", "colour"])
def night(request, tmp_path):
    rng = np.random.default_rng(11)
    camera, stars = Camera(rng, request.param), star_field(rng)
    for n, shift in enumerate(SHIFTS):
        electrons = exposed(stars, shift) + SKY_E
        sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 70.5, "CRPIX2": 50.5, "CRVAL1": 10.0, "CRVAL2": 20.0, "CDELT1": -0.001, "CDELT2": 0.001}
        camera.write(tmp_path / "night" / "lights" / f"light_{n}.fits", electrons, **{"DATE-OBS": f"2025-01-01T00:00:{n:02d}"}, **sky)
    for n in range(9):
        camera.write(tmp_path / "night" / "darks" / f"dark_{n}.fits", 0 * camera.dark, 20.0, -7.0, IMAGETYP="Dark")
        camera.write(tmp_path / "night" / "bias" / f"bias_{n}.fits", 0 * camera.dark, 0.0)
        camera.write(tmp_path / "night" / "flats" / f"flat_{n}.fits", np.full(SHAPE, 40000.0 + 500 * n), 1.0)
    return tmp_path / "night", stars, camera


def measured(image, stars):
    """(n, 3) y, x and flux of stars in an image at SCALE, in raw pixels and samples, by aperture and centroid."""
    found = []
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    for y, x, _ in stars:
        y, x = ((p + 0.5) * SCALE - 0.5 for p in (y, x))
        away = np.hypot(rows - y, columns - x)
        level = np.median(image[(away > 12) & (away < 17)])
        inside = away < 11
        light = (image - level) * inside
        centre = ((light * rows).sum() / light.sum(), (light * columns).sum() / light.sum())
        found.append((*((c + 0.5) / SCALE - 0.5 for c in centre), light.sum() / SCALE**2))
    return np.array(found)


def peaks(image, threshold):
    """(n, 2) y, x of local maxima above a threshold, in raw pixels."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5)
    highest = (smooth == cv2.dilate(smooth, np.ones((9, 9)))) & (smooth > threshold)
    return (np.argwhere(highest) + 0.5) / SCALE - 0.5


def test_stars_keep_their_flux_and_place(night, run_json, tmp_path):
    folder, stars, camera = night
    frames = [word for name in ("darks", "flats", "bias") for word in (f"--{name}", folder / name)]
    status, told = run_json("process", folder, "-o", tmp_path / "out", "--format", "fits", "--reference", "0", *frames, "--one-burst")
    assert status == 0 and [b["frames"] for b in told["bursts"]] == [FRAMES]
    with fits.open(tmp_path / "out" / "lights.fits") as file:
        planes, header = np.array(file["SCI"].data, np.float32), file["SCI"].header
        assert file["WHT"].data.shape == file["VAR"].data.shape == planes.shape
    assert header["NCOMBINE"] == FRAMES and header["LIVETIME"] == 10 * FRAMES and header["CRPIX1"] == 140.5 and header["CDELT2"] == 0.0005
    known = json.loads((tmp_path / "out" / "lights.json").read_text())["known"]
    assert "scaled by" in known["darks"] and "9 frames" in known["flats"]
    evened = 1 / np.mean(1 / camera.light)  # gains of a flat have a mean of 1
    span = (65535 - np.median(camera.dark) / GAIN_E - BIAS_DN) * GAIN_E
    for plane, share in zip(planes if planes.ndim == 3 else planes[None], [0.6, 1.0, 0.8] if camera.cfa else [1.0], strict=True):
        found = measured(plane, stars)
        np.testing.assert_allclose(found[:, 2], stars[:, 2] * share * evened / span, rtol=0.01)
        assert np.hypot(*(found[:, :2] - stars[:, :2]).T).max() < 0.02
        shown = peaks(plane, np.median(plane) + 0.3 * 4e4 * share / (2 * np.pi * SIGMA**2) / span)
        assert len(shown) == len(stars)
        assert all(np.hypot(*(shown - star[:2]).T).min() < 1 for star in stars)
