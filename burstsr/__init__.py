"""burstsr: a hand-held burst of raw frames in, one image with more resolution and less noise out.

    burst = burstsr.read_burst(paths)
    result = burstsr.super_resolve(burst, burstsr.Settings(scale=2.0))
    burstsr.write_dng("out.dng", result)

Names are loaded on first use, so that `import burstsr` and `burstsr --help` cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from burstsr.core.burst import Burst as Burst
    from burstsr.core.burst import Colour as Colour
    from burstsr.core.burst import Frame as Frame
    from burstsr.core.cfa import Cfa as Cfa
    from burstsr.core.errors import BurstError as BurstError
    from burstsr.core.errors import BurstsrError as BurstsrError
    from burstsr.core.errors import Cancelled as Cancelled
    from burstsr.core.errors import CfaError as CfaError
    from burstsr.core.errors import InputFileError as InputFileError
    from burstsr.core.errors import OutputError as OutputError
    from burstsr.core.errors import SettingsError as SettingsError
    from burstsr.core.flow import Flow as Flow
    from burstsr.core.noise import Noise as Noise
    from burstsr.core.report import Report as Report
    from burstsr.core.result import Result as Result
    from burstsr.export import render as render
    from burstsr.export import write_dng as write_dng
    from burstsr.io.discover import discover as discover
    from burstsr.io.discover import read_burst as read_burst
    from burstsr.motion import register as register
    from burstsr.pipeline import super_resolve as super_resolve
    from burstsr.prepare import estimate_noise as estimate_noise
    from burstsr.settings import Settings as Settings
    from burstsr.simulate import SimulateSettings as SimulateSettings
    from burstsr.simulate import simulate_burst as simulate_burst
    from burstsr.stream import StreamingMerge as StreamingMerge

_HOME = {
    "discover": "burstsr.io.discover",
    "read_burst": "burstsr.io.discover",
    "Burst": "burstsr.core.burst",
    "Frame": "burstsr.core.burst",
    "Colour": "burstsr.core.burst",
    "Cfa": "burstsr.core.cfa",
    "Noise": "burstsr.core.noise",
    "Flow": "burstsr.core.flow",
    "Settings": "burstsr.settings",
    "super_resolve": "burstsr.pipeline",
    "StreamingMerge": "burstsr.stream",
    "register": "burstsr.motion",
    "estimate_noise": "burstsr.prepare",
    "Result": "burstsr.core.result",
    "Report": "burstsr.core.report",
    "render": "burstsr.export",
    "write_dng": "burstsr.export",
    "SimulateSettings": "burstsr.simulate",
    "simulate_burst": "burstsr.simulate",
    "BurstsrError": "burstsr.core.errors",
    "InputFileError": "burstsr.core.errors",
    "BurstError": "burstsr.core.errors",
    "CfaError": "burstsr.core.errors",
    "SettingsError": "burstsr.core.errors",
    "OutputError": "burstsr.core.errors",
    "Cancelled": "burstsr.core.errors",
}
__all__ = [*_HOME, "__version__"]  # noqa: PLE0604  names of _HOME are strings


_RENAMED = {"Picture": "Result"}  # old public names, for one release


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        import warnings

        warnings.warn(f"burstsr.{name} is burstsr.{_RENAMED[name]} now", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name == "__version__":
        globals()[name] = _version()
        return globals()[name]
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'burstsr' has no attribute {name!r}")


def _version() -> str:
    """The version of the installed distribution, which building it took from the tag; of sources that are not installed none is known."""
    from importlib.metadata import PackageNotFoundError, version  # asked for late: it would double the time of `import burstsr`

    try:
        return version("burstsr")
    except PackageNotFoundError:
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(__all__)
