"""Freed memory is reused where a setting of the allocator prevented it, and settings of the user's own stay."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from burstsr.core.allocator import reuse_freed_memory
changed = reuse_freed_memory()
def touched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        np.ones(1 << 18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
touched()
print(int(changed), touched())
"""


def run(**variables):
    """Return whether the allocator was changed, and the pages that the system had to provide for fifty arrays of 512 pages each."""
    said = subprocess.run(
        [sys.executable, "-c", FAULTS], env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **variables}, capture_output=True, check=True, text=True
    )
    changed, pages = said.stdout.split()
    return changed == "1", int(pages)


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of Linux")
def test_arrays_reuse_what_was_freed_before():
    changed, pages = run(MALLOC_TRIM_THRESHOLD_="65536")
    if not changed:
        pytest.skip("not glibc")
    assert pages < 5 * 512  # all new: 50 * 512


@pytest.mark.parametrize("variables", [{}, {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "131072"}])
def test_what_the_user_set_stays(variables):
    assert not run(**variables)[0]
