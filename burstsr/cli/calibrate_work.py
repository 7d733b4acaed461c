"""Implementation of `burstsr calibrate`: measure, print, write."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.calibrate_places import places_of, plot_path
from burstsr.cli.console import echo, echo_json, table, warn
from burstsr.core.errors import BurstError, BurstsrError, SettingsError

if TYPE_CHECKING:
    from burstsr.core.burst import Burst, FrameInfo
    from burstsr.io.discover import BurstFiles
    from burstsr.io.grouping import Grouping
    from burstsr.profiles.records import NoiseRecord, Record


def noise(args: argparse.Namespace) -> int:
    """`calibrate noise`."""
    from burstsr.profiles.folder import over_iso
    from calibration.noise import as_flats, combined, noise_from_flats, noise_from_table

    if args.table is not None:
        if args.path or args.darks or args.camera is None or args.iso is None:
            raise SettingsError("--table FILE replaces frames, and requires --camera NAME and --iso N")
        return _finish(args, [noise_from_table(args.table, args.camera, args.iso)], _noise_text)
    if not args.path:
        raise SettingsError("PATH: frames are required, or --table FILE with --camera NAME and --iso N")
    bursts = _found(args.path)
    infos = [info for burst in bursts for info in burst.infos]
    darks = [info for burst in _found(args.darks) for info in burst.infos] if args.darks else []
    if _are_flats(args.method, infos, bool(darks)):
        tried = [_tried(f"ISO {flats.iso:g}", partial(noise_from_flats, flats, _of_iso(darks, flats.iso))) for flats in as_flats(infos)]
        found = [record for record in tried if record is not None]
    else:
        tried = [_tried(burst.name, partial(_noise_of, burst)) for burst in bursts]
        by_iso: dict[tuple[str, float], list[NoiseRecord]] = {}
        for record in filter(None, tried):
            by_iso.setdefault((record.camera, record.iso), []).append(record)
        found = [combined(records) for records in by_iso.values()]
    if not found:
        raise BurstError("noise could not be measured")
    if args.iso is not None and [r.iso for r in found] != [args.iso]:
        found = [over_iso(found, args.iso)]
    named = [replace(r, camera=args.camera) if args.camera else r for r in found]
    return max(_finish(args, named, _noise_text), int(None in tried))


def defects(args: argparse.Namespace) -> int:
    """`calibrate defects`."""
    from calibration.defects import measure_defects

    return _finish(args, [measure_defects(_one(args.path), args.method, args.sigma)], _defects_text)


def lens(args: argparse.Namespace) -> int:
    """`calibrate lens`."""
    if args.burst:
        from burstsr.cli.progress import Bars
        from calibration.psf_from_burst import psf_from_burst

        if args.roi is not None or args.field:
            raise SettingsError("--field and --roi require slanted edges and cannot be combined with --burst")
        burst = _one(args.path)
        with Bars(1, show=not args.json) as bars:
            record = psf_from_burst(burst, lambda done, total: bars.stage(burst.name, "cross-validate", done, total))
    else:
        from burstsr.io.raw import read_frame
        from calibration.edge_field import lens_over_field
        from calibration.slanted_edge import psf_from_edge

        if args.field and args.roi is not None:
            raise SettingsError("--roi selects one edge and cannot be combined with --field")
        frames = [read_frame(info.path) for burst in _found(args.path) for info in burst.infos]
        record = lens_over_field(frames, args.window) if args.field else psf_from_edge(frames, args.roi)
    return _finish(args, [record], _lens_text)


def colour(args: argparse.Namespace) -> int:
    """`calibrate colour`."""
    from burstsr.io.raw import read_frame
    from calibration.colour_chart import colour_from_chart

    return _finish(args, [colour_from_chart(read_frame(args.path), args.corners)], _colour_text)


def motion(args: argparse.Namespace) -> int:
    """`calibrate motion`."""
    from calibration.motion import motion_from_bursts, motion_from_gyro

    if (args.gyro is None) == (not args.path):
        raise SettingsError("calibrate motion requires either bursts (PATH) or a gyroscope log (--gyro FILE)")
    if args.gyro is not None:
        from calibration.gyro import Plan, read_gyro

        if args.focal_px is None:
            raise SettingsError("--gyro FILE requires --focal-px F, the focal length in raw pixels, to convert angles to pixels")
        plan = Plan(args.focal_px, args.frames, 1 / 30 if args.interval is None else args.interval, args.readout, args.rows)
        record = motion_from_gyro(read_gyro(args.gyro, args.time_unit), plan)
    else:
        record = motion_from_bursts([_read(burst) for burst in _found(args.path)], args.interval)
    return _finish(args, [record], _motion_text, folder=False)


def jiggle(args: argparse.Namespace) -> int:
    """`calibrate jiggle`."""
    from calibration.jiggle import jiggle_offsets

    return _finish(args, [jiggle_offsets(args.frames, args.scale, args.focal_px)], _jiggle_text, folder=False)


def listed(args: argparse.Namespace) -> int:
    """`calibrate list`."""
    from burstsr.profiles.folder import profile_folder, read_profiles

    folder = profile_folder()
    found = read_profiles(folder)
    if args.json:
        entries = [{"path": str(p), "kind": r.kind, "camera": r.camera, "iso": r.iso, "method": r.method, "date": r.date} for p, r in found]
        echo_json({"folder": str(folder), "profiles": entries})
    else:
        rows = [(r.kind, r.camera or "?", f"{r.iso:g}", r.method, r.date[:10], p.name) for p, r in found]
        echo(table(("kind", "camera", "ISO", "method", "date", "file"), rows, right=("ISO",)) + f"\nin {folder}" if rows else f"no profiles in {folder}")
    return 0


def _finish(args: argparse.Namespace, records: Sequence[Record], describe: Callable[[Any], str], *, folder: bool = True) -> int:
    """Write, plot and print the records. folder: whether they go to the user's profile folder without -o."""
    from burstsr.profiles.files import to_dict, write_record

    written = []
    places = places_of(records, args.output, args.plot, profiles=folder)
    for record, path in zip(records, places, strict=True):
        if path is not None:
            write_record(path, record)
        image = _plotted(args.plot, record, path)
        written.append({**to_dict(record), "file": path and str(path), "plot": image and str(image)})
        if not args.json:
            echo(describe(record) + (f"\n-> {path}" if path else "") + (f"\n-> {image}" if image else ""))
    if args.json:
        echo_json(written[0] if len(written) == 1 else {"records": written})
    return 0


