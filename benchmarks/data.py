"""Location of the test data."""

from __future__ import annotations

import os
from pathlib import Path

from burstsr.core.errors import SettingsError


def data_folder(given: Path | None) -> Path:
    """Return the folder of test data: the given one, else BURSTSR_DATA. Raises SettingsError where there is none."""
    named = given or (Path(os.environ["BURSTSR_DATA"]) if os.environ.get("BURSTSR_DATA") else None)
    if named is None or not (named / "testsets" / "Kodak24").is_dir():
        where = f"in {named}" if named else "known"
        raise SettingsError(f"no testsets/Kodak24 {where}: name images or folders of them, or use --data DIR, or set BURSTSR_DATA")
    return named
