"""The command line: one module per command, imported on demand; heavy imports wait until a command runs."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from latentloop.allocator import keep_freed_memory
from latentloop.cli.commands import LATENTLOOP, Command, Program
from latentloop.cli.complaints import complain, did_you_mean, offered, running
from latentloop.cli.streams import drop_output, open_closed_streams, output_fails
from latentloop.errors import UserError, is_out_of_memory, printable

OUT_OF_MEMORY = "not enough memory; finished files are kept; take a smaller batch, or smaller photos"
"""Complaint about memory that has run out."""


def main(argv: Sequence[str] | None = None, program: Program = LATENTLOOP) -> int:
    """Run a command of a program; returns the exit code: 0, 2 for bad input, 130 after Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    offered.set(None)
    running.set(program.name)
    open_closed_streams()
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv), program)
        sys.stdout.flush()
    except UserError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        complain("interrupted; finished files are kept")
        return 130
    except BrokenPipeError:  # of `latentloop ... | head`
        drop_output()
        return 1
    except (MemoryError, RuntimeError, OSError) as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        return _without_torch(error)
    return code


def parse(arguments: Sequence[str], program: Program = LATENTLOOP) -> Command:
    """Parse the arguments into a command, whose options alone errors name from now on; exits with 0 after --help.

    Args:
        arguments: The command's name, and its options.
        program: The program that has it.

    Raises:
        UserError: They mean none.
    """
    name = arguments[0] if arguments else ""
    if name not in program.commands:
        options, commands = ["--help", "--version"], list(program.commands)
        kind, known = ("option", options) if name.startswith("-") else ("command", commands)
        raise UserError(f"no {kind} {name}{did_you_mean(name, known) or ';'} see {program.name} --help")
    from latentloop.cli.parsing import (
        options_of,
        parse_command,
    )  # takes longer than all that the list of commands needs

    words = 2 if " ".join(arguments[:2]) in program.parts else 1
    command = parse_command(" ".join(arguments[:words]), arguments[words:], program)
    offered.set(frozenset(options_of(type(command), command)))
    return command


def _run(arguments: Sequence[str], program: Program) -> int:
    if not arguments:
        print(program.overview(), file=sys.stderr)  # noqa: T201
        return 2  # a script that lost its arguments has failed
    if arguments[0] == "--version":
        from latentloop.version import __version__  # half as long to import as all that the list of commands needs

        print(f"{program.name} {__version__}")  # noqa: T201
        return 0
    if arguments[0] in ("-h", "--help"):
        print(program.overview())  # noqa: T201
        return 0
    try:
        command = parse(arguments, program)
    except SystemExit as stop:  # after --help
        return int(stop.code or 0)
    keep_freed_memory()
    return command.run()


def _without_torch(error: ModuleNotFoundError) -> int:
    """Tell what to install where PyTorch is not; raises again what lacks another module."""
    if error.name != "torch":
        raise error
    complain("this needs PyTorch, which is not installed: pip install latentloop")
    return 2


def _failed(error: MemoryError | RuntimeError | OSError) -> int:
    """Tell of an error of the machine; raises again what is an error of ours."""
    if isinstance(error, MemoryError) or is_out_of_memory(error):
        complain(OUT_OF_MEMORY)
    elif isinstance(error, RuntimeError):
        raise error
    elif error.filename is not None:  # such as a file that may not be read
        complain(f"{printable(str(error.filename))}: {error.strerror}")
    elif output_fails():
        complain(f"standard output: {error.strerror}")
        drop_output()
    else:
        raise error
    return 2


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
