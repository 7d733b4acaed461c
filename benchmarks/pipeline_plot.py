"""Plot of the pipeline's cost: stages, and growth where it was measured. Requires the extra `plots`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.pipeline_cost import PipelineCost, exponents
from burstsr.core.errors import SettingsError
from burstsr.core.optional_packages import is_installed
from burstsr.io.atomic import atomic

KINDS = (".png", ".svg")


def check(path: Path) -> None:
    """Raise SettingsError where a plot could not be written to `path`, before anything is measured."""
    if path.suffix.lower() not in KINDS:
        raise SettingsError(f"--plot {path}: allowed is a name that ends in {' or '.join(KINDS)}")
    if not is_installed("matplotlib"):
        raise SettingsError("--plot needs the matplotlib package: pip install 'burstsr[plots]'")


def write(path: Path, result: PipelineCost) -> None:
    """Write the plot atomically."""
    check(path)
    growth = list(result.growth())
    figure: Any = import_module("matplotlib.figure").Figure(figsize=(12, 4 + 4 * len(growth)), layout="constrained")
    axes = figure.subplots(1 + len(growth), 2, squeeze=False)
    main = result.main
    names = list(main.seconds)[::-1]
    axes[0][0].barh(names, [main.seconds[name] for name in names])
    axes[0][0].set(title=f"{main.frames} frames, {main.megapixels:.3g} MP, x{result.plan.scale:g}, {result.plan.mode}", xlabel="seconds")
    axes[0][1].barh(names, [main.peak_bytes[name] / 1e9 for name in names])
    axes[0][1].set(xlabel="peak of resident memory, GB")
    for (left, right), (what, x, costs) in zip(axes[1:], growth, strict=True):
        found = exponents(x, costs)
        left.loglog(x, [cost.total_seconds for cost in costs], "o-", color="black", label=_label("all", found["seconds"]))
        for name in costs[-1].seconds:
            left.loglog(x, [cost.seconds.get(name, 0.0) or None for cost in costs], ".-", label=_label(name, found[f"seconds, {name}"]))
        left.set(ylabel="seconds")
        left.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        memory = [(cost.peak - cost.before_bytes) / 1e9 or None for cost in costs]
        right.loglog(x, memory, "o-", color="black", label=_label("beyond the warm process", found["memory"]))
        right.set(ylabel="peak of resident memory, GB")
        right.legend(fontsize="small")
        for axis in (left, right):
            axis.set(xlabel=what)
            axis.set_xticks(x, [f"{value:.3g}" for value in x])
            axis.xaxis.minorticks_off()
    with atomic(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:])


def _label(name: str, power: float | None) -> str:
    return name if power is None else f"{name} (exponent {power:.2f})"
