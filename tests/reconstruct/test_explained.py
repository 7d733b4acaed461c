"""What is kept where an image does not explain the samples."""

import numpy as np
import pytest

from burstsr.reconstruct.explained import keep_explained, without_dots


class Data:
    """Misfits that are the same everywhere."""

    def __init__(self, before, after, steeper=1.0):
        self._steeper = steeper
        self._before, self._after = (np.full((6, 6), v, np.float32) for v in (before, after))

    def weighted(self, maps):
        return maps

    def misfits(self, image):
        return [self._after]

    def misfits_of_start(self):
        return [self._before]

    steepness_of_start = np.ones((6, 6), np.float32)

    def steepness(self, image):
        return np.full((6, 6), self._steeper, np.float32)

    def of_pixels(self, values):
        return np.kron(values, np.ones((4, 4), np.float32))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    start = rng.uniform(0.4, 0.6, (3, 24, 24)).astype(np.float32)
    x = start.copy()
    x[:, 12, 12] = 1.0  # a dot
    x[:, 5, 5] = start[:, 5, 6]  # detail within the range around it
    return x, start


def kept(images, before, after, steeper=1.0):
    x, start = images
    data, maps = Data(before, after, steeper), [np.ones((6, 6), np.float32)]
    return keep_explained(data, maps, without_dots(data, maps, x, start, 2.0), start)


@pytest.mark.parametrize(("before", "after"), [(1.1, 1.0), (9.0, 1.1), (8.0, 1.6)])
def test_what_explains_the_samples_is_kept(images, before, after):
    np.testing.assert_array_equal(kept(images, before, after), images[0])


def test_dots_that_hardly_explain_more_are_held_within_the_range_around_them(images):
    out, (x, start) = kept(images, 2.4, 1.8), images
    assert (out[:, 12, 12] <= start[:, 11:14, 11:14].max(axis=(1, 2)) + 1e-6).all()
    np.testing.assert_array_equal(out[:, 5, 5], x[:, 5, 5])


def test_steep_detail_is_kept_only_where_it_explains_the_samples_in_full(images):
    out, start = kept(images, 20.0, 2.4, steeper=4.0), images[1]
    assert (out[:, 12, 12] <= start[:, 11:14, 11:14].max(axis=(1, 2)) + 1e-6).all()
    np.testing.assert_array_equal(kept(images, 20.0, 1.2, steeper=4.0), images[0])


def test_what_explains_nothing_is_the_first_estimate(images):
    np.testing.assert_allclose(kept(images, 8.0, 7.5), images[1], atol=1e-6)
