"""Wrong inputs through every command: a part of `python -m benchmarks.wrong_inputs`, which runs them all in a process that is watched."""

import pytest

from benchmarks.wrong_case import Case
from benchmarks.wrong_files import write_files
from benchmarks.wrong_inputs import REFUSED, Answer, cases, judge, run_here

_EVERY = 9
_ALWAYS = ("--motion", "--profile")  # what reached a loop unchecked
_ELSEWHERE = ("train", "benchmark")  # load what takes seconds


def quick():
    chosen = [case for i, case in enumerate(cases()) if i % _EVERY == 0 or set(_ALWAYS) & set(case.argv)]
    return [case for case in chosen if case.argv[0] not in _ELSEWHERE]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("wrong")
    write_files(place)
    return place


@pytest.mark.parametrize("case", quick(), ids=lambda case: " ".join(case.argv)[:60])
def test_wrong_inputs_are_refused_with_the_reason(case, folder, monkeypatch):
    monkeypatch.chdir(folder)
    answer = run_here(case.argv)
    assert judge(case, answer) == REFUSED, answer.err


def test_two_hundred_and_more_inputs_through_every_command():
    lines = [case.argv for case in cases()]
    assert len(set(lines)) == len(lines) >= 400
    assert {argv[0] for argv in lines} >= set("process single simulate train inspect compare calibrate benchmark settings demo".split())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(2, "", "burstsr: --scale must be between 1 and 4"), REFUSED),
        (Answer(2, "", "burstsr: no"), "no reason"),
        (Answer(0, "", "--scale"), "accepted"),
        (Answer(1, "", "burstsr: unexpected KeyError: --scale"), "unexpected"),
        (Answer(1, "", "Traceback (most recent call last): --scale"), "traceback"),
    ],
)
def test_outcomes_are_distinguished(answer, outcome):
    assert judge(Case(("process",), "--scale"), answer) == outcome
