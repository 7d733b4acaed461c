"""`.ci/machine_code.py`: what was compiled is used again where it is of the same sources, and only there."""

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """The script as a module, with a cache folder of its own."""
    spec = importlib.util.spec_from_file_location("machine_code", Path(__file__).resolve().parents[1] / ".ci" / "machine_code.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept")
    return module


def copy_of(folder, constant="LIMIT = 1"):
    """A package whose loops stand on a constant of another module."""
    package = folder / "burstsr" / "merge"
    package.mkdir(parents=True)
    (package / "loops.py").write_text("from burstsr.core.jit import compiled\nfrom burstsr.merge import limits\nfrom burstsr.merge.limits import LIMIT\n")
    (package / "limits.py").write_text(constant)
    (package / "stage.py").write_text("from burstsr.merge import loops\n")
    return package


def test_machine_code_is_used_where_all_that_it_stands_on_is_the_same(kept, tmp_path):
    first = copy_of(tmp_path / "a")
    kept.main("restore", tmp_path / "a")
    (first / "__pycache__").mkdir()
    for name in ("loops.add-1.py311.nbi", "loops.add-1.py311.1.nbc", "other.add-1.py311.nbi"):
        (first / "__pycache__" / name).write_bytes(b"code")
    kept.main("save", tmp_path / "a")

    same = copy_of(tmp_path / "b")
    (same / "stage.py").write_text("from burstsr.merge import loops  # does not matter to it\n")
    kept.main("restore", tmp_path / "b")
    assert sorted(p.name for p in (same / "__pycache__").iterdir()) == ["loops.add-1.py311.1.nbc", "loops.add-1.py311.nbi"]
    assert (first / "loops.py").stat().st_mtime == (same / "loops.py").stat().st_mtime

    other = copy_of(tmp_path / "c", "LIMIT = 2")
    kept.main("restore", tmp_path / "c")
    assert not (other / "__pycache__").exists()


def test_machine_code_that_nobody_used_for_a_month_is_forgotten(kept, tmp_path):
    copy_of(tmp_path / "a")
    (tmp_path / "kept" / "old").mkdir(parents=True)
    os.utime(tmp_path / "kept" / "old", (0, 0))
    kept.main("restore", tmp_path / "a")
    assert not (tmp_path / "kept" / "old").exists()
