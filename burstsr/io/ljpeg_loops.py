"""The two passes of lossless JPEG over a tile: prediction residuals, and their bits (ITU-T T.81, annex H)."""

from __future__ import annotations

from burstsr.core.jit import compiled


@compiled
def residuals(tile, bits, categories, found, counts):
    """Compute residuals of the left neighbour (of the one above in the first column) of (h, w, c) uint16 `tile` into `found`, int32 of as many values.

    categories: (65536,) uint8, the number of bits of a residual by its lowest 16. counts: (17,) int64, incremented by the counts of each category.
    """
    height, width, channels = tile.shape
    i = 0
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                if x > 0:
                    predicted = int(tile[y, x - 1, c])
                elif y > 0:
                    predicted = int(tile[y - 1, 0, c])
                else:
                    predicted = 1 << (bits - 1)
                residual = int(tile[y, x, c]) - predicted
                found[i] = ((residual + 32768) & 0xFFFF) - 32768  # modulo 2^16
                counts[categories[residual & 0xFFFF]] += 1
                i += 1


@compiled
def pack(found, categories, codes, lengths, out):
    """Write Huffman codes and extra bits of residuals, a zero after every 0xFF byte, into uint8 `out`; return the number of bytes.

    codes, lengths: (17,) int64 of each category. out: at least 8 bytes per residual, plus 16.
    """
    held_bits, held, place = 0, 0, 0
    for i in range(found.shape[0]):
        residual = int(found[i])
        category = int(categories[residual & 0xFFFF])
        held = (held << lengths[category]) | codes[category]
        held_bits += lengths[category]
        if category < 16:  # the one residual of category 16, -32768, has no extra bits
            extra = residual if residual >= 0 else residual - 1
            held = (held << category) | (extra & ((1 << category) - 1))
            held_bits += category
        if held_bits >= 32:
            held_bits -= 32
            word = held >> held_bits
            held &= (1 << held_bits) - 1
            if ((0xFFFFFFFF - word - 0x01010101) & word & 0x80808080) == 0:  # no byte of the four is 0xFF
                out[place] = word >> 24
                out[place + 1] = (word >> 16) & 0xFF
                out[place + 2] = (word >> 8) & 0xFF
                out[place + 3] = word & 0xFF
                place += 4
            else:
                for shift in (24, 16, 8, 0):
                    out[place] = (word >> shift) & 0xFF
                    place += 1
                    if out[place - 1] == 0xFF:
                        out[place] = 0
                        place += 1
    filling = -held_bits % 8
    held = (held << filling) | ((1 << filling) - 1)
    held_bits += filling
    while held_bits > 0:
        held_bits -= 8
        out[place] = (held >> held_bits) & 0xFF
        place += 1
        if out[place - 1] == 0xFF:
            out[place] = 0
            place += 1
    return place
