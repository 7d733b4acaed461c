"""Descriptor of a network: its input, its scale and its sizes, all that is needed to run it. Does not require torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from burstsr.core.errors import BurstsrError, SettingsError
from burstsr.core.fields import check_range, shown

ARCHITECTURES = ("srcnn", "srresnet", "rrdb", "zoom", "srvgg", "srmd", "foreign")  # foreign: any that spandrel knows
INPUTS = {"y": 1, "rgb": 3, "rgb-noise": 4, "bayer": 4, "bayer-noise": 8}  # channels of each


@dataclass(frozen=True)
class Descriptor:
    """One network.

    name: as on the command line, with the scale ("srcnn-x4"). architecture: one of ARCHITECTURES. scale: output pixels per input pixel, per axis, for
    "zoom" per raw pixel. input: "y" (BT.601 luma of sRGB), "rgb" (sRGB), both 0 to 1, "rgb-noise" (the same, and a plane of the standard deviation of its
    noise), "bayer" (R, G of the red row, G of the blue row, B of white-balanced samples on the curve of `burstsr.core.srgb.encode_srgb`, each plane half as
    large as the mosaic), or "bayer-noise" (the same, and the standard deviation of the noise of each: `single.mosaic.noise_planes`).
    sizes: arguments of the network's constructor.
    reach_px: receptive field radius in pixels of the input (of a plane, for "bayer"), which is the overlap of tiles. multiple: the input's sides must be
    multiples of it. gan: trained against a discriminator, so that it invents detail.
    """

    name: str
    architecture: str
    scale: int
    input: str
    sizes: Mapping[str, Any] = field(default_factory=dict)
    reach_px: int = 16
    multiple: int = 1
    gan: bool = False
    learned: bool = True

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise SettingsError(f"{self.name}: architecture must be one of {', '.join(ARCHITECTURES)}, not {self.architecture!r}")
        if self.input not in INPUTS:
            raise SettingsError(f"{self.name}: input must be one of {', '.join(INPUTS)}, not {self.input!r}")
        for name, low, high in (("scale", 1, 8), ("reach_px", 0, 4096), ("multiple", 1, 256)):
            check_range(f"{self.name}: {name}", getattr(self, name), low, high, whole=True)
        if not isinstance(self.sizes, Mapping):
            raise SettingsError(f"{self.name}: sizes must be a mapping of names, not {shown(self.sizes)}")

    @property
    def raw(self) -> bool:
        """Whether the network takes raw mosaics."""
        return self.input.startswith("bayer")

    @property
    def noise_map(self) -> bool:
        """Whether the network is told the noise of its input."""
        return self.input.endswith("-noise")

    @property
    def channels(self) -> int:
        """Return the number of input channels."""
        return INPUTS[self.input]

    @property
    def face_side_px(self) -> int:
        """Return the side of the images of faces that the network takes; 0 for networks of any image."""
        return int(self.sizes.get("face_side_px", 0))

    def to_json(self) -> str:
        """Serialise to one line of JSON, read back equal by `from_json`."""
        return json.dumps({**asdict(self), "sizes": dict(self.sizes)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Descriptor:
        """Invert `to_json`. Raises SettingsError."""
        try:
            return cls(**json.loads(text))
        except BurstsrError:
            raise
        except (ValueError, TypeError, RecursionError) as error:
            raise SettingsError(f"not a network descriptor: {text[:200]!r} ({error})") from error
