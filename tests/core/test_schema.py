"""Records of the previous layout are read as if they had the new keys; for one release both are written."""

from burstsr.core.schema import RENAMED_KEYS, with_both_names

OLD = {
    "burst": "x",
    "size": [8, 6],
    "phases": 4,
    "evenness": 0.5,
    "noise_left": {"alpha": [1.0]},
    "frames_read": ["a, 1 bytes, no time"],
    "frames": [{"file": "a", "trust": 1.0}, {"file": "b", "trust": 0.5}],
    "noise": {"source": "NoiseProfile", "doubt": None},
    "reconstruction": {"turns": 7.0, "second_looks": 0.1, "residual": 1.0},
    "seconds": {"merge": 2.0, "noise left": 0.5},
}
NEW = {
    "burst": "x",
    "shape": [6, 8],
    "subpixel_phases": 4,
    "sampling_uniformity": 0.5,
    "output_noise": {"alpha": [1.0]},
    "fingerprints": ["a, 1 bytes, no time"],
    "frames": [{"file": "a", "robustness": 1.0}, {"file": "b", "robustness": 0.5}],
    "noise": {"source": "NoiseProfile", "noise_warning": None},
    "reconstruction": {"outer_iterations": 7.0, "rechecked_tiles": 0.1, "residual": 1.0},
    "seconds": {"merge": 2.0, "residual noise": 0.5},
}


def test_old_and_new_records_read_alike():
    assert with_both_names(OLD) == with_both_names(NEW)
    for record in (OLD, NEW):
        both = with_both_names(record)
        assert both.items() >= {k: v for k, v in record.items() if k not in ("frames", "noise", "reconstruction", "seconds")}.items()
        for names, parts in ((RENAMED_KEYS[place], both[place] if place == "frames" else [both[place] if place else both]) for place in RENAMED_KEYS):
            assert all(part[old] == part[new] for part in parts for old, new in names.items())


def test_both_names_are_given_once_and_to_a_copy():
    both = with_both_names(NEW)
    assert with_both_names(both) == both and "trust" not in NEW["frames"][0] and "turns" not in NEW["reconstruction"]


def test_what_changes_under_the_new_name_changes_under_the_old():
    assert with_both_names({**with_both_names(NEW), "output_noise": None})["noise_left"] is None


def test_what_is_absent_stays_absent():
    assert with_both_names({"reconstruction": None, "model": "x"}) == {"reconstruction": None, "model": "x"}
