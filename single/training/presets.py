"""Settings of the papers (`burstsr train --preset paper`), and where a training departs from them all the same. Does not require torch.

Departures that every preset keeps: Adam with beta2 = 0.99 (SRCNN: SGD; the others 0.9 and 0.999), gradients clipped to norm 1, a cosine schedule between the
paper's first and last rate (theirs: steps), patches drawn evenly from images, `--steps` of your choice (theirs: 10^5 to 10^9), degradation in linear steps of
8 bits. Of single models:

- SRCNN: borders replicated (theirs: valid convolutions); one rate for all layers (theirs: a tenth for the last).
- SRGAN: the perceptual loss is the mean absolute, not the squared, difference of features; ESRGAN's discriminator is the same network.
- ESRGAN: VGG-19 conv5_4 before the activation, mean absolute difference, as theirs; scales below 4 shrink the input by pixel unshuffling (Real-ESRGAN).
- Zoom: simulated raw files unless --raw-data; an SRResNet with one more stage of upscaling.

Without a preset (the defaults, those of the included weights): L1 instead of MSE, rate 1e-3 (GAN: 1e-4), an average of the weights, SRCNN begins as the
identity, discriminators of lite networks have 24 channels and 256 dense units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from burstsr.core.errors import SettingsError
from single.descriptor import Descriptor

PRESETS = ("paper", "published-losses")
_ESRGAN_LOSSES = {"loss": "l1", "pixel_weight": 0.01, "perceptual_weight": 1.0, "adversarial_weight": 0.005, "relativistic": True, "before_activation": True}
_SRGAN_LOSSES = {"loss": "mse", "pixel_weight": 0.0, "perceptual_weight": 1.0, "adversarial_weight": 1e-3, "relativistic": False, "before_activation": False}
_PAPERS: Mapping[tuple[str, bool], Mapping[str, Any]] = {  # by architecture and whether it is a GAN
    ("srcnn", False): {"loss": "mse", "rate": 1e-4, "final_rate": 1e-4, "ema": 0.0, "paper_start": True},  # Dong 2016, section 4.1
    ("srresnet", False): {"loss": "mse", "rate": 1e-4, "final_rate": 1e-4, "ema": 0.0, "batch": 16, "patch_px": 24},  # Ledig 2017, section 3.2
    ("srresnet", True): {**_SRGAN_LOSSES, "rate": 1e-4, "final_rate": 1e-5, "ema": 0.0, "batch": 16, "patch_px": 24},
    ("rrdb", False): {"loss": "l1", "rate": 2e-4, "final_rate": 1e-7, "batch": 16, "patch_px": 32},  # Wang 2018, section 4.1
    ("rrdb", True): {**_ESRGAN_LOSSES, "rate": 1e-4, "final_rate": 1e-5, "batch": 16, "patch_px": 32},
    ("zoom", False): {"loss": "cobi", "rate": 1e-4, "final_rate": 1e-4, "ema": 0.0, "spatial_weight": 0.1},  # Zhang 2019, section 5
}


def preset(name: str, descriptor: Descriptor) -> dict[str, Any]:
    """Return fields of `Plan` of a preset: "paper", all of the network's paper; "published-losses", only the losses and weights. Raises SettingsError."""
    if name not in PRESETS:
        raise SettingsError(f"--preset must be one of {', '.join(PRESETS)}, not {name!r}")
    found = dict(_PAPERS[descriptor.architecture, descriptor.gan])
    if name == "paper":
        return found
    return {key: value for key, value in found.items() if key == "loss" or key.endswith("_weight") or key in ("relativistic", "before_activation")}
