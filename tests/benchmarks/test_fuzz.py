"""Mutated files through every reader: a part of `python -m benchmarks.fuzz`, which runs as many as one likes in a process that is watched."""

import pytest

from benchmarks.fuzz import GOOD, IMAGE, REFUSED, Case, outcome_of
from benchmarks.fuzz_cases import KINDS, RESULTS, case, write_sources

QUICK = tuple(kind for kind in sorted(KINDS) if kind not in (*RESULTS, "weights", "command"))


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    write_sources(place, results=False)
    return place


def ran(one, place):
    file = place / one.file_name
    file.write_bytes(one.content)
    return outcome_of(one, file)


@pytest.mark.parametrize("seed", range(2))
def test_mutated_files_end_in_an_image_or_a_typed_error(sources, tmp_path, seed):
    found = {}
    for number in range(50):
        one = case(seed, number, sources, QUICK)
        found[number] = ran(one, tmp_path)
    assert {number: said for number, said in found.items() if said.outcome not in GOOD} == {}
    assert {IMAGE, REFUSED} <= {said.outcome for said in found.values()}


def test_a_case_is_determined_by_seed_and_number(sources):
    one, same, other = (case(*which, sources, QUICK) for which in ((1, 5), (1, 5), (1, 6)))
    assert one.content == same.content != other.content


@pytest.mark.parametrize(
    ("reads", "outcome"),
    [
        (lambda file: "", IMAGE),
        (lambda file: "iso -112", "nonsense"),
        (lambda file: 1 / 0, "traceback"),
        (lambda file: open(file / "none"), "traceback"),
    ],
)
def test_outcomes_are_distinguished(tmp_path, reads, outcome):
    assert ran(Case("raw", "a.dng", b"", reads), tmp_path).outcome == outcome
