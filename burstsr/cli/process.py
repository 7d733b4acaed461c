"""`burstsr process`: merge bursts into images."""

from __future__ import annotations

import argparse
import logging
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch import calibration_frames, memory, reference
from burstsr.batch.executors import work
from burstsr.batch.failures import by_reason
from burstsr.batch.fallback import FALLBACK, FALLBACKS, OLD_NAMES, check
from burstsr.batch.job import ALWAYS, REPORT, SUFFIX, Job, Outcome
from burstsr.batch.journal import Journal
from burstsr.cli.console import echo, echo_json, table, warn, worker_console
from burstsr.cli.options import FORMAT_ALIASES, choice, memory_size, one_of
from burstsr.cli.progress import Bars
from burstsr.cli.settings import add_settings, asked_settings
from burstsr.cli.tables import add_options
from burstsr.core.errors import SettingsError
from burstsr.profiles.apply import known_of
from burstsr.settings import MODES, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from burstsr.batch.plan import Request
    from burstsr.io.discover import BurstFiles, Discovery

log = logging.getLogger(__name__)
AUTO = "auto"
_NAMED = 5  # bursts of a reason in the summary


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "process",
        help="merge bursts into images",
        description="Merge each burst into one image: OUT/BURST.dng (linear, for editing), OUT/BURST.jpg (preview), OUT/BURST.json (record). "
        "Bursts already processed are skipped; to resume an interrupted run, repeat the command.",
    )
    parser.add_argument("input", metavar="INPUT", nargs="+", type=Path, help="a folder of bursts (one sub-folder each, or one flat folder), a burst, or frames")
    add_processing(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the grouping and the planned actions; write nothing")
    return parser


def add_processing(parser: argparse.ArgumentParser) -> None:
    """Add what is to be done with bursts, and the grouping."""
    _add_results(parser)
    _add_running(parser)
    add_settings(parser)
    _add_known(parser)
    _add_calibration_frames(parser)
    add_options(parser)


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="output folder")
    parser.add_argument("--scale", type=float, metavar="S", help=f"output pixels per raw pixel, per axis, 1 to 4 (default {Settings.scale:g})")
    parser.add_argument("--mode", **choice(MODES), help=f"default {Settings.mode}")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--crop", metavar="Y,X,H,W", help="process only this part: first row and column, height and width in raw pixels of the reference")
    part.add_argument("--zoom", type=float, metavar="F", help="process only the centre, 1/F of height and width; with --scale F the result has a frame's size")
    parser.add_argument(
        "--format", action="append", **choice(sorted(SUFFIX), FORMAT_ALIASES), default=[], help="additional output format, besides dng and jpg; repeatable"
    )
    parser.add_argument("--reference", metavar="auto|N|FILE", help=reference.HELP)
    parser.add_argument(
        "--linear", action="store_true", help="write TIFF as linear camera RGB in 32-bit floating point, OUT/BURST.linear.tif; same as --format tiff32"
    )
    parser.add_argument(
        "--fallback",
        type=one_of((*FALLBACKS, *OLD_NAMES)),
        metavar="NAME|FILE",
        default=FALLBACK,
        help="upscaling where a burst adds no resolution (a single frame, a tripod): merge (default) keeps the merged image and invents nothing; none: single "
        "frames fail; zoom (the best for a single frame), srmd, srmd-noise, srresnet, srcnn, srgan, esrgan, realesrgan or a file of weights: the networks of "
        "single (those with gan in their names invent detail, and the metadata says so)",
    )
    parser.add_argument(
        "--report", action="store_true", help="also write what the page of burstsr report shows: OUT/BURST.report.npz, and failures in OUT/burstsr-batch.jsonl"
    )
    parser.add_argument("--overwrite", action="store_true", help="overwrite existing results")


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N|auto",
        help="bursts processed in parallel (default 1); they share the CPU cores. auto: as many as fit into memory",
    )
    parser.add_argument(
        "--memory",
        type=memory_size,
        metavar="SIZE",
        help="memory that all bursts in progress may use, such as 8GB (default: what is free); bursts that need more keep images on disk, with the same result",
    )
    parser.add_argument(
        "--retries",
        type=int,
        default=1,
        metavar="N",
        help="times a burst is tried again after a failure that may pass: out of memory, a worker that died, a read or write error (default 1)",
    )
    parser.add_argument("--no-memory-check", action="store_true", help="start bursts even if they need more memory than is free")
    parser.add_argument(
        "--scheduler", metavar="tcp://HOST:PORT", help="process on this dask scheduler; its workers need burstsr and access to the same folders"
    )


def _add_known(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile",
        metavar="FILE|none",
        action="append",
        default=[],
        help="calibration record of burstsr calibrate; repeatable. none: ignore the user's profiles too",
    )
    parser.add_argument(
        "--motion",
        metavar="FILE|pixel-shift-4|pixel-shift-16",
        type=Path,
        help="known motion of the frames: a file, from a driven mount or stabiliser (see calibrate jiggle), or a set of a camera that shifts its sensor: "
        "4 frames a whole pixel apart, or 16 half a pixel apart; a folder may hold several sets, one after the other",
    )


