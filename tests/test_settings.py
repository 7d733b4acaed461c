"""Settings: one validator reads the fields' metadata, and files of every kind say the same."""

import json
import tomllib
from dataclasses import asdict, fields, is_dataclass, replace

import numpy as np
import pytest

from burstsr.core.deprecated import RENAMED_SETTINGS, with_new_setting_names
from burstsr.core.errors import RangeError, SettingsError
from burstsr.core.tables import as_toml, changed
from burstsr.settings import KernelSettings, Settings, read_settings


def stages():
    return [(f.name, getattr(Settings(), f.name)) for f in fields(Settings) if is_dataclass(getattr(Settings(), f.name))]


def knobs():
    """(group, owner's type, field) of every setting."""
    return [("", Settings, f) for f in fields(Settings) if "meaning" in f.metadata] + [(n, type(s), f) for n, s in stages() for f in fields(s)]


@pytest.mark.parametrize(("group", "owner", "field"), knobs(), ids=lambda v: getattr(v, "name", ""))
def test_every_setting_states_what_it_is_and_keeps_its_range(group, owner, field):
    facts = field.metadata
    assert facts["meaning"] and (facts["span"] or facts["choices"] or facts["kind"] in (bool, str))
    name = f"{group}.{field.name}" if group else field.name
    wrong = ["nonesuch", [1], {}] + ([facts["span"][0] - 1, facts["span"][1] + 1, float("nan"), float("inf"), True] if facts["span"] else [7])
    for value in wrong:
        with pytest.raises(RangeError) as error:
            owner(**{field.name: value})
        assert str(error.value).startswith(f"{name} must be ")
    for value in facts["span"] or ():
        assert getattr(owner(**{field.name: facts["kind"](value)}), field.name) == value


def test_numbers_of_numpy_become_those_of_python():
    """The report is JSON, which knows no others."""
    settings = Settings(scale=np.float32(1.5), reference=np.int64(2))
    assert type(settings.scale) is float and type(settings.reference) is int
    assert type(Settings(scale=2).scale) is float


def test_toml_of_settings_reads_back():
    text = as_toml(Settings())
    other = Settings(scale=3, mode="best", reference=4, kernels=KernelSettings(k_detail_px=0.5))
    assert changed(other, tomllib.loads(text)) == Settings()
    assert changed(Settings(), tomllib.loads(as_toml(other))) == other
    for _, _, field in knobs():
        assert f"# {field.metadata['meaning']}" in text


def test_files_of_every_kind_are_settings(tmp_path):
    """TOML, TOML of an editor that writes a byte order mark, JSON, and the record beside a result."""
    wanted = Settings(scale=1.5, reference=None, kernels=KernelSettings(k_detail_px=0.5))
    table = asdict(wanted)
    files = {
        "a.toml": "scale = 1.5\n[kernels]\nk_detail_px = 0.5\n",
        "b.toml": "\ufeffscale = 1.5\nkernels = {k_detail_px = 0.5}\n",
        "c.json": json.dumps(table),
        "d.json": json.dumps({"burst": "x", "settings": {}, "settings_asked": {**table, "fallback": "none", "profile": ["x"]}, "frames": []}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_settings(Settings(reference=3), tmp_path / name).scale == 1.5
        assert read_settings(Settings(), tmp_path / name) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[kernels]\nk_detail_px = 7", "kernels.k_detail_px must be between 0.1 and 2, not 7 ({path})"),
        ("scale = '2'", "scale must be a number between 1 and 4, not '2' ({path})"),
        ("scale = nan", "scale must be between 1 and 4, not nan ({path})"),
        ("mode = 'slow'", "mode must be fast or best, not 'slow' ({path})"),
        ("align = 3", "align must be a group of settings, such as align.tile_px, not 3 ({path})"),
        ("[scale]\nx = 1", "scale must be a single value, not {{'x': 1}} ({path})"),
        ("[align]\ntile = 3", "'align.tile' is not a setting; align must be one of iterations, refine, regularisation, search_px, tile_px ({path})"),
        ("scale = 1e", "--settings {path}: not a readable TOML file"),
        ("scale = " + "9" * 5000, "--settings {path}: not a readable TOML file"),
        ("scale = " + "[" * 5000, "--settings {path}: not a readable TOML file (nested too deeply)"),
        ('{"scale": ' + "[" * 5000, "--settings {path}: not a readable JSON file"),
        ('{"scale": 1' + "0" * 400 + "}", "scale must be between 1 and 4, not 1000"),
        ("\udcff", "--settings {path}: not a text file in UTF-8"),
    ],
    ids=lambda v: v[:20],
)
def test_a_wrong_file_is_named_with_setting_and_value(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as error:
        read_settings(Settings(), path)
    assert str(error.value).startswith(message.format(path=path))


@pytest.mark.parametrize("place", ["nope.toml", ".", "/dev/zero", "a" * 300])
def test_what_is_no_settings_file_is_not_read(tmp_path, monkeypatch, place):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="--settings"):
        read_settings(Settings(), Path(place))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("kernels.k_detail_px=7", "--set kernels.k_detail_px must be between 0.1 and 2, not 7"),
        ("scale", "--set scale: must be STAGE.KEY=VALUE"),
        ("=3", "--set =3: must be STAGE.KEY=VALUE"),
        ("a.b.c=1", "--set 'a' is not a setting"),
        ("align.tile_px=8.5", "--set align.tile_px must be an integer between 8 and 128, not 8.5"),
        ("align.tile_px=true", "--set align.tile_px must be an integer between 8 and 128, not True"),
        ("defects.repair=1", "--set defects.repair must be true or false, not 1"),
    ],
)
def test_a_wrong_assignment_is_named(assignment, message):
    with pytest.raises(SettingsError) as error:
        read_settings(Settings(), None, [assignment])
    assert str(error.value).startswith(message)


