"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("latentloop")
    except PackageNotFoundError:
        return version("latentloop-lite")  # the same modules, without PyTorch


__version__ = _installed()
