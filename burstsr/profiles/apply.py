"""What is known of a burst beforehand: the camera's profile, and motion that a mount or stabiliser made. Applied when the burst is read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.profiles.pixel_shift import STEPS_PX, pixel_shift_flows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.core.burst import Burst, Frame
    from burstsr.core.flow import Flow
    from burstsr.profiles.folder import Matched
    from burstsr.profiles.records import LensRecord
    from burstsr.settings import Settings

log = logging.getLogger(__name__)
NONE = "none"  # --profile none: not even what the user's folder has
_SAME_BLACK_DN = 0.05
_WIDEST_PX = 1.5  # blur that is used at most


@dataclass(frozen=True)
class CalibrationInputs:
    """Files that the command line names. profiles: records, which go before the folder's. folder: of the user's profiles. motion: a motion file, or the name
    of a kind of sensor-shift set (`profiles.pixel_shift`).

    darks, flats, bias: calibration frames, or folders of them.
    """

    profiles: tuple[Path, ...] = ()
    folder: Path | None = None
    motion: Path | None = None
    darks: tuple[Path, ...] = ()
    flats: tuple[Path, ...] = ()
    bias: tuple[Path, ...] = ()

    def absolute(self) -> CalibrationInputs:
        """The same for a machine with another working directory."""
        frames = (tuple(p.absolute() for p in paths) for paths in (self.darks, self.flats, self.bias))
        profiles = tuple(p.absolute() for p in self.profiles)
        motion = self.motion if self.motion is None or str(self.motion) in STEPS_PX else self.motion.absolute()
        return CalibrationInputs(profiles, self.folder and self.folder.absolute(), motion, *frames)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; nothing where nothing is named: what the folder has is not asked for."""
        named: dict[str, Any] = {"profile": [str(path) for path in self.profiles], "motion": self.motion and str(self.motion)}
        named |= {name: [str(path) for path in getattr(self, name)] for name in ("darks", "flats", "bias")}
        return {name: value for name, value in named.items() if value}


class Frames(Protocol):
    """A burst to which calibration frames were applied. bad: (n, 2) (y, x) of pixels to repair. sources: what was used."""

    @property
    def burst(self) -> Burst: ...  # noqa: D102
    @property
    def bad(self) -> NDArray[np.int64]: ...  # noqa: D102
    @property
    def sources(self) -> dict[str, str]: ...  # noqa: D102


@dataclass(frozen=True)
class LensCheck:
    """Whether a burst bears the blur of a lens out, and why, ready for a sentence.

    change, error: of the mean squared residual of held-out frames over noise variance, with the blur less without it, and its standard error; None: not
    measured.
    """

    passed: bool
    reason: str
    change: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class LensDecision:
    """What is used of a lens record's blur, and why.

    used_px: standard deviation, raw pixels; 0 for none. corner_px: the same in the corners of the frame, where the record knows how blur grows towards them;
    0: used_px everywhere. check: None where the record was not checked.
    """

    used_px: float
    record: LensRecord
    reason: str
    check: LensCheck | None = None
    corner_px: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the decision ready for JSON."""
        numbers = {"psf_sigma_px": self.used_px, "record_px": self.record.psf_sigma_px, "record_error_px": self.record.psf_sigma_error_px}
        change, error = (None, None) if self.check is None else (self.check.change, self.check.error)
        numbers |= {"psf_corner_sigma_px": self.corner_px} if self.corner_px else {}
        numbers |= {"misfit_change": change, "misfit_change_error": error}
        return {**{name: value if value is None else round(value, 4) for name, value in numbers.items()}, "reason": self.reason}


@dataclass(frozen=True)
class CalibratedBurst:
    """A burst with what is known of it. sources: what was used, and from where, ready for JSON. lens: what is used of a lens record's blur."""

    burst: Burst
    settings: Settings
    flows: Sequence[Flow] | None
    defects: NDArray[np.int64] | None
    sources: dict[str, str]
    lens: LensDecision | None = None


def known_of(profiles: Sequence[str], motion: Path | None) -> CalibrationInputs:
    """What --profile and --motion name. Raises SettingsError for files that are not there, InputFileError for what is no record."""
    from burstsr.profiles.files import read_record
    from burstsr.profiles.folder import profile_folder
    from burstsr.simulate import read_motions

    if NONE in (name.lower() for name in profiles):
        if len(profiles) > 1:
            raise SettingsError(f"--profile {NONE} cannot be combined with {len(profiles) - 1} other profiles")
        return CalibrationInputs(motion=motion)
    motion_file = None if motion is None or str(motion) in STEPS_PX else motion
    for path in (*map(Path, profiles), *([motion_file] if motion_file else [])):
        if not path.is_file():
            raise SettingsError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    if motion_file is not None:
        read_motions(motion_file)  # errors are reported before anything is computed
    for name in profiles:
        if read_record(Path(name)).kind == "motion":
            raise InputFileError(f"{name}: is a motion file; use --motion")
    return CalibrationInputs(tuple(map(Path, profiles)), profile_folder(), motion)


