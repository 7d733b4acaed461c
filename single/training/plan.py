"""Training plan. Does not require torch, so that the command line can validate it."""

from __future__ import annotations

from dataclasses import dataclass

from burstsr.core.errors import SettingsError
from burstsr.core.fields import check_choice, check_range
from single.descriptor import Descriptor

PIXEL_LOSSES = ("l1", "mse", "ssim", "ms-ssim", "cobi")


@dataclass(frozen=True)
class Plan:
    """One training. The defaults are those of the included weights, except `steps`; those of the papers: `single.training.presets`.

    steps: number of batches. batch: batch size. patch_px: patch size, in pixels of the network's input. rate, final_rate: initial and final learning rate
    (cosine schedule); rate 0: 1e-3, for a GAN 1e-4 (1e-3 destroys a trained network). ema: decay of the exponential moving average of the weights, which is
    what is saved. loss: one of PIXEL_LOSSES. gan: train against a discriminator, starting from a trained network. pixel_weight, adversarial_weight,
    perceptual_weight: weights of the losses of a GAN.
    discriminator_width, discriminator_dense: channels of its first layer, and units of its dense one; 0: 64 and 1024 as published, for lite networks 24 and
    256. discriminator_pairs: of its convolutions. spatial_weight: of the loss cobi. l1_weight: of L1 in addition to another pixel loss.
    paper_start: SRCNN from small random weights, not the identity.
    vgg: file of VGG-19 weights for the perceptual loss, "" for none. validate_every: steps between validations, checkpoints and lines of the log.
    bf16: None = where the device supports it. channels_last: order of images in memory; None = as is faster, measured before a training of at least 200 steps.
    """

    descriptor: Descriptor
    steps: int = 10000
    batch: int = 16
    patch_px: int = 32
    rate: float = 0.0
    final_rate: float = 1e-6
    ema: float = 0.999
    loss: str = "l1"
    gan: bool = False
    relativistic: bool = True
    pixel_weight: float = 1.0
    adversarial_weight: float = 5e-3
    perceptual_weight: float = 0.0
    vgg: str = ""
    before_activation: bool = True
    discriminator_width: int = 0
    discriminator_dense: int = 0
    discriminator_pairs: int = 4
    spatial_weight: float = 0.5
    l1_weight: float = 0.0
    paper_start: bool = False
    validate_every: int = 500
    seed: int = 0
    threads: int = 0
    bf16: bool | None = None
    channels_last: bool | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        limits = (
            ("steps", 1, 10_000_000), ("batch", 1, 1024), ("patch_px", 8, 1024), ("rate", 0, 1), ("final_rate", 0, 1), ("ema", 0, 0.99999),
            ("pixel_weight", 0, 1000), ("adversarial_weight", 0, 1000), ("perceptual_weight", 0, 1000), ("discriminator_width", 0, 512),
            ("discriminator_dense", 0, 4096), ("discriminator_pairs", 1, 6), ("spatial_weight", 0, 100), ("l1_weight", 0, 1000),
            ("validate_every", 1, 1_000_000), ("seed", 0, 2**63 - 1), ("threads", 0, 1024),
        )  # fmt: skip
        for name, low, high in limits:
            check_range(name, getattr(self, name), low, high)
        lite = "lite" in self.descriptor.name
        automatic = {"rate": 1e-4 if self.gan else 1e-3, "discriminator_width": 24 if lite else 64, "discriminator_dense": 256 if lite else 1024}
        for name, value in automatic.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        object.__setattr__(self, "loss", check_choice("loss", self.loss, PIXEL_LOSSES))
        if self.perceptual_weight and not self.vgg:
            raise SettingsError("--perceptual-weight requires VGG-19 weights: --vgg FILE, or --vgg torchvision if torchvision has downloaded them")
