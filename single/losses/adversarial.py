"""Adversarial losses, of logits.

Ledig 2017, eq. 5 (non-saturating); relativistic average: Jolicoeur-Martineau 2018, Wang 2018 (ESRGAN) §3.2, eqs. 1 and 2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def discriminator_loss(real: Tensor, fake: Tensor, relativistic: bool = True) -> Tensor:
    """Return the loss of the discriminator: real (N, 1) logits of real images, fake of generated ones. Relativistic: relative to the mean of the others."""
    if relativistic:
        real, fake = real - fake.mean(), fake - real.mean()
    return (_named(real, 1.0) + _named(fake, 0.0)) / 2


def generator_loss(real: Tensor, fake: Tensor, relativistic: bool = True) -> Tensor:
    """Return the loss of the generator: that generated images pass for real ones; relativistic: also that real ones pass less."""
    if relativistic:
        return (_named(real - fake.mean(), 0.0) + _named(fake - real.mean(), 1.0)) / 2
    return _named(fake, 1.0)


def _named(logits: Tensor, truth: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))
