"""The `latentloop` command line: one module per command, imported only when that command runs."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from latentloop.allocator import keep_freed_memory
from latentloop.cli.commands import LATENTLOOP, Command, Program
from latentloop.cli.complaints import complain, complaining_of_notices, did_you_mean, offered, running
from latentloop.cli.streams import drop_output, open_closed_streams, output_fails
from latentloop.errors import UserError, is_out_of_memory, printable

OUT_OF_MEMORY = "not enough memory; finished files are kept; take a smaller batch, or smaller photos"
"""Error message for exhausted memory, on the CPU or an accelerator."""


def main(argv: Sequence[str] | None = None, program: Program = LATENTLOOP) -> int:
    """Run a command of a program.

    Args:
        argv: Command name and options; None for `sys.argv[1:]`.
        program: Program whose commands are available.

    Returns:
        The exit code: 0 for success, 1 if the reader of stdout has gone, 2 for bad input, 130 after Ctrl-C or SIGTERM.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    offered.set(None)
    running.set(program.name)
    open_closed_streams()
    try:
        with complaining_of_notices():
            code = _run(sys.argv[1:] if argv is None else list(argv), program)
        sys.stdout.flush()
    except UserError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        complain("interrupted; finished files are kept")
        return 130
    except BrokenPipeError:  # such as in `latentloop ... | head`
        drop_output()
        return 1
    except (MemoryError, RuntimeError, OSError) as error:
        return _failed(error)
    except ModuleNotFoundError as error:
        return _without_torch(error)
    return code


def parse(arguments: Sequence[str], program: Program = LATENTLOOP) -> Command:
    """Parse arguments into a command; error messages from then on name only the options of that command.

    Exits with code 0 after `--help`.

    Args:
        arguments: The command's name, followed by its options.
        program: Program whose commands are available.

    Raises:
        UserError: The command is unknown or its options are invalid.
    """
    name = arguments[0] if arguments else ""
    if name not in program.commands:
        options, commands = ["--help", "--version"], list(program.commands)
        kind, known = ("option", options) if name.startswith("-") else ("command", commands)
        raise UserError(f"no {kind} {name}{did_you_mean(name, known) or ';'} see {program.name} --help")
    # Imported late: tyro takes longer to import than everything that the list of commands needs.
    from latentloop.cli.parsing import options_of, parse_command

    words = 2 if " ".join(arguments[:2]) in program.parts else 1
    command = parse_command(" ".join(arguments[:words]), arguments[words:], program)
    offered.set(frozenset(options_of(type(command), command)))
    return command


def _run(arguments: Sequence[str], program: Program) -> int:
    if not arguments:
        print(program.overview(), file=sys.stderr)  # noqa: T201
        return 2  # a script that lost its arguments has failed
    if arguments[0] == "--version":
        from latentloop.version import __version__  # late: takes half as long to import as the list of commands

        print(f"{program.name} {__version__}")  # noqa: T201
        return 0
    if arguments[0] in ("-h", "--help"):
        print(program.overview())  # noqa: T201
        return 0
    try:
        command = parse(arguments, program)
    except SystemExit as stop:  # after --help
        return int(stop.code or 0)
    keep_freed_memory()  # before the first large tensor is allocated
    return command.run()


def _without_torch(error: ModuleNotFoundError) -> int:
    """Report that PyTorch is missing; re-raise if it is another module."""
    if error.name != "torch":
        raise error
    complain("this needs PyTorch, which is not installed: pip install latentloop")
    return 2


def _failed(error: MemoryError | RuntimeError | OSError) -> int:
    """Report exhausted memory and failed file access; re-raise errors that are bugs."""
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
