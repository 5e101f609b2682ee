"""Parsing of command-line arguments, with one-line messages for invalid ones."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro
from tyro import _errors as refusals  # private: pyproject.toml holds tyro to a release that has it
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from latentloop.cli.commands import LATENTLOOP, Command, Program
from latentloop.cli.complaints import did_you_mean, option_name
from latentloop.cli.help_texts import install
from latentloop.errors import UserError, in_one_line

UNSET = "unset"
"""Word for None in `--help` and on the command line; the option's help text says what it means."""
NOTHING = "none"
"""Word that `--help` shows for an option of several values that is empty by default."""
CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes)
"""Settings of tyro: flags without the group's name, and no `--no-x` beside each `--x`."""


def parse_command(name: str, arguments: Sequence[str], program: Program = LATENTLOOP) -> Command:
    """Parse the arguments after a command's name; exits with code 0 after `--help`.

    Args:
        name: Name of the command, of one word or of two.
        arguments: Arguments after the name.
        program: Program whose command it is.

    Raises:
        UserError: An argument is unknown, or arguments contradict each other.
    """
    command, prog = program.load(name), f"{program.name} {name}"
    with refusals.on_parse_error(partial(_refuse, command)):
        try:
            return tyro.cli(command, prog=prog, args=arguments, config=CONFIG, registry=REGISTRY)
        except ValueError as error:  # from a job's options, which tyro does not catch if they have no title
            raise _refusal(str(error), prog) from error


install()
REGISTRY = ConstructorRegistry()
"""Types that are displayed and parsed in another way than tyro's."""


@REGISTRY.primitive_rule
def _optional(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[None] | None:
    if kind.type is not NoneType:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=UNSET,
        choices=(UNSET, "None"),
        instance_from_str=lambda _: None,
        is_instance=lambda value: value is None,
        str_from_instance=lambda _: [UNSET],
    )


@REGISTRY.primitive_rule
def _several(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[tuple[Any, ...]] | None:
    if kind.type not in (tuple[str, ...], tuple[Path, ...]):
        return None
    one = get_args(kind.type)[0]
    word = "STR" if one is str else "PATH"
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{word} [{word} ...]]",
        instance_from_str=lambda texts: tuple(map(one, texts)),
        is_instance=lambda value: isinstance(value, tuple) and all(isinstance(item, one) for item in value),
        str_from_instance=lambda value: [*map(str, value)] or [NOTHING],
    )


@REGISTRY.primitive_rule
def _several_words(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[tuple[Any, ...]] | None:
    one, *rest = get_args(kind.type) or (None,)
    words = _words(one)
    if get_origin(kind.type) is not tuple or rest != [...] or not words:
        return None
    metavar = "{" + ",".join(words) + "}"
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{metavar} [{metavar} ...]]",
        choices=words,
        instance_from_str=lambda texts: tuple(texts),
        is_instance=lambda value: isinstance(value, tuple) and all(item in words for item in value),
        str_from_instance=lambda value: [*value] or [NOTHING],
    )


def _words(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - any type
    """Return the texts that a Literal, or a union of Literals, allows; empty for another type."""
    if get_origin(kind) in (Union, UnionType):
        each = [_words(one) for one in get_args(kind)]
        return tuple(word for words in each for word in words) if all(each) else ()
    words = get_args(kind) if get_origin(kind) is Literal else ()
    return words if all(isinstance(word, str) for word in words) else ()


def options_of(part: Any, value: Any = None) -> Iterator[str]:  # noqa: ANN401 - any type, any value
    """Yield the options of a command's class and of the classes of its fields, as `--help` lists them.

    Args:
        part: The class, or the type of a field.
        value: The parsed command, of whose subcommands only the chosen one counts; None for all subcommands.
    """
    part = type(value) if is_dataclass(value) else part
    if not (isinstance(part, type) and is_dataclass(part)):
        for inner in get_args(part):
            yield from options_of(inner)
        return
    hints = get_type_hints(part, include_extras=True)
    for field in fields(part):
        hint = hints[field.name]
        inner_options = list(options_of(hint, getattr(value, field.name, None)))
        if inner_options or tyro.conf.Positional in get_args(hint):
            yield from inner_options
        else:
            yield option_name(f"no_{field.name}" if field.default is True else field.name)


def _refuse(command: type[Command], event: refusals.ParseErrorEvent) -> None:
    """Replace tyro's error box by one line; errors of kinds unknown here are left to tyro."""
    problem = _problem(command, event)
    if problem is not None:
        raise _refusal(problem, event.prog)


def _refusal(problem: str, prog: str) -> UserError:
    text = in_one_line(Exception(problem))
    return UserError(f"{text if text.endswith('?') else text.rstrip('.') + ';'} see {prog} --help")


def _problem(command: type[Command], event: refusals.ParseErrorEvent) -> str | None:
    match event:
        case refusals.UnrecognizedArgs(tokens=[str(token), *_]):
            return _unknown(command, token)
        case refusals.InvalidChoice(argument=argument, value=value, choices=choices):
            shown = value if argument.is_positional() else f"{argument.display_name()} {value}"
            return f"{shown}: no such choice" + (did_you_mean(value, choices) or f"; there are {', '.join(choices)}")
        case refusals.BadValue(argument=argument):
            return f"{argument.display_name()} needs a value"
        case refusals.MissingArgs(missing_arguments=missing):
            return f"missing: {', '.join(one.arg.display_name() for one in missing)}"
        case refusals.MissingSubcommand(subcommand_spec=spec):
            return f"name one of {', '.join(spec.parser_from_name)}"
        case refusals.InstantiationFailure(message=message, argument=argument):
            text = message.splitlines()[0]
            return f"{argument.display_name()}: {text}" if argument else text
    return None


def _unknown(command: type[Command], token: str) -> str:
    if not token.startswith("-"):
        return f"unexpected argument {token}{did_you_mean(token, _subcommands(command))}"
    option = token.partition("=")[0]
    return f"no option {option}{did_you_mean(option.replace('_', '-'), options_of(command))}"


def _subcommands(command: type[Command]) -> list[str]:
    parts = [part for hint in get_type_hints(command).values() for part in get_args(hint)]
    return [part.__name__.lower() for part in parts if is_dataclass(part) and isinstance(part, type)]
