"""How the options of a job become those of its command."""

import tyro

UNTITLED = tyro.conf.arg(name="")
"""Mark of a group of options that --help lists among the command's own, without a title."""
