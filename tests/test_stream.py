"""Frames one at a time: the law is that of the whole burst."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of

from burstsr import BurstError, Settings, SettingsError, StreamingMerge, super_resolve
from burstsr.core.burst import Burst
from burstsr.core.noise import Noise
from burstsr.settings import MergeSettings


def moving(texture, rng, frames=5, shift=0.37, shape=(80, 96)):
    """A texture under a camera that drifts, or stands still."""
    noise = Noise.of_iso(200)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    images = []
    for i in range(frames):
        clean = np.clip(0.1 + 0.7 * texture(y + i * shift, x - i * shift), 0.02, 0.95)
        images.append(clean + np.sqrt(noise.variance(clean, 1)) * rng.standard_normal(shape))
    return burst_of(images, noise=noise)


def streamed(burst, settings=None, flows=None):
    merge = StreamingMerge(settings)
    for i, frame in enumerate(burst):
        merge.add(frame, flows[i] if flows else None)
    assert len(merge) == len(burst)
    return merge.finish()


@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_a_stream_is_its_burst_but_for_back_projection(texture, rng, shift):
    burst = moving(texture, rng, shift=shift)
    settings = Settings(reference=0, weigh_blur=False, safeguard=False, merge=MergeSettings(step_size=0.0))  # back-projection adds nothing
    whole, stream = super_resolve(burst, settings, keep_maps=True), streamed(burst, settings)
    assert np.abs(stream.image - whole.image).max() < 2e-4  # the whole keeps weights in 16 bits between its stages
    np.testing.assert_allclose(stream.weight, whole.weight, rtol=1e-5, atol=1e-5)
    assert stream.report.subpixel_phases == whole.report.subpixel_phases and stream.report.frames == whole.report.frames
    for a, b in zip(stream.flows, whole.flows, strict=True):
        np.testing.assert_array_equal(a.tiles, b.tiles)


def test_the_order_of_the_other_frames_does_not_matter(texture, rng):
    burst = moving(texture, rng)
    a, b = (streamed(Burst("b", (burst.frames[0], *others))) for others in (burst.frames[1:], burst.frames[:0:-1]))
    np.testing.assert_allclose(a.image, b.image, atol=1e-5)


def test_one_frame_is_a_stream(texture, rng):
    burst = moving(texture, rng, frames=1)
    stream, whole = streamed(burst), super_resolve(burst)
    assert np.abs(stream.image - whole.image).max() < 2e-4 and stream.report.frames_used == 1


def test_known_motion_is_taken_in_a_stream(texture, rng):
    burst = moving(texture, rng, frames=3)
    settings = Settings(reference=0)
    flows = super_resolve(burst, settings).flows
    np.testing.assert_array_equal(streamed(burst, settings, flows).image, streamed(burst, settings).image)


def test_frames_are_not_held(texture, rng):
    import gc
    import weakref

    burst = moving(texture, rng, frames=3)
    merge = StreamingMerge()
    merge.add(burst.frames[0])
    frame = replace(burst.frames[1])
    merge.add(frame)
    gone = weakref.ref(frame)
    del frame
    gc.collect()
    assert gone() is None


def test_what_a_stream_cannot_do_is_refused(texture, rng):
    with pytest.raises(SettingsError, match="mode"):
        StreamingMerge(Settings(mode="best"))
    with pytest.raises(SettingsError, match="reference"):
        StreamingMerge(Settings(reference=2))
    with pytest.raises(BurstError, match="at least one"):
        StreamingMerge().finish()
    merge = StreamingMerge()
    merge.add(moving(texture, rng, frames=1).frames[0])
    with pytest.raises(BurstError, match="shape"):
        merge.add(moving(texture, rng, frames=1, shape=(64, 64)).frames[0])


def test_a_stream_refuses_another_exposure(texture, rng):
    first, second = moving(texture, rng, frames=2).frames
    merge = StreamingMerge()
    merge.add(first.with_info(replace(first.info, exposure_s=0.01, iso=100.0)))
    with pytest.raises(BurstError, match="not 4 times as much"):
        merge.add(second.with_info(replace(second.info, exposure_s=0.02, iso=200.0)))
    assert len(merge) == 1
