"""Loops spread over cores."""

import threading

import pytest

from burstsr.core.parallel import in_parallel, limited_threads, over_rows


@pytest.fixture
def two_threads():
    with limited_threads(2):
        yield


def test_loops_inside_parallel_work_run_in_its_own_thread(two_threads):
    """Issue 15, fault 7: the reconstruction's tiles had threads of their own, and their loops another pool beside it."""

    def work(item):
        seen = set()
        over_rows(lambda first, last: seen.add(threading.get_ident()), 64)
        list(in_parallel(lambda _: seen.add(threading.get_ident()), range(8)))
        return seen == {threading.get_ident()} and threading.current_thread() is not threading.main_thread()

    before = threading.active_count()
    assert all(in_parallel(work, range(16)))
    assert threading.active_count() <= before + 2


def test_parallel_results_keep_their_order(two_threads):
    assert list(in_parallel(lambda i: i * i, range(50))) == [i * i for i in range(50)]


def test_all_rows_are_covered_once(two_threads):
    counts = [0] * 37

    def loop(first, last, add):
        for y in range(first, last):
            counts[y] += add

    over_rows(loop, 37, 1, multiple=4)
    assert counts == [1] * 37


def test_a_failure_in_parallel_work_is_raised(two_threads):
    def work(item):
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(in_parallel(work, range(100)))
