"""Contextual loss (Mechrez, Talmi, Zelnik-Manor 2018, eqs. 1 to 4), and contextual bilateral loss (Zhang et al. 2019, "Zoom to Learn, Learn to Zoom", §5,
eqs. 4 and 5): every feature of the target must have a similar one in the output, nearby but not necessarily at the same position.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from burstsr.core.errors import SettingsError

BANDWIDTH = 0.5  # h
SPATIAL_WEIGHT = 0.5  # w_s; 0.1 in the paper, with which matches drift
PATCHES = {2: 5, 4: 10, 8: 15}  # side of the RGB patches, by scale
_LARGEST = 96  # maximum features per side, all of which are compared with each other
_EPSILON = 1e-5


def cobi(made: Tensor, wanted: Tensor, spatial_weight: float = SPATIAL_WEIGHT, bandwidth: float = BANDWIDTH) -> Tensor:
    """Return -log of the contextual similarity of features (N, C, H, W), in the paper's axes (Mechrez 2018, eqs. 2 to 4).

    Of every made feature the distances to all wanted ones are divided by the least of them and softened by `bandwidth` to shares; of every wanted feature the
    largest share counts, mean over them.

    Distance: cosine about the wanted features' mean, plus `spatial_weight` times the spatial distance in units of the larger side (CoBi). 0: the contextual
    loss. Memory grows with (H W)^2. Raises SettingsError beyond 96 x 96.
    """
    if made.shape != wanted.shape or max(made.shape[2:]) > _LARGEST:
        raise SettingsError(f"CoBi of features {tuple(made.shape)} and {tuple(wanted.shape)}: shapes must be equal, with sides up to {_LARGEST}")
    centre = wanted.mean((0, 2, 3), keepdim=True)
    p, q = (functional.normalize((x - centre).flatten(2), dim=1) for x in (made, wanted))
    distance = (1 - torch.einsum("nci,ncj->nij", q, p)).clamp(min=0)  # of target i and output j
    height, width = made.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack((y.flatten(), x.flatten()), 1).to(made) / max(height, width)
    distance = distance + spatial_weight * torch.cdist(places, places)
    relative = distance / (distance.amin(1, keepdim=True) + _EPSILON)  # over targets
    similarity = torch.softmax((1 - relative) / bandwidth, dim=1)
    found: Tensor = -torch.log(similarity.amax(2).mean(1) + _EPSILON).mean()  # over sources
    return found


def rgb_patch_loss(made: Tensor, wanted: Tensor, scale: int = 2, spatial_weight: float = SPATIAL_WEIGHT, most: int = 48) -> Tensor:
    """Return CoBi on patches of RGB (n = 5, 10, 15 pixels at x2, x4, x8) of (N, 3, H, W) images; at most about `most`
    patches along a side.
    """
    side = PATCHES.get(scale, 5)
    if min(made.shape[2:]) < side:
        raise SettingsError(f"CoBi on patches of {side} pixels: images of {made.shape[3]} x {made.shape[2]} are too small")
    step = max(1, -(-max(made.shape[2:]) // most))

    def patches(x: Tensor) -> Tensor:
        rows, columns = ((n - side) // step + 1 for n in x.shape[2:])
        found: Tensor = functional.unfold(x, side, stride=step).reshape(len(x), -1, rows, columns)
        return found

    return cobi(patches(made), patches(wanted), spatial_weight)