def _plotted(kind: str | None, record: Record, path: Path | None) -> Path | None:
    if kind is None:
        return None
    from calibration.plots import draw

    target = plot_path(kind, record, path)
    draw(record, target)
    return target


def _found(paths: Sequence[Path], grouping: Grouping | None = None) -> tuple[BurstFiles, ...]:
    """Find the bursts of the inputs and report rejected files. Raises SettingsError where there are none."""
    from burstsr.cli.tables import find, report_problems

    found = find(paths, grouping)
    report_problems(found)
    if not found.bursts:
        raise SettingsError(f"no raw frames in {', '.join(map(str, paths))}")
    return found.bursts


def _one(paths: Sequence[Path]) -> Burst:
    """Read the only burst of the inputs."""
    from burstsr.io.grouping import Grouping

    bursts = _found(paths, Grouping(gap_s=inf, split_exposures=True))  # darks and edges are not taken in bursts
    if len(bursts) > 1:
        names = ", ".join(burst.name for burst in bursts)
        raise SettingsError(f"{len(bursts)} bursts ({names}) instead of one: frames must agree in camera, ISO and exposure")
    return _read(bursts[0])


def _read(burst: BurstFiles) -> Burst:
    from burstsr.core.mono import with_equal_channels
    from burstsr.io.discover import read_burst

    return replace(with_equal_channels(read_burst([info.path for info in burst.infos])), name=burst.name)


def _noise_of(burst: BurstFiles) -> NoiseRecord:
    from burstsr.noise import FEWEST_FRAMES
    from calibration.noise import combined, noise_from_burst, noise_from_frame

    frames = _read(burst)
    return noise_from_burst(frames) if len(frames) >= FEWEST_FRAMES else combined([noise_from_frame(frame) for frame in frames])


def _of_iso(darks: Sequence[FrameInfo], iso: float) -> Sequence[FrameInfo]:
    """Return the darks of that ISO, or all where there is none, so that the mismatch is reported."""
    return [dark for dark in darks if dark.iso == iso] or darks


def _tried(name: str, measure: Callable[[], NoiseRecord]) -> NoiseRecord | None:
    """Measure one burst, or the flats of one ISO; None, with a warning, where that fails."""
    try:
        return measure()
    except BurstsrError as error:
        warn(f"{name}: {error}")
        return None


def _are_flats(method: str, infos: Sequence[FrameInfo], darks: bool) -> bool:
    """Whether frames are flat fields: by --method, or of several exposures and uniform. Raises SettingsError for darks with other frames."""
    from calibration.noise import uneven

    if method == "burst" and darks:
        raise SettingsError("--darks require flat fields; they are not used with --method burst")
    if method != "auto":
        return method == "flats"
    several = darks or len({info.exposure_s for info in infos}) > 1
    scene = uneven(list({(info.iso, info.exposure_s): info for info in infos}.values())) if several else None
    if scene is not None and darks:
        raise SettingsError(f"{scene.path}: is not a flat field, and --darks require flat fields; omit them to measure a burst, or use --method flats")
    return several and scene is None


