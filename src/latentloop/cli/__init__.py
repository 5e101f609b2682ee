"""The command line: one module a command. Heavy imports happen inside commands, so that --help is quick."""

import io
import operator
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from importlib.metadata import version
from itertools import dropwhile, takewhile
from types import FrameType
from typing import Annotated, NoReturn, get_args

import tyro

from latentloop.allocator import keep_freed_memory
from latentloop.cli.bench import Bench
from latentloop.cli.cache import Cache
from latentloop.cli.complaints import with_options
from latentloop.cli.convert import Convert, Inspect
from latentloop.cli.directions import Directions
from latentloop.cli.distill import Distill
from latentloop.cli.edit import Edit
from latentloop.cli.embed import Embed
from latentloop.cli.fetch import Fetch
from latentloop.cli.generate import Generate
from latentloop.cli.mix import Mix
from latentloop.cli.morph import Morph
from latentloop.cli.train import Train
from latentloop.cli.transfer import Transfer
from latentloop.errors import UserError

Command = (
    Annotated[Embed, tyro.conf.subcommand("embed")]
    | Annotated[Edit, tyro.conf.subcommand("edit")]
    | Annotated[Morph, tyro.conf.subcommand("morph")]
    | Annotated[Mix, tyro.conf.subcommand("mix")]
    | Annotated[Transfer, tyro.conf.subcommand("transfer")]
    | Annotated[Directions, tyro.conf.subcommand("directions")]
    | Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
    | Annotated[Bench, tyro.conf.subcommand("bench")]
    | Annotated[Cache, tyro.conf.subcommand("cache")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Distill, tyro.conf.subcommand("distill")]
)

COMMANDS = {get_args(command)[0].__name__.lower() for command in get_args(Command)}

DESCRIPTION = """Find the StyleGAN code of a photo, and edit the photo through it.

First steps: latentloop embed photo.jpg, then open the report it names; latentloop edit photo.jpg --set smile=1."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for bad input, 130 if interrupted by Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    keep_freed_memory()
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments == ["--version"]:
        print(f"latentloop {version('latentloop')}")  # noqa: T201
        return 0
    try:
        return parse(arguments).run()
    except UserError as error:
        print(f"latentloop: {with_options(error)}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("latentloop: interrupted; finished files are kept", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:  # of `latentloop ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain at its exit
        return 1
    except OSError as error:  # such as a file that may not be read
        if error.filename is None:
            raise
        print(f"latentloop: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 2


def parse(arguments: Sequence[str]) -> Command:
    """The command that the arguments mean; exits with 0 after --help.

    Raises:
        UserError: They mean none.
    """
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                Command,
                prog="latentloop",
                description=DESCRIPTION,
                args=arguments,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code:
            command = " ".join(["latentloop", *(word for word in arguments[:1] if word in COMMANDS), "--help"])
            raise UserError(f"{_in_one_line(complaint.getvalue())}; see {command}") from None
        raise


def _in_one_line(box: str) -> str:
    """What tyro's box, drawn with lines or in ASCII, says between its title and its next rule, without class names."""
    lines = [line.strip(" │|─╰╯") for line in box.strip().splitlines()[1:]]
    texts = ["" if set(line) <= {"-", "+"} else line for line in lines]  # a rule in ASCII
    said = " ".join(takewhile(bool, dropwhile(operator.not_, texts)))
    return re.sub(r"^Error parsing (?!--)\S+: ", "", said or box.strip()).rstrip(".")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
