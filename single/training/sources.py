"""Sources of training pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from burstsr.core.errors import SettingsError
from single.data import AlignedPairs, BayerPairs, Degradation, ImagePairs, Pairs, PatchDataset
from single.descriptor import Descriptor

_HELD_BACK = 10  # every n-th image, where none are given


def pairs_from_images(descriptor: Descriptor, data: Sequence[Path], held_back: Sequence[Path] | None, degradation: Degradation) -> tuple[Pairs, Pairs]:
    """Return pairs for training and for validation from folders of images: degraded or, for a raw-to-RGB network, as simulated raw patches.

    held_back: validation images; None: every tenth of `data`. Raises InputFileError.
    """
    training = PatchDataset(data)
    validation = PatchDataset(held_back) if held_back else training.split_off(_HELD_BACK)
    if descriptor.raw:
        return _bayer(descriptor, training), _bayer(descriptor, validation)
    y = descriptor.input == "y"
    return ImagePairs(training, descriptor.scale, degradation, y), ImagePairs(validation, descriptor.scale, degradation, y)


def _bayer(descriptor: Descriptor, images: PatchDataset) -> BayerPairs:
    return BayerPairs(images, descriptor.scale, noise_map=descriptor.noise_map)


def of_raw_files(descriptor: Descriptor, data: Path, held_back: Path) -> tuple[Pairs, Pairs]:
    """Return the same from folders of raw files with an image beside each. Raises SettingsError for a network without raw input, InputFileError."""
    if not descriptor.raw:
        raise SettingsError(f"--raw-data requires a zoom model; {descriptor.name} is trained on images")
    return AlignedPairs(data, descriptor.scale), AlignedPairs(held_back, descriptor.scale)
