"""Command line of `latentloop-lite`, the program that runs without PyTorch."""

from collections.abc import Sequence

from latentloop import cli
from latentloop.cli.commands import LITE


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command of latentloop-lite; returns the exit code, as `latentloop.cli.main` does."""
    return cli.main(argv, LITE)
