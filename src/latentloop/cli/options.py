"""Conversion of a job's options dataclass into command-line options."""

import tyro

UNTITLED = tyro.conf.arg(name="")
"""Mark of a group of options that --help lists among the command's own, without a title."""


def required(metavar: str | None = None) -> object:
    """Make the mark of an option that a command cannot do without, as it checks itself, for --help to say so.

    Args:
        metavar: Stands for its value in --help; None for the type's own.
    """
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="(required)")
