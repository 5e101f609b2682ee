"""Packages that need not be there: those of the extra "edit"."""

import importlib
from types import ModuleType

from latentloop.errors import UserError


def load_extra(module: str, need: str, package: str) -> ModuleType:
    """Import a module that may be missing.

    Args:
        module: Its name.
        need: What needs which project, such as "videos need PyAV".
        package: What pip calls it.

    Raises:
        UserError: It is not installed; says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{need}: pip install {package}") from error
