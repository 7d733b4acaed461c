"""Provenance of upscaled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.core.provenance import Provenance
    from single.inference import Model


def describe(model: Model) -> str:
    """Describe a model: its name, and whether its detail is learned or invented.

    >>> from single.inference import Model
    >>> describe(Model("lanczos", learned=False)), describe(Model("srgan-x4", learned=True, gan=True))
    ('lanczos', 'srgan-x4 (invents detail)')
    """
    if model.faces:
        return f"{model.name} (faces are made up)"
    return f"{model.name} (invents detail)" if model.gan else f"{model.name} (learned)" if model.learned else model.name


def provenance_of(model: Model, scale: float, origin: Provenance | None) -> Provenance | None:
    """Return the provenance of an image upscaled by `model`. origin: that of its input, kept where nothing was learned."""
    from burstsr import __version__
    from burstsr.core.provenance import Provenance

    if not model.learned:
        return origin
    if model.faces:
        where = " and ".join(",".join(map(str, face)) for face in model.faces)
        how = f"Upscaled {scale:g} times by burstsr {__version__}; made up by the neural network {model.name}: the faces (Y,X,H,W of the original: {where})"
        return Provenance("compositeWithTrainedAlgorithmicMedia", how, model.name, model.sha256 or "")
    made = "its finest detail is invented" if model.gan else "its finest detail is estimated"
    how = f"Upscaled {scale:g} times by the neural network {model.name} (burstsr {__version__}): {made}, as learned from other images"
    return Provenance("compositeWithTrainedAlgorithmicMedia", how, model.name, model.sha256 or "")
