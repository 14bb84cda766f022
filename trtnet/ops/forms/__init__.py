"""The forms of operations that are not the neutral ones: a file for each kind, found by being here."""

from importlib import import_module
from pkgutil import walk_packages


def load_forms() -> None:
    """Imports every file here, which declares its forms; the operations must have declared their kinds."""
    for module in walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
