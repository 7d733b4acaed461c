"""How much work a merge is: operations of the formula and bytes that must move, whatever the program that does it.

Operations, per output pixel and frame, as the formula needs them (an FMA counts two, a comparison, a clamp or a conversion none):

    12  place in the frame: the flow linear along the row, dy and dx; nearest sample; distances to it
     4  distances to the neighbours, dy +- 1, dx +- 1
    42  nine exponents (a dy + b dx) dy + c dx dx, with what a row or a column of taps shares computed once
   144  nine exponentials, 16 each: scaling, polynomial of degree 5, five squarings
     9  robustness times each weight
    27  nine products with samples, summed; nine weights, summed

in all 238. What belongs to an output pixel alone, such as the division at the end, is left out: a frame's share of it is small.

Bytes, each once: raw values (2 each) and robustness (4 per CFA cell) of every frame, flow (8 per tile), kernels (12 per cell), image and weight (12 per output
pixel). Further traffic of an implementation, such as sums read and written for every frame, is not counted. The arithmetic intensity
(operations per byte), and with it the attainable performance, therefore depends on size, scale and number of frames only.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.merge_case import TILE_PX, MergeCase

OPERATIONS = 12 + 4 + 42 + 9 * 16 + 9 + 27


@dataclass(frozen=True)
class Work:
    """pixels: output pixels times frames. operations: floating-point, all together. bytes: that must move."""

    pixels: int
    operations: float
    bytes: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes


def work_of(case: MergeCase) -> Work:
    """The work of merging all frames."""
    raw, out, frames = case.shape[0] * case.shape[1], case.output_shape[0] * case.output_shape[1], len(case.frames)
    moved = frames * raw * (2 + 4 / 4 + 8 / TILE_PX**2) + raw * 12 / 4 + out * 24
    return Work(out * frames, float(OPERATIONS) * out * frames, float(moved))
