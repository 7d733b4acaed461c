"""Training metrics for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from burstsr.core.errors import OutputError, SettingsError


def events(out: Path) -> Callable[[Mapping[str, float]], None]:
    """Return a function that writes a line of the log as TensorBoard events to a folder. Raises SettingsError where the package is missing, OutputError."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise SettingsError("--tensorboard requires the tensorboard package: pip install tensorboard") from error
    try:
        writer = SummaryWriter(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error

    def write(line: Mapping[str, float]) -> None:
        for name, value in line.items():
            writer.add_scalar(name, value, int(line["step"]))
        writer.flush()

    return write
