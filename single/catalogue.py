"""Networks of known sizes, by name: the published ones, and the small ones whose weights are included."""

from __future__ import annotations

from collections.abc import Mapping

from single.descriptor import Descriptor

_LITE = {"channels": 48, "blocks": 8, "kernel": 3, "norm": False, "skip": True, "direct": True}
_LITE_REACH = 20  # 2 x 8 convolutions in blocks, three around them, one for bicubic


def _srcnn(name: str, scale: int, middle: int) -> Descriptor:
    reach = (4 + middle // 2 + 2) // scale + 3
    return Descriptor(f"{name}-x{scale}", "srcnn", scale, "y", {"kernels": [9, middle, 5], "widths": [64, 32]}, reach)


def _all() -> tuple[Descriptor, ...]:
    found = [_srcnn("srcnn", scale, 5) for scale in (2, 3, 4)] + [_srcnn("srcnn-915", scale, 1) for scale in (2, 3, 4)]
    found += [_one(f"srcnn-lite-x{scale}", "srcnn", scale, "y", {"kernels": [5, 3, 3], "widths": [32, 16]}, 8) for scale in (2, 3, 4)]
    for scale in (2, 3, 4, 8):
        found += [_one(f"srresnet-x{scale}", "srresnet", scale, "rgb", {}, 48), _one(f"srresnet-lite-x{scale}", "srresnet", scale, "rgb", _LITE, _LITE_REACH)]
        found += [_one(f"srgan-x{scale}", "srresnet", scale, "rgb", {}, 48, gan=True)]
        found += [_one(f"srgan-lite-x{scale}", "srresnet", scale, "rgb", _LITE, _LITE_REACH, gan=True)]
    for scale in (1, 2, 4):
        multiple = 4 // scale
        for name, gan in (("rrdb", False), ("esrgan", True)):
            found += [_one(f"{name}-x{scale}", "rrdb", scale, "rgb", {}, 40 * multiple, multiple=multiple, gan=gan)]
            found += [_one(f"{name}-lite-x{scale}", "rrdb", scale, "rgb", {"channels": 32, "blocks": 4, "growth": 16}, 24, multiple=multiple, gan=gan)]
    for scale in (1, 2, 4, 8):
        found += [_one(f"zoom-x{scale}", "zoom", scale, "bayer", {}, 48)]
        found += [_one(f"zoom-lite-x{scale}", "zoom", scale, "bayer-noise", {**_LITE, "noise": True}, _LITE_REACH)]
    return tuple(found)


def _one(name: str, architecture: str, scale: int, kind: str, sizes: Mapping[str, object], reach_px: int, multiple: int = 1, gan: bool = False) -> Descriptor:
    return Descriptor(name, architecture, scale, kind, sizes, reach_px, multiple, gan)


CATALOGUE = {descriptor.name: descriptor for descriptor in _all()}
