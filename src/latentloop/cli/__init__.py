"""The command line: one module per command, imported on demand; heavy imports wait until a command runs."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from latentloop.allocator import keep_freed_memory
from latentloop.cli.commands import COMMANDS, PARTS, Command, overview
from latentloop.cli.complaints import complain, did_you_mean, offered
from latentloop.cli.streams import drop_output, open_closed_streams, output_fails
from latentloop.errors import UserError, is_out_of_memory, printable

OUT_OF_MEMORY = "not enough memory; finished files are kept; take a smaller batch, or smaller photos"
"""Complaint about memory that has run out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 2 for bad input, 130 if interrupted by Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, _interrupt)
    offered.set(None)
    open_closed_streams()
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
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
    return code


def parse(arguments: Sequence[str]) -> Command:
    """Parse the arguments into a command, whose options alone errors name from now on; exits with 0 after --help.

    Raises:
        UserError: They mean none.
    """
    name = arguments[0] if arguments else ""
    if name not in COMMANDS:
        kind, known = ("option", ["--help", "--version"]) if name.startswith("-") else ("command", list(COMMANDS))
        raise UserError(f"no {kind} {name}{did_you_mean(name, known) or ';'} see latentloop --help")
    from latentloop.cli.parsing import (
        options_of,
        parse_command,
    )  # takes longer than all that the list of commands needs

    words = 2 if " ".join(arguments[:2]) in PARTS else 1
    command = parse_command(" ".join(arguments[:words]), arguments[words:])
    offered.set(frozenset(options_of(type(command), command)))
    return command


def _run(arguments: Sequence[str]) -> int:
    if not arguments:
        print(overview(), file=sys.stderr)  # noqa: T201
        return 2  # a script that lost its arguments has failed
    if arguments[0] == "--version":
        from importlib.metadata import version  # half as long to import as all that the list of commands needs

        print(f"latentloop {version('latentloop')}")  # noqa: T201
        return 0
    if arguments[0] in ("-h", "--help"):
        print(overview())  # noqa: T201
        return 0
    try:
        command = parse(arguments)
    except SystemExit as stop:  # after --help
        return int(stop.code or 0)
    keep_freed_memory()
    return command.run()


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
