"""Pictures to train on: folders of them, and what makes a training pair of a patch."""

from single.data.degrade import Degradation
from single.data.folder import PatchDataset
from single.data.pairs import AlignedPairs, BayerPairs, ImagePairs, Pairs

__all__ = ["AlignedPairs", "BayerPairs", "Degradation", "PatchDataset", "Pairs", "ImagePairs"]
