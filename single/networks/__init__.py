"""Networks, one per file. `build` makes one from its descriptor; `single.catalogue` lists known sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from single.descriptor import Descriptor

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build"]


def build(descriptor: Descriptor) -> nn.Module:
    """The network with random weights, in training mode: (N, C, H, W) float 0 to 1 in, (N, C', scale H, scale W) out; "zoom": H and W of a plane, times
    2 scale. Raises TypeError for sizes that the architecture does not know.
    """
    if descriptor.architecture == "srcnn":
        from single.networks.srcnn import SRCNN

        return SRCNN(scale=descriptor.scale, **descriptor.sizes)
    if descriptor.architecture == "srresnet":
        from single.networks.srresnet import SRResNet

        return SRResNet(scale=descriptor.scale, **descriptor.sizes)
    if descriptor.architecture == "zoom":
        from single.networks.zoom import Zoom

        return Zoom(scale=descriptor.scale, **descriptor.sizes)
    if descriptor.architecture == "srvgg":
        from single.networks.srvgg import SRVGG

        return SRVGG(scale=descriptor.scale, **descriptor.sizes)
    if descriptor.architecture == "srmd":
        from single.networks.srmd import SRMD

        return SRMD(scale=descriptor.scale, **descriptor.sizes)
    from single.networks.rrdb import RRDBNet

    return RRDBNet(scale=descriptor.scale, **descriptor.sizes)
