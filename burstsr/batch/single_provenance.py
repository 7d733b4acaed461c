"""What an upscaled image says of where its detail comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.core.provenance import Provenance
    from single.inference import Model


def describe(model: Model) -> str:
    """A model's name, and what it does to detail.

    >>> from single.inference import Model
    >>> describe(Model("lanczos", learned=False)), describe(Model("srgan-x4", learned=True, gan=True))
    ('lanczos', 'srgan-x4 (invents detail)')
    """
    return f"{model.name} (invents detail)" if model.gan else f"{model.name} (learned)" if model.learned else model.name


def provenance_of(model: Model, scale: float, origin: Provenance | None) -> Provenance | None:
    """Of a picture that `model` enlarged. origin: that of what it was given; kept where nothing was learned."""
    from burstsr import __version__
    from burstsr.core.provenance import Provenance

    if not model.learned:
        return origin
    made = "its finest detail is invented" if model.gan else "its finest detail is estimated"
    how = f"Upscaled {scale:g} times by the neural network {model.name} (burstsr {__version__}): {made}, as learned from other images"
    return Provenance("compositeWithTrainedAlgorithmicMedia", how, model.name, model.sha256 or "")
