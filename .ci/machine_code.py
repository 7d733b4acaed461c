"""Keep the machine code of compiled loops from one run to the next: restore it into a fresh copy of the sources, and save what the copy has compiled since.

    python3 .ci/machine_code.py restore|save COPY

Numba asks for a source's time and size only. Here a module's code counts as current where its text and that of all modules that it imports are the same;
numba itself looks at its own version and at the processor. Code is kept in the user's cache folder, and forgotten when it was not used for a month.
"""

import ast
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("burstsr", "single", "calibration", "benchmarks")
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "burstsr-tests"
STAMP = 946_684_800  # of every source that is compiled: the start of 2000
MONTH_S = 30 * 86_400


def imported(source: Path, root: Path) -> Iterator[Path]:
    """Modules of ours that a module imports by name; of a package, its own file only where it gives a name."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] in PACKAGES:
                places = [root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts[:-1]).with_suffix(".py"), root.joinpath(*parts[:-1], "__init__.py")]
                yield from [place for place in places if place.exists()][:1]


def digest(source: Path, root: Path) -> str:
    """Of a module, and of all that it stands on."""
    found, new = set(), {source}
    while new:
        found |= new
        new = {other for one in new for other in imported(one, root)} - found
    text = b"".join(str(one.relative_to(root)).encode() + one.read_bytes() for one in sorted(found))
    return hashlib.sha256(text).hexdigest()[:24]


def main(action: str, root: Path) -> None:
    """Restore or save."""
    for source in (path for package in PACKAGES for path in (root / package).rglob("*.py")):
        if not any(mark in source.read_bytes() for mark in (b"core.jit import", b"import numba")):
            continue
        kept, here = KEPT / f"{source.stem}-{digest(source, root)}", source.parent / "__pycache__"
        if action == "restore":
            os.utime(source, (STAMP, STAMP))
            if kept.is_dir():
                os.utime(kept)
                shutil.copytree(kept, here, dirs_exist_ok=True)
        elif here.is_dir():
            kept.mkdir(parents=True, exist_ok=True)
            for code in here.glob(f"{source.stem}.*.nb[ic]"):
                shutil.copy2(code, kept)
    if KEPT.is_dir():
        for old in KEPT.iterdir():
            if old.stat().st_mtime < time.time() - MONTH_S:
                shutil.rmtree(old)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
