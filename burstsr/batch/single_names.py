"""Names of results of `burstsr single`: by the image; also by model and scale where another result exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.io.owned import ResultFiles

if TYPE_CHECKING:
    from burstsr.batch.single_job import Task
    from single.inference import Request

_SUFFIXES = (".dng", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".exr")


def result_files(outputs: Sequence[Path]) -> ResultFiles:
    """Return files and record of one result: the record that lists one of `outputs`, if any; else it is named after the first."""
    records = [f"{outputs[0].name}.json", *(f"{outputs[0].with_suffix(suffix).name}.json" for suffix in _SUFFIXES)]
    found = [ResultFiles(outputs[0].parent, record, _complete, lambda _, name=record: [name.removesuffix(".json")]) for record in records]  # type: ignore[misc]
    names = {path.name for path in outputs}
    return next((files for files in found if names & files.listed(files.read()).keys()), found[0])


def placed(task: Task, request: Request, wanted: Mapping[str, Any]) -> Task:
    """Return the task, renamed if its path holds a result of the same image by another model or scale."""
    record = task.files.read()
    if task.clash or task.overwrite or record is None or record["source"] != task.mark or record["asked"] == wanted:
        return task
    tag = _tag(request)
    return replace(task, outputs={kind: path.with_name(f"{path.stem}-{tag}{path.suffix}") for kind, path in task.outputs.items()})


def _tag(request: Request) -> str:
    """Return model, blend weight and scale, as far as known before the model is loaded."""
    from single.classical import METHODS
    from single.inference.factory import DEFAULT_SCALE
    from single.loading import find

    scale, name = request.scale, request.model
    if name in METHODS:
        scale = DEFAULT_SCALE if scale is None else scale
    else:
        weights = find(name, scale)
        scale = weights.scale if scale is None else scale
        name = Path(name).stem if weights.path == Path(name) else name
    if request.blend is not None:
        name += f"-{request.blend:g}" + (f"-{Path(request.partner).stem}" if request.partner else "")
    return name if scale is None or name.endswith(f"x{scale:g}") else f"{name}-x{scale:g}"


def _complete(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("source"), str) and isinstance(record.get("asked"), dict)