def _numbers(values: Sequence[float] | None, digits: int = 4) -> str:
    return " ".join(f"{v:.{digits}g}" for v in values) if values is not None else "?"


def _noise_text(r: NoiseRecord) -> str:
    from burstsr.profiles.records import FRAME

    lines = [f"{r.camera or 'unknown camera'}, ISO {r.iso:g}: variance = alpha x + beta, 1 = saturation ({r.method}); R G B"]
    lines.append(f"alpha  {_numbers(r.alpha)}   +- {_numbers(r.alpha_error, 2)}")
    lines.append(f"beta   {_numbers(r.beta)}   +- {_numbers(r.beta_error, 2)}")
    if r.method == FRAME:
        lines.append("from single frames: an upper bound, as texture counts as noise; used only where --profile names it")
    if r.unknown:
        lines.append(f"{' and '.join(r.unknown)} hardly determined by these frames")
    if r.method == "photon transfer" and r.black_dn is not None:
        black = _numbers([*r.black_dn[0], *r.black_dn[1]], 6)
        lines.append(f"black {black}, white {r.white_dn:g}; read noise {_numbers(r.read_noise_dn)} DN, rows {r.row_noise_dn:.2g} DN")
        lines.append(f"gain {_numbers(r.gain_e_per_dn)} e/DN, full well {_numbers(r.full_well_e, 5)} e, read noise {_numbers(r.read_noise_e)} e")
        lines.append(f"PRNU {_numbers(r.prnu, 2)}")
    return "\n".join(lines)


def _defects_text(r: Any) -> str:  # noqa: ANN401
    uneven = ", row and column offsets" if r.row_offset_dn or r.column_offset_dn else ""
    return f"{r.camera or 'unknown camera'}: {len(r.hot)} hot and {len(r.dead)} dead pixels of {r.shape[1]} x {r.shape[0]}{uneven} ({r.method})"


def _lens_text(r: Any) -> str:  # noqa: ANN401
    text = f"{r.camera or 'unknown camera'}: lens blur sigma {r.psf_sigma_px:.3f} px +- {r.psf_sigma_error_px or 0:.3f} ({r.method})"
    if r.places is not None:
        text += f"; median of {len(r.places)} places; R G B {_numbers(r.psf_sigma_rgb_px, 3)}; MTF50 {r.mtf50 or 0:.3f} cycles per pixel"
        text += "".join(f"; {name} k0 {k[0]:.2e}, k1 {k[1]:.2e}" for name, k in (("red", r.lateral_red), ("blue", r.lateral_blue)) if k is not None)
    elif r.mtf50 is not None:
        text += f"; R G B {_numbers(r.psf_sigma_rgb_px, 3)}; MTF50 {r.mtf50:.3f} cycles per pixel; edge at {r.edge_deg:.1f} degrees"
    return text


def _colour_text(r: Any) -> str:  # noqa: ANN401
    rows = "\n".join(_numbers(row, 5) for row in r.xyz_to_camera)
    head = f"{r.camera or 'unknown camera'}: XYZ (D65) to camera RGB, colour differences {r.delta_e_mean:.1f}, at most {r.delta_e_max:.1f}"
    corners = ",".join(f"{value:g}" for corner in r.corners_px for value in corner)
    return f"{head}\ncentres of dark skin, bluish green, black, white: --corners {corners}\n{rows}"


def _motion_text(r: Any) -> str:  # noqa: ANN401
    moved = f"standard deviation y x {_numbers(r.deviation_px, 3)} px, frame-to-frame {_numbers(r.speed_px, 3)} px"
    lines = [f"{len(r.motions)} frames, {r.bursts or 1} segments ({r.method}): {moved}"]
    if r.rotation_deviation_rad is not None:
        lines.append(f"rotation {r.rotation_deviation_rad:.2g} rad; correlation {_some(r.correlation_time_s, 's')}; tremor {_some(r.tremor_hz, 'Hz')}")
    if r.readout_s is not None:
        lines.append(f"readout {1e3 * r.readout_s:.2f} ms +- {1e3 * (r.readout_error_s or 0):.2f}")
    return "\n".join(lines)


def _some(value: float | None, unit: str) -> str:
    return "not detected" if value is None else f"{value:.3g} {unit}"


def _jiggle_text(r: Any) -> str:  # noqa: ANN401
    head = ("frame", "dy px", "dx px") + (("about x, rad", "about y, rad") if r.angles_rad else ())
    rows = [
        (str(i), f"{m['dy_px']:+.4f}", f"{m['dx_px']:+.4f}", *(f"{a:+.4e}" for a in (r.angles_rad[i] if r.angles_rad else ()))) for i, m in enumerate(r.motions)
    ]
    return table(head, rows, right=head)
