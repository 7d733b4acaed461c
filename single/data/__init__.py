"""Training data: folders of images, and the degradation of patches to training pairs."""

from single.data.degrade import Degradation
from single.data.folder import PatchDataset
from single.data.pairs import AlignedPairs, BayerPairs, ImagePairs, Pairs

__all__ = ["AlignedPairs", "BayerPairs", "Degradation", "PatchDataset", "Pairs", "ImagePairs"]
