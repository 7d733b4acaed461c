"""How much work a merge is: operations of the formula and bytes that must move, whatever the program that does it.

Operations, per output pixel and frame, as the formula needs them (an FMA counts two, a comparison, a clamp or a conversion none):

    12  place in the frame: the flow linear along the row, dy and dx; nearest sample; distances to it
     4  distances to the neighbours, dy +- 1, dx +- 1
    42  nine exponents (a dy + b dx) dy + c dx dx, with what a row or a column of taps shares computed once
   144  nine exponentials, 16 each: scaling, polynomial of degree 5, five squarings
     9  trust times each weight
    27  nine products with samples, summed; nine weights, summed

in all 238. What belongs to an output pixel alone, such as the division at the end, is left out: a frame's share of it is small.

Bytes, each once: every raw number (2) and trust (4 a quad) of every frame, flow (8 a tile), kernels (12 a quad), picture and weight (12 each an output
pixel). What a program moves beyond that, such as sums that it reads and writes for every frame, is its own doing and not counted. So intensity
(operations per byte), and with it what a machine can attain, depends on size, scale and number of frames only.
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
