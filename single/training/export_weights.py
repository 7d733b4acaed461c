"""Export of trained weights for distribution: half the size, with the metadata of their training."""

from __future__ import annotations

import shutil
from pathlib import Path

from single.networks import build
from single.training.loop import BEST, LOG
from single.weights_file import read_header, read_weights, write_weights


def export_weights(run: str | Path, folder: str | Path, command: str, data: str, licence: str = "MIT") -> Path:
    """Write the best weights of a training as 16-bit floats, FOLDER/NAME.safetensors, with its curve, FOLDER/NAME.csv.

    command, data: the training command and data, stored in the file's header. Returns the file's path. Raises InputFileError, OutputError.
    """
    state, descriptor = read_weights(Path(run) / BEST)
    assert descriptor is not None, "trainings write it"
    net = build(descriptor)
    net.load_state_dict(state)
    path = Path(folder) / f"{descriptor.name}.safetensors"
    _, facts = read_header(Path(run) / BEST)
    write_weights(path, net, descriptor, {**facts, "command": command, "data": data, "licence": licence}, half=True)
    shutil.copyfile(Path(run) / LOG, path.with_suffix(".csv"))
    return path