def prepared(
    known: CalibrationInputs,
    burst: Burst,
    settings: Settings,
    omitted: Sequence[int] = (),
    calibrate: Callable[[Burst], Frames] | None = None,
    check_lens: Callable[[Burst, float], LensCheck] | None = None,
) -> CalibratedBurst:
    """Apply what is known. omitted: indices of damaged frames, which the burst lacks and a motion file has.

    calibrate: applies calibration frames, which then take the place of a profile's black level, and row and column offsets.
    check_lens: tells whether the burst bears out the blur, raw pixels, of a lens record that is not named; None: it is used unchecked.

    Raises InputFileError for a motion file with another number of frames, BurstError for frames that are no sensor-shift set, SettingsError for a profile
    that does not fit.
    """
    import numpy as np

    from burstsr.core.noise import Noise

    matched = _matched(known, burst)
    sources = dict(matched.sources)
    if matched.noise is not None:
        noise, black = matched.noise.noise, matched.noise.black_dn
        noise = Noise(noise.alpha.mean()[None], noise.beta.mean()[None]) if burst.info.cfa.is_mono else noise
        burst = replace(burst, frames=tuple(frame.with_info(replace(frame.info, noise=noise)) for frame in burst))
        if matched.noise.method == "photon transfer" and black is not None and calibrate is None:
            burst = _with_black(burst, black, matched.noise.white_dn, sources)
    if matched.lens is not None:
        burst = _with_lateral(burst, matched.lens)
    if matched.colour is not None and not burst.info.cfa.is_mono:
        matrix = np.array(matched.colour.xyz_to_camera, np.float64)
        owned = [replace(frame.info, colour=replace(frame.info.colour, xyz_to_camera=matrix, measured=True)) for frame in burst]
        burst = replace(burst, frames=tuple(frame.with_info(info) for frame, info in zip(burst, owned, strict=True)))
    defects = None
    if matched.defects is not None:
        defects = matched.defects.positions
        burst = _even(burst, matched.defects) if calibrate is None else burst
    if calibrate is not None:
        frames = calibrate(burst)
        burst, sources = frames.burst, sources | frames.sources
        defects = frames.bad if defects is None else np.unique(np.concatenate([defects, frames.bad]), axis=0)
    lens = None
    if matched.lens is not None and not settings.reconstruct.lens_is_given:
        named = sources["lens"] in map(str, known.profiles)
        lens = _decided(matched.lens, burst, None if named or settings.mode != "best" else check_lens)
        measure = settings.reconstruct.measure_lens_blur and not named and lens.used_px == 0
        used = replace(settings.reconstruct, psf_sigma_px=lens.used_px, psf_corner_sigma_px=lens.corner_px, measure_lens_blur=measure)
        settings = replace(settings, reconstruct=used)
        log.info("%s: lens blur %.3f px of a record's %.3f px: %s", burst.name, lens.used_px, matched.lens.psf_sigma_px, lens.reason)
    if matched.lens is not None and not (_has_lateral(matched.lens) or (lens and lens.used_px)):
        sources.pop("lens", None)
    flows = None
    if known.motion is not None:
        settings = replace(settings, reference=settings.reference or 0)
        kind = str(known.motion)
        flows = pixel_shift_flows(kind, burst, settings) if kind in STEPS_PX else _flows(known.motion, burst, settings, omitted)
        sources["motion"] = str(known.motion)
    for name, source in sources.items():
        log.info("%s: %s from %s", burst.name, name, source)
    return CalibratedBurst(burst, settings, flows, defects, sources, lens)


def _decided(record: LensRecord, burst: Burst, check_lens: Callable[[Burst, float], LensCheck] | None) -> LensDecision:
    """Decide what is used of a lens record: its blur less its error, unless the burst contradicts it."""
    from burstsr.profiles.lens_field_fit import fit_lens_field

    certain, corner = (min(sigma, _WIDEST_PX) for sigma in fit_lens_field(record, burst.info.shape) or (record.certain_px, 0.0))
    if certain == 0:
        return LensDecision(0.0, record, "not larger than its error")
    if check_lens is None:
        return LensDecision(certain, record, "not checked: named by --profile, or not needed to merge", corner_px=corner)
    check = check_lens(burst, certain)  # which looks at the centre
    return LensDecision(certain, record, check.reason, check, corner) if check.passed else LensDecision(0.0, record, check.reason, check)


