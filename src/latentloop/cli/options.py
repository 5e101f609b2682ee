"""Conversion of a job's options dataclass into command-line options."""

import tyro

UNTITLED = tyro.conf.arg(name="")
"""Mark of a group of options that --help lists among the command's own, without a title."""
