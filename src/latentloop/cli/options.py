"""Conversion of a job's options dataclass into command-line options."""

import tyro

UNTITLED = tyro.conf.arg(name="")
"""Marker for a group of options that `--help` lists among the command's own, without a title."""


def required(metavar: str | None = None) -> object:
    """Mark an option as required in `--help`; the command itself checks that it is given.

    Args:
        metavar: Placeholder for its value in `--help`; None for the one of its type.
    """
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(required)")
