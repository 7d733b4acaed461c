"""The front door: public names and signatures, threads, cancelling, maps; and a user's program as a type checker sees it."""

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import burst_of

import burstsr
from burstsr.core.noise import Noise
from burstsr.core.parallel import limited_threads, thread_count

SNAPSHOT = Path(__file__).parent / "public_names.txt"
PROGRAM = Path(__file__).parent / "outside_program.py"


def noisy(rng, frames=4, shape=(64, 64), level=0.3):
    noise = Noise.of_iso(800)
    return burst_of([level + np.sqrt(noise.variance(level, 1)) * rng.standard_normal(shape) for _ in range(frames)], noise=noise)


def public_names():
    lines = []
    for name in sorted(burstsr.__all__):
        value = getattr(burstsr, name)
        if inspect.isclass(value):
            lines.append(f"class {name}")
            fields = getattr(value, "__dataclass_fields__", {})
            lines += [f"    {field}: {fields[field].type}" for field in fields]
            members = [m for m in sorted(vars(value)) if not m.startswith("_") and m not in fields]
            lines += [f"    {member}{_signature(vars(value)[member])}" for member in members]
        else:
            lines.append(f"{name}{_signature(value)}")
    return "\n".join(lines) + "\n"


def _signature(value):
    value = getattr(value, "__func__", value)
    return str(inspect.signature(value)) if callable(value) else ""


def test_public_names_and_signatures_are_those_of_the_snapshot():
    """A change here is a change for users: it belongs in the changelog. BURSTSR_SNAPSHOT=1 writes the file anew."""
    if os.environ.get("BURSTSR_SNAPSHOT"):
        SNAPSHOT.write_text(public_names(), encoding="utf-8")
    assert public_names() == SNAPSHOT.read_text(encoding="utf-8")


def test_a_users_program_passes_mypy_strict():
    """With this project's strict settings, and its cache: where `mypy` has run before, this takes a second."""
    pytest.importorskip("mypy")
    root = Path(burstsr.__file__).parents[1]
    run = subprocess.run([sys.executable, "-m", "mypy", str(PROGRAM)], capture_output=True, text=True, cwd=root)
    assert run.returncode == 0, run.stdout + run.stderr


def test_threads_are_limited_for_one_call_only(rng):
    before, during = thread_count(), []
    burstsr.super_resolve(noisy(rng, 2), burstsr.Settings(scale=1.0), lambda *_: during.append(thread_count()), n_threads=1)
    assert set(during) == {1} and thread_count() == before
    with limited_threads(3):
        burstsr.super_resolve(noisy(rng, 1), burstsr.Settings(scale=1.0), n_threads=1)
        assert thread_count() == 3
    assert thread_count() == before


def test_a_call_can_be_cancelled_between_stages_and_frames(rng):
    burst, reported = noisy(rng), []
    with pytest.raises(burstsr.Cancelled):
        burstsr.super_resolve(burst, progress=lambda stage, *_: reported.append(stage), cancel=lambda: reported.count("align") == 2)
    assert reported.count("align") == 2 and "sharpen" not in reported
    event = threading.Event()
    event.set()
    with pytest.raises(burstsr.Cancelled):
        burstsr.super_resolve(burst, cancel=event)
    stop = []
    with pytest.raises(burstsr.Cancelled):
        settings = burstsr.Settings(mode="best", reference=0)
        burstsr.super_resolve(burst, settings, lambda stage, *_: stop.append(stage), cancel=lambda: "reconstruct" in stop)


def test_maps_are_kept_where_they_are_asked_for_and_change_nothing(rng):
    burst = noisy(rng)
    plain, kept = (burstsr.super_resolve(burst, burstsr.Settings(reference=1), keep_maps=keep) for keep in (False, True))
    np.testing.assert_array_equal(plain.image, kept.image)
    assert plain.weight is None and plain.variance is None and plain.robustness == ()
    assert kept.weight.shape == kept.noise.shape == kept.image.shape and np.isfinite(kept.noise).all() and kept.noise.min() > 0
    assert [r.shape for r in kept.robustness] == [(32, 32)] * 4 and kept.robustness[1].min() == 1.0
    assert len(plain.flows) == 4 and not plain.flows[1].tiles.any()


@pytest.mark.parametrize("frames", [2, 8])
def test_the_noise_map_is_the_variance_that_is_found(frames, rng):
    """Within a factor of two, and where half of the frames are missing it is larger."""
    level, side = 0.3, 128
    noise = Noise.of_iso(800)
    images = [level + np.sqrt(noise.variance(level, 1)) * rng.standard_normal((side, side)) for _ in range(frames)]
    for image in images[frames // 2 :]:
        image[:, side // 2 :] = 0.8  # something else stands there
    still = [burstsr.Flow.zero((side, side), 16)] * frames
    result = burstsr.super_resolve(burst_of(images, noise=noise), burstsr.Settings(reference=0), flows=still, keep_maps=True)
    left, right = (slice(32, -32), slice(16, side - 32)), (slice(32, -32), slice(side + 32, -16))
    for channel in range(3):
        for part in (left, right):
            found, reported = result.image[part][..., channel].var(), float(result.noise[part][..., channel].mean())
            assert 0.4 < reported / found < 2.5
        assert result.noise[right][..., channel].mean() > 1.3 * result.noise[left][..., channel].mean()


def test_an_array_is_rendered_as_a_result_is(rng):
    result = burstsr.super_resolve(noisy(rng, 2), burstsr.Settings(scale=1.0))
    shown = burstsr.render(result)
    assert shown.shape == result.image.shape and shown.dtype == np.float32 and 0 <= shown.min() <= shown.max() <= 1
    np.testing.assert_array_equal(shown, burstsr.render(result.image, colour=result.reference.colour))
    with pytest.raises(burstsr.SettingsError):
        burstsr.render(np.full((4, 4, 3), np.nan))


def test_motion_and_noise_can_be_had_alone(texture):
    y, x = np.mgrid[:96, :128].astype(float)
    burst = burst_of([texture(y + dy, x + dx) for dy, dx in ((0, 0), (0.5, -0.25), (1.5, 2.0))])
    found = burstsr.register(burst, burstsr.Settings(reference=0))
    assert found.reference == 0 and not found.flows[0].tiles.any()
    np.testing.assert_allclose(np.median(found.flows[2].tiles, axis=(0, 1)), (-1.5, -2.0), atol=0.1)
    assert burstsr.estimate_noise(burst).model == burst.info.noise


def test_pyramids_are_gone_before_outliers_are_looked_for(rng, monkeypatch):
    """Lifetimes end with functions: at 12 MP the aligner holds 130 MB."""
    import gc
    import weakref

    from burstsr import registration

    made, alive = [], []

    class Watched(registration.Aligner):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(weakref.ref(self))

    def repair_reference(*arguments):
        gc.collect()
        alive.extend(ref() for ref in made)
        return real(*arguments)

    real = registration.repair_reference
    monkeypatch.setattr(registration, "Aligner", Watched)
    monkeypatch.setattr(registration, "repair_reference", repair_reference)
    burstsr.super_resolve(noisy(rng), burstsr.Settings(reference=0, measure_noise=False))
    assert alive == [None]
