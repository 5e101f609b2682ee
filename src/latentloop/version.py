"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("latentloop")
    except PackageNotFoundError:
        return version("latentloop-lite")  # the distribution of the modules that need no PyTorch


__version__ = _installed()
