"""Thousands of bursts: what is opened, and how often."""

import builtins
from collections import Counter


def test_discovery_opens_every_dng_once(run, bursts, tmp_path, monkeypatch):
    opened = Counter()
    real = builtins.open

    def counting(file, *args, **kwargs):
        opened[str(file)] += 1
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", counting)
    status, text, _ = run("process", bursts, "-o", tmp_path / "out", "--dry-run")
    frames = {str(path): opened[str(path)] for path in bursts.rglob("*.dng")}
    assert status == 0 and "cedar" in text and set(frames.values()) == {1} and len(frames) == 12
