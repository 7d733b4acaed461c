"""Imports only go down: cli > html_report > batch > profiles > pipeline > stages (strangers to each other) > io, quality > settings > core."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import burstsr

ROOT = Path(burstsr.__file__).parent
CORE, SETTINGS, IO, STAGE, PIPELINE, PROFILES, BATCH, PAGES, CLI = range(9)
FLOORS = {
    "core": CORE,
    "settings": SETTINGS,
    "io": IO,
    "pipeline": PIPELINE,
    "report": PIPELINE,
    "prepare": PIPELINE,
    "registration": PIPELINE,
    "motion": PIPELINE,
    "region": PIPELINE,
    "stream": PIPELINE,
    "export": PIPELINE,
    "develop": PIPELINE,
    "lateral": PIPELINE,
    "lens": PIPELINE,
    "bracket": PIPELINE,
    "output_noise": PIPELINE,
    "profiles": PROFILES,
    "batch": BATCH,
    "html_report": PAGES,
    "cli": CLI,
    "__main__": CLI,
}
FORBIDDEN = {"torch", "torchvision", "matplotlib", "pandas"}
NEIGHBOURS = {"single", "calibration", "benchmarks"}
HEAVY = {"numpy", "scipy", "numba", "cv2", "rawpy", "tifffile", "imagecodecs", "skimage", "rich", "torch", "distributed", "astropy"}


def modules():
    return sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def room_of(path):
    return path.with_suffix("").parts[0]


def types_only(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path):
    """(module imported, whether inside a function, or for type checkers only) of a module's source."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or types_only(f) for n in ast.walk(f)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in inner) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "burstsr" else [node.module]
            found += [(name, id(node) in inner) for name in names]
    return found


def floor(room):
    return FLOORS.get(room, STAGE)


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_go_down(path):
    room = room_of(path)
    if room == "__init__":  # the front door names everybody, and loads nobody: see below
        return
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] != "burstsr" or parts[1] == "__version__":
            continue
        other = parts[1]
        assert other == room or floor(other) < floor(room) or floor(room) == floor(other) in (PIPELINE, CLI), f"{path} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=str)
def test_no_forbidden_imports(path):
    for name, lazy in imports(path):
        top = name.split(".")[0]
        assert top not in FORBIDDEN, f"{path} imports {name}"
        assert top not in NEIGHBOURS or (room_of(path) in ("batch", "cli") and lazy), f"{path} imports {name}: only batch and cli may, inside a function"


MOST_ARGUMENTS = 6
OF_THE_FRONT_DOOR = {"super_resolve", "from_arrays"}  # options of users, given by name


def numeric(path):
    return path.name.endswith("loops.py") or path.name.startswith("naive")


@pytest.mark.parametrize("path", [p for p in modules() if not numeric(p) and room_of(p) not in ("batch", "cli")], ids=str)
def test_no_function_takes_many_arguments(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name not in OF_THE_FRONT_DOOR:
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert len(names) <= MOST_ARGUMENTS, f"{path}: {node.name} takes {len(names)} arguments"


def test_every_room_is_reached():
    """A room that nobody imports is a stage that somebody forgot."""
    rooms = {room_of(p) for p in modules()} - {"__init__", "__main__"}
    used = {name.split(".")[1] for p in modules() for name, _ in imports(p) if name.startswith("burstsr.") and name.split(".")[1] != room_of(p)}
    assert rooms - used == set()


@pytest.mark.parametrize(
    "code",
    [
        "import burstsr",
        "import burstsr.__main__, burstsr.cli; burstsr.cli.build_parser()",
        "from burstsr.cli import main; main(['--help'])",
        "from burstsr.cli import main; main(['process', '--help'])",
        "from burstsr.cli import main; main(['report', '--help'])",
        "from burstsr.cli import main; main(['serve', '--help'])",
        "from burstsr.cli import main; main(['watch', '--help'])",
        "from burstsr.cli import main; main(['single', '--help'])",
        "from burstsr.cli import main; main(['demo', '--help'])",
        "from burstsr.cli import main; main(['simulate', '--help'])",
        "from burstsr.cli import main; main(['benchmark', 'quality', '--help'])",
        "from burstsr.cli import main; main(['calibrate', 'noise', '--help'])",
        "from burstsr.cli import main; main(['--version'])",
    ],
)
def test_help_is_light(code):
    """--help answers at once because nothing heavy is loaded for it."""
    script = f"import sys\ntry:\n    exec({code!r})\nexcept SystemExit as e:\n    assert not e.code\nprint('loaded:', *{HEAVY!r} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded:"
