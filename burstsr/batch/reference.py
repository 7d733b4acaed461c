"""`--reference`: the frame of each burst whose geometry the result has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.core.errors import SettingsError
from burstsr.settings import Settings

if TYPE_CHECKING:
    from burstsr.io.discover import BurstFiles

_MOST_DIGITS = 10
log = logging.getLogger(__name__)
HELP = "reference frame: its index (0-based, in natural name order), name or path (default auto: the sharpest)"


def settings_of_bursts(settings: Settings, bursts: Sequence[BurstFiles], asked: str | None) -> list[Settings]:
    """Return the settings of each burst. asked: auto, the index of a frame, its name with or without suffix, or its path; None: as in the settings.

    A name applies to the bursts that have such a frame; in the others the reference is chosen automatically, which is logged. Raises SettingsError
    where no burst has it, or one has two frames of that name.
    """
    if asked is None:
        return [settings] * len(bursts)
    if asked.lower() == "auto":
        return [replace(settings, reference=None)] * len(bursts)
    if asked.isascii() and asked.isdecimal() and len(asked) < _MOST_DIGITS:
        return [replace(settings, reference=int(asked))] * len(bursts)
    indices = [_index(burst, asked) for burst in bursts]
    if bursts and all(index is None for index in indices):
        raise SettingsError(
            f"--reference must be auto, a 0-based frame index, or the name or path of a frame, not {asked!r}: no burst has a frame of that name"
        )
    without = [burst.name for burst, index in zip(bursts, indices, strict=True) if index is None]
    if without:
        log.warning("--reference %s: not a frame of %s; the reference is chosen automatically there", asked, ", ".join(without))
    return [replace(settings, reference=index) for index in indices]


def _index(burst: BurstFiles, asked: str) -> int | None:
    """Return the index of the frame in the burst, or None."""
    paths = [info.path for info in burst.infos]
    wanted = Path(asked)
    if wanted.name == asked:
        found = [i for i, path in enumerate(paths) if asked in (path.name, path.stem)]
    else:
        found = [i for i, path in enumerate(paths) if path == wanted or (wanted.exists() and path.exists() and path.samefile(wanted))]
    if len(found) > 1:
        raise SettingsError(
            f"--reference {asked}: burst {burst.name} has {len(found)} frames of that name ({paths[found[0]]}, {paths[found[1]]}); specify a path"
        )
    return found[0] if found else None