def _add_calibration_frames(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("calibration frames", "Frames, or folders of them, of the camera of the bursts; masters are their medians.")
    for name, text in (
        ("darks", "lens covered, same gain or ISO; scaled, with a warning, where exposure or temperature differ"),
        ("flats", "of an evenly lit surface: vignetting and dust are divided out"),
        ("bias", "shortest exposures, lens covered: the black level of flats, and of darks that are scaled"),
    ):
        group.add_argument(f"--{name}", metavar="PATH", nargs="+", action="extend", type=Path, default=[], help=text)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    settings, request = asked(args)

    from burstsr.batch.plan import plan
    from burstsr.batch.renamed import same_frames_elsewhere
    from burstsr.cli.tables import find, grouping_of, hint, report_problems

    found = calibration_frames.lights(find(args.input, grouping_of(args)), calibration_frames.find(request.known))
    if not found.bursts and any(problem.kind == calibration_frames.KIND for problem in found.passed_over):
        raise SettingsError(f"only calibration frames in {', '.join(map(str, args.input))}")
    chosen = reference.settings_of_bursts(settings, found.bursts, args.reference)
    jobs, settled = plan(found.bursts, chosen, request)
    report_problems(found, args.verbose)
    if hint(found.bursts):
        warn(hint(found.bursts))
    jobs, refused = fitting(args, jobs, found.bursts)
    settled += refused
    renamed = same_frames_elsewhere(jobs, [burst.name for burst in found.bursts])
    for name, record in renamed.items():
        warn(f"{name}: the same frames were already processed under another name, {record}; that result is kept but will no longer be updated")
    if args.dry_run:
        outcomes = settled + [Outcome(job.name, "planned", len(job.paths), outputs=job.outputs) for job in jobs]
        if not args.json:
            echo(_grouping(found, outcomes))
    else:
        outcomes = work_through(args, jobs, settled, found)
    _summarise(args, outcomes, found, renamed)
    return int(bool(found.problems) or any(outcome.status == "failed" or outcome.damaged for outcome in outcomes))


def asked(args: argparse.Namespace) -> tuple[Settings, Request]:
    """Return settings and options of the command line. Raises SettingsError, InputFileError for what cannot be done."""
    from burstsr.batch.plan import Request

    settings = _settings(args)
    formats = _formats(args.format, linear=args.linear) + ((REPORT,) if args.report else ())
    if args.jobs != AUTO and args.jobs < 1:
        raise SettingsError(f"--jobs must be at least 1, not {args.jobs}")
    if args.retries < 0:
        raise SettingsError(f"--retries must be at least 0, not {args.retries}")
    if args.output.exists() and not args.output.is_dir():
        raise SettingsError(f"--output {args.output}: is a file; must be a folder")
    args.fallback = _fallback(args.fallback)
    check(args.fallback, settings.scale)
    known = replace(known_of(args.profile, args.motion), darks=tuple(args.darks), flats=tuple(args.flats), bias=tuple(args.bias))
    return settings, Request(args.output, formats, args.threads or 0, known, args.fallback, args.overwrite, args.memory or 0)


def _summarise(args: argparse.Namespace, outcomes: list[Outcome], found: Discovery, renamed: dict[str, Path]) -> None:
    """Print the summary: with --json all of it, else the bursts that failed."""
    from burstsr.cli.tables import plain_problems

    failed = [o.name for o in outcomes if o.status == "failed"]
    reasons = by_reason((o.name, o.reason) for o in outcomes if o.status == "failed")
    if args.json:
        old = {name: str(record) for name, record in renamed.items()}
        left = {"renamed": old, "refused": plain_problems(found.problems), "passed_over": plain_problems(found.passed_over)}
        echo_json({"out": str(args.output), "bursts": [o.to_dict() for o in outcomes], "failed": failed, "failed_by_reason": reasons, **left})
    elif failed:
        warn(f"{len(failed)} of {len(outcomes)} bursts failed: {', '.join(failed)}")
        for reason, names in reasons.items() if len(failed) > 1 else ():
            warn(f"failed {len(names)} times: {reason} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})")


def _fallback(name: str) -> str:
    """Return the current name of a fallback."""
    if name in OLD_NAMES:
        warn(f"--fallback {name} is now called --fallback {OLD_NAMES[name]}; the old name will be removed in the next release")
    if name not in (*FALLBACKS, *OLD_NAMES) and not Path(name).is_file():
        raise SettingsError(f"--fallback must be one of {', '.join(FALLBACKS)}, or a file of weights, not {name!r}")
    return OLD_NAMES.get(name, name)


def _settings(args: argparse.Namespace) -> Settings:
    """Return the requested settings: defaults, then --settings, then --set, then --scale, --mode, --crop and --zoom."""
    settings = asked_settings(args)
    named = {name: value for name in ("scale", "mode", "crop", "zoom") if (value := getattr(args, name)) is not None}
    return replace(settings, **named)


def _formats(asked: list[str], *, linear: bool) -> tuple[str, ...]:
    """Return all formats to write, those that are always written first. linear: tiff32 instead of tiff."""
    if linear:
        asked = [*(f for f in asked if f != "tiff"), "tiff32"]
    if "exr" in asked and find_spec("OpenEXR") is None:
        raise SettingsError("--format exr requires the OpenEXR package: pip install 'burstsr[exr]'")
    if "fits" in asked and find_spec("astropy") is None:
        raise SettingsError("--format fits requires the astropy package: pip install 'burstsr[astro]'")
    return (*ALWAYS, *(f for f in SUFFIX if f in asked and f not in ALWAYS))


def fitting(args: argparse.Namespace, jobs: list[Job], bursts: Sequence[BurstFiles]) -> tuple[list[Job], list[Outcome]]:
    """Return the jobs that fit into the free memory, and the outcomes of the others, which are not begun."""
    free = None if args.scheduler else memory.free_bytes()
    known = [size for size in (args.memory, None if free is None else round(memory.SHARE * free)) if size is not None]
    together = args.jobs if args.jobs != AUTO and not args.scheduler else 1
    jobs = memory.placed(jobs, bursts, min(known) // together if known else None)
    if args.scheduler or args.no_memory_check:
        return jobs, []
    refused = memory.refusals(jobs, bursts, free)
    return [job for job in jobs if job.name not in refused], [
        Outcome(job.name, "failed", len(job.paths), refused[job.name]) for job in jobs if job.name in refused
    ]


def _processes(args: argparse.Namespace, jobs: list[Job], bursts: Sequence[BurstFiles]) -> int:
    """Return the number of bursts to process at the same time."""
    if args.scheduler:
        return 1
    known = [size for size in (args.memory, memory.free_bytes()) if size is not None]
    free = min(known) if known else None
    most = memory.chosen_jobs(jobs, bursts, free)
    if args.jobs == AUTO:
        log.info("%d bursts at a time", most)
        return most
    if args.jobs > 1 and free is not None and not args.no_memory_check:
        need = memory.needed_together(jobs, bursts, args.jobs)
        if need > free:
            warn(f"--jobs {args.jobs} needs about {need / 1e9:.1f} GB of memory, but {free / 1e9:.1f} GB are free; --jobs auto chooses what fits")
    return int(args.jobs)


def _jobs(text: str) -> int | str:
    try:
        return AUTO if text.casefold() == AUTO else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a number or {AUTO}") from None


def work_through(args: argparse.Namespace, jobs: list[Job], settled: list[Outcome], found: Discovery) -> list[Outcome]:
    """Run the jobs and report the outcome of every burst as soon as it is known; with --report, in the journal too."""
    outcomes = []
    journal = Journal(args.output) if args.report else None
    if journal:
        journal.begin([(job.name, len(job.paths)) for job in jobs], settled, [(str(problem.path), problem.reason) for problem in found.problems])
    processes = _processes(args, jobs, found.bursts)
    with (
        Bars(len(jobs), show=not args.json) as bars,
        closing(work(jobs, bars, processes, args.scheduler, partial(worker_console, args.verbose), args.retries)) as done,
    ):
        for outcome in chain(settled, done):
            outcomes.append(outcome)
            if outcome not in settled:
                bars.finished(outcome.name)
                if journal:
                    journal.add(outcome)
            tell(outcome, quiet=args.json)
    return outcomes


def tell(outcome: Outcome, *, quiet: bool = False) -> None:
    """Print one line about a burst: failures to standard error, others to standard output unless quiet."""
    if outcome.status == "failed":
        warn(f"{outcome.name}: FAILED: {outcome.reason}")
    elif not quiet and outcome.status == "skipped":
        echo(f"{outcome.name}: skipped, {outcome.reason}")
    elif not quiet:
        echo(f"{outcome.name}: {outcome.frames} frames -> {outcome.outputs[0]} ({outcome.seconds:.1f} s)")
        if outcome.advice:
            echo(f"{outcome.name}: {outcome.advice}")
    for reason in outcome.damaged:
        warn(f"{outcome.name}: made without a damaged frame{'; --overwrite tries again' if outcome.status == 'skipped' else ''}: {reason}")


def _grouping(found: Discovery, outcomes: list[Outcome]) -> str:
    """Return the table of --dry-run."""
    from burstsr.cli.tables import HEAD, NUMBERS, row

    of = {outcome.name: outcome for outcome in outcomes}
    rows = [(*row(burst), _intent(of[burst.name])) for burst in found.bursts]
    return table((*HEAD, "action"), rows, right=NUMBERS)


def _intent(outcome: Outcome) -> str:
    if outcome.status == "planned":
        return f"write {outcome.outputs[0].with_suffix('')}{{{','.join(path.suffix for path in outcome.outputs)}}}"
    return f"{'skip' if outcome.status == 'skipped' else 'fail'}: {outcome.reason}"
