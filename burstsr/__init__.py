"""burstsr: a hand-held burst of raw frames in, one picture with more resolution and less noise out.

    burst = burstsr.read_burst(paths)
    picture = burstsr.super_resolve(burst, burstsr.Settings(scale=2.0))
    burstsr.write_dng("out.dng", picture)

Names are loaded on first use, so that `import burstsr` and `burstsr --help` cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from burstsr.export import write_dng as write_dng
    from burstsr.files.discover import read_burst as read_burst
    from burstsr.ground.burst import Burst as Burst
    from burstsr.ground.burst import Frame as Frame
    from burstsr.ground.burst import Picture as Picture
    from burstsr.ground.errors import BurstsrError as BurstsrError
    from burstsr.pipeline import super_resolve as super_resolve
    from burstsr.settings import Settings as Settings

__version__ = "0.1.0"
_HOME = {
    "read_burst": "burstsr.files.discover",
    "write_dng": "burstsr.export",
    "super_resolve": "burstsr.pipeline",
    "Settings": "burstsr.settings",
    "Burst": "burstsr.ground.burst",
    "Frame": "burstsr.ground.burst",
    "Picture": "burstsr.ground.burst",
    "BurstsrError": "burstsr.ground.errors",
}
__all__ = [*_HOME, "__version__"]  # noqa: PLE0604  names of _HOME are strings


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'burstsr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
