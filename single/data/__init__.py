"""Pictures to train on: folders of them, and what makes a training pair of a patch."""

from single.data.degrade import Degradation
from single.data.folder import Folder
from single.data.pairs import AlignedPairs, BayerPairs, Pairs, PicturePairs

__all__ = ["AlignedPairs", "BayerPairs", "Degradation", "Folder", "Pairs", "PicturePairs"]
