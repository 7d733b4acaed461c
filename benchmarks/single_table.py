"""Results of `benchmarks.single` as text and as JSON, with their targets."""

from __future__ import annotations

from typing import Any

from benchmarks.single import Result
from benchmarks.single_models import Record
from benchmarks.table import markdown

PUBLISHED = {  # (set, scale, start of the model's name): dB on luma; Dong 2016, Wang 2018; SRGAN's own are on RGB and not comparable
    ("Set5", 4, "bicubic"): 28.42,
    ("Set14", 4, "bicubic"): 26.00,
    ("Set5", 2, "srcnn"): 36.66,
    ("Set5", 3, "srcnn"): 32.75,
    ("Set5", 4, "srcnn"): 30.48,
    ("Set14", 4, "srcnn"): 27.50,
    ("Set5", 4, "esrgan"): 30.44,
    ("Set14", 4, "esrgan"): 26.28,
}
TARGETS = {  # the same: at least this
    ("Set5", 4, "srcnn"): 29.9,
    ("Set14", 4, "srcnn"): 27.2,
    ("Set5", 2, "srcnn"): 36.0,
    ("Set5", 4, "srresnet"): 30.8,
    ("Set14", 4, "srresnet"): 27.7,
    ("Set5", 4, "esrgan"): 30.36,
}
ZOOM_GAIN_DB = 1.0
TILES = 1 / 255


def as_json(result: Result) -> dict[str, Any]:
    """Return the result ready for JSON."""
    goals = [{"target": description, "found": found, "met": met} for description, found, met in targets(result)]
    return {
        "benchmark": "single",
        "sets": result.sets,
        "zoom": result.zoom,
        "fallbacks": result.fallbacks,
        "tiles": result.tiles,
        "targets": goals,
        "notes": result.notes,
    }


def as_text(result: Result) -> str:
    """Format the result as tables."""
    parts = []
    if result.sets:
        head = ["set", "scale", "model", "PSNR, dB", "SSIM", "published, dB", "gradients / truth", "CPU s / megapixel"]
        parts.append(markdown(head, [[r["set"], f"x{r['scale']}", r["model"], *_numbers(r)] for r in result.sets]))
    if result.zoom:
        parts.append(_by_method(["raw frame", "scale", "ISO"], [([r["picture"], f"x{r['scale']}", f"{r['iso']:g}"], r["psnr_srgb"]) for r in result.zoom]))
    if result.fallbacks:
        parts.append(_by_method(["burst", "picture", "ISO"], [([r["kind"], r["picture"], f"{r['iso']:g}"], r["psnr_srgb"]) for r in result.fallbacks]))
    if result.tiles:
        tiles = [[r["model"], str(r["tile"]), f"{255 * r['difference']:.2f}", f"{255 * r['difference_as_run']:.2f}"] for r in result.tiles]
        parts.append(markdown(["model", "tile, px", "largest difference, of 255, in 32 bits", "as run"], tiles))
    goals = [[description, found, "yes" if met else "NO"] for description, found, met in targets(result)]
    if goals:
        parts.append(markdown(["target", "found", "met"], goals))
    return "\n\n".join([*parts, *result.notes]) + "\n"


def _by_method(head: list[str], rows: list[tuple[list[str], dict[str, float]]]) -> str:
    """Format figures in dB, a column for every method, empty where it has none."""
    methods = list(dict.fromkeys(title for _, figures in rows for title in figures))
    lines = [[*cells, *(f"{figures[m]:.2f}" if m in figures else "" for m in methods)] for cells, figures in rows]
    return markdown([*head, *(f"{m}, dB" for m in methods)], lines)


def _numbers(record: Record) -> list[str]:
    published = PUBLISHED.get(_key(record))
    description = "" if published is None else f"{published:.2f}"
    return [f"{record['psnr_y']:.2f}", f"{record['ssim_y']:.4f}", description, f"{record['gradient']:.2f}", f"{record['seconds_per_mp']:.2f}"]


def _key(record: Record) -> tuple[str, int, str]:
    return record["set"], record["scale"], record["model"].split("-")[0]


def targets(result: Result) -> list[tuple[str, str, bool]]:
    """Return (target, value, whether it is met) of every target whose model is available."""
    by_key = {_key(record): record for record in result.sets}
    goals = []
    for key, least in TARGETS.items():
        if key in by_key:
            found = by_key[key]["psnr_y"]
            goals.append((f"{by_key[key]['model']}, {key[0]}: at least {least:g} dB", f"{found:.2f} dB", found >= least))
    for chosen in ("Set5", "Set14"):
        srresnet, gan = (by_key.get((chosen, 4, name)) for name in ("srresnet", "srgan"))
        if srresnet and gan:
            description = f"{gan['gradient']:.2f} > {srresnet['gradient']:.2f}, {gan['psnr_y']:.2f} < {srresnet['psnr_y']:.2f} dB"
            sharper = gan["gradient"] > srresnet["gradient"] and gan["psnr_y"] < srresnet["psnr_y"]
            goals.append((f"SRGAN sharper than SRResNet at lower PSNR, {chosen}", description, sharper))
    for record in result.zoom:
        title = next((name for name in record["psnr_srgb"] if name.startswith("zoom")), None)
        if title:
            gain = record["psnr_srgb"][title] - record["psnr_srgb"]["DHT + bicubic"]
            description = f"{title} x{record['scale']}, {record['picture']}, ISO {record['iso']:g}: {ZOOM_GAIN_DB:g} dB above DHT + bicubic"
            goals.append((description, f"{gain:+.2f} dB", gain >= ZOOM_GAIN_DB))
    goals += [(f"{r['model']}: tiled equals untiled to 1/255 in 32 bits", f"{255 * r['difference']:.2f}/255", r["difference"] <= TILES) for r in result.tiles]
    return goals
