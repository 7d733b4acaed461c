import imagecodecs
import numpy as np
import pytest

from burstsr.io.ljpeg_encode import encoded, huffman_lengths


@pytest.mark.parametrize("bits", [10, 14, 16])
@pytest.mark.parametrize("shape", [(1, 16, 3), (33, 50, 1), (32, 24, 2), (20, 20, 4)])
def test_libjpeg_decodes_what_is_encoded(shape, bits):
    rng = np.random.default_rng(1)
    most = (1 << bits) - 1
    smooth = rng.normal(most / 3, 30, shape).clip(0, most)
    for values in (rng.integers(0, most + 1, shape), smooth, rng.integers(0, 2, shape) * most, np.zeros(shape)):  # the third has every residual of T.81
        tile = values.astype(np.uint16)
        assert np.array_equal(imagecodecs.jpeg8_decode(encoded(tile, bits)).reshape(shape), tile)


def test_the_one_residual_without_extra_bits():
    tile = np.zeros((16, 16, 1), np.uint16)
    tile[::2, ::2] = 32768  # 32768 apart: category 16
    assert np.array_equal(imagecodecs.jpeg8_decode(encoded(tile, 16)), tile[:, :, 0])


def test_codes_are_no_longer_than_16_bits_and_leave_one_free():
    rng = np.random.default_rng(2)
    cases = [[2**k for k in range(17)], [0] * 16 + [5], *(np.exp(rng.uniform(-3, 25, 17)).astype(int).tolist() for _ in range(200))]
    for counts in cases:
        lengths = huffman_lengths(counts)
        assert [n > 0 for n in counts] == [length > 0 for length in lengths]
        assert max(lengths) <= 16
        assert sum(2.0**-length for length in lengths if length) <= 1 - 2.0**-16