def test_choices_are_read_in_any_case():
    assert read_settings(Settings(), None, ["mode=Best"]).mode == "best"


OLD_SETTINGS = [(group, old, new) for group, names in RENAMED_SETTINGS.items() if group not in ("", "simulate") for old, new in names.items()]


@pytest.mark.parametrize(("group", "old", "new"), OLD_SETTINGS)
def test_old_names_of_settings_are_still_accepted_with_a_warning(group, old, new, tmp_path, caplog):
    """In files of every kind, in --set, and as keyword arguments and attributes in Python."""
    default = getattr(getattr(Settings(), group), new)
    value = (not default) if isinstance(default, bool) else default + 1 if isinstance(default, int) else default * 0.9
    wanted = read_settings(Settings(), None, [f"{group}.{new}={json.dumps(value)}"])
    assert wanted != Settings()
    old_group = "covariance" if group == "kernels" else group
    (tmp_path / "a.toml").write_text(f"[{old_group}]\n{old} = {json.dumps(value)}\n")
    (tmp_path / "a.json").write_text(json.dumps({"settings_asked": {old_group: {old: value}, "fallback": "none"}}))
    for read in (tmp_path / "a.toml", tmp_path / "a.json"):
        caplog.clear()
        assert read_settings(Settings(), read) == wanted
        assert f"{group}.{old} is now called {group}.{new}" in caplog.text
    caplog.clear()
    assert read_settings(Settings(), None, [f"{old_group}.{old}={json.dumps(value)}"]) == wanted
    assert f"is now called {group}.{new}" in caplog.text
    stage = getattr(Settings(), group)
    for make in (type(stage), lambda **changes: replace(stage, **changes)):
        with pytest.warns(DeprecationWarning, match=f"{old} of .* is now called {new}"):
            assert make(**{old: value}) == getattr(wanted, group)
    with pytest.warns(DeprecationWarning, match=f"{old} of .* is now called {new}"):
        assert getattr(getattr(wanted, group), old) == value


def test_old_name_of_a_group_is_still_accepted_with_a_warning():
    other = KernelSettings(k_detail_px=0.5)
    with pytest.warns(DeprecationWarning, match="covariance of Settings is now called kernels"):
        assert Settings(covariance=other) == Settings(kernels=other)
    with pytest.warns(DeprecationWarning, match="covariance of Settings is now called kernels"):
        assert Settings(kernels=other).covariance is other


def test_old_and_new_name_of_one_setting_are_refused(tmp_path):
    path = tmp_path / "both.toml"
    path.write_text("[merge]\npasses = 0\nback_projection_iterations = 1\n")
    with pytest.raises(SettingsError, match="merge.back_projection_iterations is given twice: merge.passes is its old name"):
        read_settings(Settings(), path)


def test_settings_of_an_old_record_have_their_new_names():
    old = {"scale": 2.0, "covariance": {"k_denoise_dark": 5.0}, "merge": {"gain": 1.0, "fallback_weight": 0.1}, "fallback": "none"}
    new = {"scale": 2.0, "kernels": {"k_denoise_low_snr": 5.0}, "merge": {"step_size": 1.0, "fallback_weight": 0.1}, "fallback": "none"}
    assert with_new_setting_names(old) == with_new_setting_names(new) == new


@pytest.mark.parametrize(("name", "message"), [("align.tile_px", "an integer"), ("scale", "a number")])
def test_messages_name_the_kind_in_english(name, message):
    """Fault 15: "expected a int"."""
    with pytest.raises(SettingsError, match=f"--set {name} must be {message} between [0-9]+ and [0-9]+, not 'much'"):
        read_settings(Settings(), None, [f"{name}=much"])


def test_an_automatic_choice_can_be_set_where_a_file_sets_another(tmp_path):
    """Fault 15: once a file had set the reference, `--set reference=auto` was refused."""
    (tmp_path / "a.toml").write_text("reference = 2")
    assert read_settings(Settings(), tmp_path / "a.toml").reference == 2
    assert read_settings(Settings(), tmp_path / "a.toml", ["reference=auto"]).reference is None
