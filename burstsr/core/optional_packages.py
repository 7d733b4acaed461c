"""Which optional packages are installed."""

from importlib.util import find_spec


def is_installed(package: str) -> bool:
    """Whether a package is installed; others may have left a stub of its name in `sys.modules`."""
    try:
        return find_spec(package) is not None
    except ValueError:
        return False
