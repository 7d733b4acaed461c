"""`burstsr watch`: process bursts as they arrive."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch import calibration_frames, reference
from burstsr.batch.job import Job, Outcome
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.process import add_processing, asked, fitting, work_through
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from burstsr.batch.plan import Request
    from burstsr.batch.watch import News, Watcher
    from burstsr.io.discover import BurstFiles
    from burstsr.io.folders import Problem
    from burstsr.settings import Settings

_WAIT_S, _INTERVAL_S = 10.0, 2.0
_now, _sleep = time.monotonic, time.sleep  # which tests replace


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch",
        help="process bursts as they arrive in a folder",
        description="Watch folders, as of a tethered camera or a telescope, and process every burst once it is complete: its files no longer grow, and "
        "no further frame has come for a while. Results are those of burstsr process; existing ones are not made again. Ctrl-C ends it.",
    )
    parser.add_argument("input", metavar="FOLDER", nargs="+", type=Path, help="folder that frames arrive in, at any depth")
    parser.add_argument(
        "--wait",
        type=float,
        default=_WAIT_S,
        metavar="SECONDS",
        help=f"how long the files of a burst must not have changed (default {_WAIT_S:g}; long exposures wait for longer by themselves)",
    )
    parser.add_argument("--interval", type=float, default=_INTERVAL_S, metavar="SECONDS", help=f"time between scans of the folders (default {_INTERVAL_S:g})")
    add_processing(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the command until it is interrupted; return the exit status, 1 if a burst failed."""
    settings, request = asked(args)
    for folder in args.input:
        if not folder.is_dir():
            raise SettingsError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    for name, value, least in (("wait", args.wait, 0.0), ("interval", args.interval, 0.05)):
        if not least <= value <= 86400:
            raise SettingsError(f"--{name} must be between {least:g} and 86400 seconds, not {value:g}")
    watcher = watcher_of(args, request)
    if not args.json:
        echo(f"watching {', '.join(map(str, args.input))}  (Ctrl-C ends)")
    outcomes: dict[str, Outcome] = {}
    problems: list[Problem] = []
    while True:
        try:
            news = watcher.look()
            if not news.bursts and not news.problems:
                _sleep(args.interval)
                continue
        except KeyboardInterrupt:  # while it waits; an interrupted burst ends the program as that of `process` does
            break
        problems += news.problems
        for problem in news.problems:
            warn(f"rejected: {problem.reason}")
        outcomes |= {outcome.name: outcome for outcome in process_news(args, settings, request, replace(news, problems=tuple(problems)))}
    return _summarise(args, list(outcomes.values()), problems)


def watcher_of(args: argparse.Namespace, request: Request) -> Watcher:
    """Return what looks at the folders."""
    from burstsr.batch.watch import Watcher
    from burstsr.cli.tables import grouping_of
    from burstsr.io.discover import KnownFiles, discover

    grouping = replace(grouping_of(args), name_by_frame=True)
    known = KnownFiles()
    frames = calibration_frames.find(request.known)
    return Watcher(args.input, lambda: calibration_frames.lights(discover(args.input, grouping, known), frames), grouping, args.wait, lambda: _now())


def process_news(args: argparse.Namespace, settings: Settings, request: Request, news: News) -> list[Outcome]:
    """Process complete bursts, each as `process` does; one that got more frames since is processed again. Its problems are all so far, for the journal."""
    from burstsr.batch.renamed import same_frames_elsewhere
    from burstsr.io.discover import Discovery

    jobs: list[Job] = []
    settled: list[Outcome] = []
    for burst in news.bursts:
        todo, known = _planned(args, settings, request, burst)
        jobs += todo
        settled += known
    for name, record in same_frames_elsewhere(jobs, news.names).items():  # a folder's only burst was named after it
        jobs = [job for job in jobs if job.name != name or job.overwrite]
        settled.append(Outcome(name, "skipped", 0, f"already processed as {record}"))
    jobs, refused = fitting(args, jobs, news.bursts)
    return work_through(args, jobs, settled + refused, Discovery(news.bursts, news.problems))


def _planned(args: argparse.Namespace, settings: Settings, request: Request, burst: BurstFiles) -> tuple[list[Job], list[Outcome]]:
    from burstsr.batch.plan import job_of, plan
    from burstsr.batch.watch import grown

    try:
        chosen = reference.settings_of_bursts(settings, [burst], args.reference)
        again = grown(job_of(burst, chosen[0], request))
        return plan([burst], chosen, replace(request, overwrite=True) if again else request)
    except SettingsError as error:
        return [], [Outcome(burst.name, "failed", len(burst.infos), str(error))]
    except OSError as error:  # files that are gone again
        return [], [Outcome(burst.name, "failed", len(burst.infos), f"{error.filename}: {error.strerror or error}")]


def _summarise(args: argparse.Namespace, outcomes: Sequence[Outcome], problems: Sequence[Problem]) -> int:
    from burstsr.cli.tables import plain_problems

    failed = [outcome.name for outcome in outcomes if outcome.status == "failed"]
    if args.json:
        echo_json({"out": str(args.output), "bursts": [o.to_dict() for o in outcomes], "failed": failed, "refused": plain_problems(problems)})
    else:
        counts = Counter(outcome.status for outcome in outcomes)
        warn("ended: " + (", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no burst came"))
    return int(bool(failed or problems))
