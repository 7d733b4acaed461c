"""The files of a simulated burst: frames, truth and record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import claimed
from burstsr.io.owned import ResultFiles

if TYPE_CHECKING:
    from burstsr.batch.atomic_set import Staging
    from burstsr.io.tiff import Directory
    from burstsr.simulate import SimulatedBurst
    from burstsr.simulate.worlds import WorldBurst

TRUTH, RECORD, FLOWS = "truth.tif", "truth.json", "truth_flows.npz"


def write_simulated(folder: Path, simulated: SimulatedBurst, seed: int) -> list[Path]:
    """Write frames, truth and record to `folder`, replacing an earlier simulation; return the frames' paths. Raises OutputError for foreign files."""
    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.images import write_linear_tiff
    from burstsr.simulate import truth_record

    frames = [frame.info.path.name for frame in simulated.burst]
    with _replaced(folder, [*frames, TRUTH]) as staging:
        for frame in simulated.burst:
            write_cfa_dng(staging.folder / frame.info.path.name, frame, bits=simulated.settings.bits, extra=_gain_map_tags(simulated))
        write_linear_tiff(staging.folder / TRUTH, simulated.truth)
        staging.record = truth_record(simulated, seed)
    return [folder / name for name in frames]


def write_world(folder: Path, world: WorldBurst, scene: str, seed: int) -> list[Path]:
    """Write frames, truth, dense truth and record of a named scene, as `write_simulated` does."""
    import numpy as np

    from burstsr.io.dng import write_cfa_dng
    from burstsr.io.images import write_linear_tiff
    from burstsr.simulate.truth import world_record

    frames = [frame.info.path.name for frame in world.burst]
    with _replaced(folder, [*frames, TRUTH, FLOWS]) as staging:
        for frame in world.burst:
            write_cfa_dng(staging.folder / frame.info.path.name, frame, bits=int(frame.info.levels.white).bit_length())
        write_linear_tiff(staging.folder / TRUTH, world.truth)
        np.savez_compressed(staging.folder / FLOWS, flows=world.flows, occluded=world.occluded, affected=world.affected)
        staging.record = world_record(world, scene, seed)
    return [folder / name for name in frames]


@contextmanager
def _replaced(folder: Path, names: list[str]) -> Iterator[Staging]:
    """Provide a place for new files of a burst; afterwards, files that only the earlier simulation had are removed."""
    files = result_files(folder)
    with claimed(files) as claim:
        gone = [name for name in files.listed(files.read()) if name not in names and not files.obstacle([name])]
        with claim.staged(names) as staging:
            yield staging
        for name in gone:
            (folder / name).unlink(missing_ok=True)


def result_files(folder: Path) -> ResultFiles:
    """Return the files of a simulated burst, and the record that lists them."""

    def complete(record: Mapping[str, Any]) -> bool:
        return isinstance(record.get("frames"), list) and all(isinstance(f, str) for f in record["frames"]) and "motions" in record and "seed" in record

    def standard(record: Mapping[str, Any]) -> Iterable[str]:
        return [*(Path(name).name for name in record["frames"]), TRUTH]

    return ResultFiles(folder, RECORD, complete, standard)


def frame_names(count: int) -> list[str]:
    """Return the names of a burst's frames."""
    return [f"frame_{index:03d}.dng" for index in range(count)]


def _gain_map_tags(simulated: SimulatedBurst) -> Directory:
    """Return OpcodeList2 with the gain map that corrects vignetting, if there is any."""
    from burstsr.io import opcodes, tags, tiff

    if simulated.gain is None:
        return {}
    gain_map = opcodes.whole_frame(simulated.gain, simulated.burst.info.shape)
    return {tags.OPCODES_2: tiff.Entry(tiff.UNDEFINED, opcodes.written_gain_maps([gain_map]))}
