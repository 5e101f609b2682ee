"""Optional packages, which the extras of the package install."""

import importlib
import importlib.util
import shlex
import sys
from types import ModuleType

from latentloop.errors import UserError


def require_extra(module: str, need: str, package: str) -> None:
    """Check that an optional package is installed, without importing it; arguments as for `load_extra`.

    Raises:
        UserError: The package is not installed.
    """
    missing = module in sys.modules and sys.modules[module] is None
    if missing or importlib.util.find_spec(module) is None:
        raise UserError(f"{need}: pip install {_quoted(package)}")


def load_extra(module: str, need: str, package: str) -> ModuleType:
    """Import an optional package, or raise an error that names the extra to install.

    Args:
        module: Name of the module, such as "av".
        need: Beginning of the error message, such as "videos need PyAV".
        package: Names for pip, such as "av" or "latentloop[bulk]", with spaces between them.

    Raises:
        UserError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"{need}: pip install {_quoted(package)}") from error


def _quoted(package: str) -> str:
    """Quote names for a shell: brackets are patterns to zsh."""
    return shlex.join(package.split())