def _matched(known: CalibrationInputs, burst: Burst) -> Matched:
    """Records for the burst: those that are named, whatever camera they are of, then the folder's. Raises SettingsError for defects of another size."""
    from burstsr.profiles.files import read_record
    from burstsr.profiles.folder import Matched, match, read_profiles
    from burstsr.profiles.records import ColourRecord, DefectRecord, LensRecord, NoiseRecord

    if not known.profiles and known.folder is None:
        return Matched(None, None, None, {})
    found = match(read_profiles(known.folder) if known.folder else [], burst.info)
    for path in known.profiles:
        record = read_record(path)
        if record.camera and burst.info.camera and record.camera.casefold() != burst.info.camera.casefold():
            log.warning("%s: measured on camera %s, but burst %s is from %s", path, record.camera, burst.name, burst.info.camera)
        if isinstance(record, NoiseRecord):
            if record.iso and burst.info.iso and abs(record.iso - burst.info.iso) > 0.02 * burst.info.iso:
                log.warning("%s: measured at ISO %g, but burst %s is at ISO %g", path, record.iso, burst.name, burst.info.iso)
            found = replace(found, noise=record)
        elif isinstance(record, LensRecord):
            found = replace(found, lens=record)
        elif isinstance(record, ColourRecord):
            found = replace(found, colour=record)
        elif isinstance(record, DefectRecord):
            if record.shape != burst.info.shape:
                height, width = record.shape
                raise SettingsError(f"{path}: defects of {width} x {height} pixels, but {burst.name} has {burst.info.shape[1]} x {burst.info.shape[0]}")
            found = replace(found, defects=record)
        found = replace(found, sources={**found.sources, record.kind: str(path)})
    return found


def _with_black(burst: Burst, black: Any, white: float | None, sources: dict[str, str]) -> Burst:  # noqa: ANN401
    """The burst with the black level that was measured, where its files' raw numbers are those that were. What frames drift by stays with each frame."""
    import numpy as np

    from burstsr.core.burst import Levels

    levels = burst.info.levels
    measured = np.array(black, np.float64)
    if white != levels.white or np.abs(measured - levels.black).max() <= _SAME_BLACK_DN or measured.max() >= levels.white:
        return burst
    sources["black"] = f"{sources['noise']}: {np.round(measured, 2).ravel().tolist()} instead of {levels.black.ravel().tolist()}"
    typical = np.median([frame.info.levels.black for frame in burst], axis=0)
    owned = [Levels(measured + (frame.info.levels.black - typical), levels.white) for frame in burst]
    return replace(burst, frames=tuple(frame.with_info(replace(frame.info, levels=own)) for frame, own in zip(burst, owned, strict=True)))


def _has_lateral(record: LensRecord) -> bool:
    return record.lateral_red is not None or record.lateral_blue is not None


def _with_lateral(burst: Burst, record: LensRecord) -> Burst:
    """The burst with the lens's lateral chromatic aberration, where the record has it."""
    from burstsr.core.lateral import LateralAberration

    if not _has_lateral(record):
        return burst
    lateral = LateralAberration.of_frame(burst.info.shape, record.lateral_red or (0.0, 0.0), record.lateral_blue or (0.0, 0.0))
    return replace(burst, frames=tuple(frame.with_info(replace(frame.info, lateral=lateral)) for frame in burst))


def _even(burst: Burst, record: Any) -> Burst:  # noqa: ANN401
    """The burst with what rows and columns show too much taken off."""
    import numpy as np

    from burstsr.core.burst import Levels
    from burstsr.io.rescaling import RESCALED_BLACK, RESCALED_WHITE, Rescaling

    if not record.row_offset_dn and not record.column_offset_dn:
        return burst
    height, width = burst.info.shape
    rows, columns = (np.array(v or np.zeros(n), np.float64) for v, n in ((record.row_offset_dn, height), (record.column_offset_dn, width)))
    levels = Levels(np.full((2, 2), RESCALED_BLACK), RESCALED_WHITE)

    def even(frame: Frame) -> Frame:
        scaling = Rescaling(frame.info.levels, rows, columns, [], frame.info.shape)
        return frame.with_mosaic(scaling.apply(frame.mosaic)).with_info(replace(frame.info, levels=levels))

    return replace(burst, frames=tuple(map(even, burst)))


def _flows(path: Path, burst: Burst, settings: Settings, omitted: Sequence[int]) -> list[Flow]:
    """Flows of all frames against the reference, from a motion file. Raises InputFileError."""
    from burstsr.core.checks import check_flows
    from burstsr.simulate import flows_from_motions, read_motions

    motions = read_motions(path)
    if len(motions) != len(burst) + len(omitted):
        raise InputFileError(f"{path}: {len(motions)} motions, but {burst.name} has {len(burst) + len(omitted)} frames; there must be one per frame")
    motions = tuple(motion for n, motion in enumerate(motions) if n not in omitted)
    reference = settings.reference or 0
    if reference >= len(motions):
        raise SettingsError(f"burst {burst.name} has {len(burst)} frames: --reference must be auto or between 0 and {len(burst) - 1}, not {reference}")
    try:
        return check_flows(flows_from_motions(motions, reference, burst.info.shape), burst)
    except SettingsError as error:
        raise InputFileError(f"{path}: motion larger than the frames ({error})") from error
