"""Old names of arguments and settings, which are still accepted for one release, with a warning that names the new one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from burstsr.core.errors import SettingsError

_T = TypeVar("_T")

# old name -> new name, by group of settings; "" holds the groups themselves
RENAMED_SETTINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "": {"covariance": "kernels"},
        "align": {"prior": "regularisation"},
        "kernels": {
            "k_detail_dark_px": "k_detail_low_snr_px",
            "k_denoise_dark": "k_denoise_low_snr",
            "d_threshold_dark": "d_threshold_low_snr",
            "d_transition_dark": "d_transition_low_snr",
        },
        "robustness": {"tolerance": "mismatch_scale", "s_moving": "s1", "s_still": "s2"},
        "merge": {
            "single_significance": "reference_detail_threshold",
            "passes": "back_projection_iterations",
            "gain": "step_size",
            "significance": "residual_snr_threshold",
            "chroma_significance": "chroma_snr_threshold",
        },
        "reconstruct": {
            "steps": "outer_iterations",
            "iterations": "cg_iterations",
            "first": "sigma_start",
            "last": "sigma_end",
            "threshold": "dct_threshold",
            "wiener": "wiener_noise_factor",
            "chroma_pull": "chroma_penalty",
            "offset": "sqrt_offset",
            "enough": "stop_tolerance",
            "blend": "denoised_fraction",
            "motion_passes": "flow_refinements",
            "second_look": "recheck_rejected_frames",
        },
        "simulate": {"blink": "flicker", "mover": "moving_object", "shading": "vignetting"},
    }
)


def renamed_argument(new_name: str, new: _T | None, old_name: str, old: _T | None) -> _T | None:
    """Return the value of an argument that may be given under its old name, which warns. Raises SettingsError where both are given."""
    if old is None:
        return new
    if new is not None:
        raise SettingsError(f"{new_name} and {old_name} are the new and the old name of one argument: give {new_name} only")
    _warn(f"the argument {old_name}", new_name)
    return old


def takes_old_names(group: str = "") -> Callable[[type[_T]], type[_T]]:
    """Class decorator for a dataclass of settings: its constructor (hence `dataclasses.replace`) and its attributes accept the old names of `group`.

    An old name wins over the new one, which `replace` always passes too.
    """
    new_of = RENAMED_SETTINGS[group]

    def decorate(cls: type[_T]) -> type[_T]:
        initialise = cls.__init__

        @functools.wraps(initialise)
        def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: ANN401
            for old in new_of.keys() & values.keys():
                _warn(f"the setting {old} of {cls.__name__}", new_of[old])
                values[new_of[old]] = values.pop(old)
            initialise(self, *args, **values)

        cls.__init__ = __init__  # type: ignore[method-assign]
        _read_under_old_names(cls, new_of, "setting")
        cls._old_names = new_of  # type: ignore[attr-defined]
        return cls

    return decorate


def old_names(cls: type) -> Mapping[str, str]:
    """Return old name -> new name of the settings of a dataclass that `takes_old_names`; empty for another."""
    found: Mapping[str, str] = getattr(cls, "_old_names", {})
    return found


def with_new_setting_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's settings under their new names, without a warning: whoever reads an old result cannot change it."""
    groups = {RENAMED_SETTINGS[""].get(name, name): value for name, value in settings.items()}
    return {
        name: {RENAMED_SETTINGS.get(name, {}).get(key, key): v for key, v in value.items()} if isinstance(value, Mapping) else value
        for name, value in groups.items()
    }


def _warn(old: str, new: str) -> None:
    warnings.warn(f"{old} is now called {new}; the old name will be removed in the next release", DeprecationWarning, stacklevel=3)


def _read_under_old_names(cls: type, new_of: Mapping[str, str], kind: str) -> None:
    """Let a class's attributes, which warnings call a `kind`, also be read under their old names."""

    def __getattr__(self: Any, name: str) -> Any:  # noqa: ANN401
        if name not in new_of:
            raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}")
        _warn(f"the {kind} {name} of {cls.__name__}", new_of[name])
        return getattr(self, new_of[name])

    cls.__getattr__ = __getattr__  # type: ignore[attr-defined]


def renamed_fields(other: Callable[[dict[str, Any]], dict[str, Any]], **names: str) -> Callable[[type[_T]], type[_T]]:
    """Decorate a class whose constructor, and so `dataclasses.replace`, also accepts old names of fields. names: old to new. other: further changes."""

    def decorated(cls: type[_T]) -> type[_T]:
        made = cls.__init__

        @functools.wraps(made)
        def init(self: _T, *values: Any, **named: Any) -> None:  # noqa: ANN401  those of the class
            for old, new in names.items():
                if old in named:
                    _warn(f"the argument {old} of {cls.__name__}", new)
                    named[new] = named.pop(old)
            made(self, *values, **other(named))

        cls.__init__ = init  # type: ignore[method-assign, assignment]
        return cls

    return decorated


def renamed_attributes(**names: str) -> Callable[[type[_T]], type[_T]]:
    """Decorate a class whose attributes can also be read under old names, with a warning. names: old to new."""

    def decorated(cls: type[_T]) -> type[_T]:
        _read_under_old_names(cls, names, "attribute")
        return cls

    return decorated


def renamed_names(module: Mapping[str, Any], **names: str) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that also finds old names, with a warning. module: its `globals()`. names: old to new."""

    def read(name: str) -> Any:  # noqa: ANN401
        if name not in names:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        _warn(f"{module['__name__']}.{name}", names[name])
        return module[names[name]]

    return read
