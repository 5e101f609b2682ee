import importlib
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from latentloop.cli import parse
from latentloop.cli.commands import COMMANDS, PARTS, load_command
from latentloop.cli.complaints import offered, with_options
from latentloop.cli.edit import Edit
from latentloop.cli.parsing import options_of
from latentloop.errors import UserError

Run = Callable[..., tuple[int, list[str], list[str]]]


def modules_after(*arguments: str) -> set[str]:
    """What a program has imported that runs a command and fails or not."""
    script = f"import sys; from latentloop.cli import main; main({list(arguments)}); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


ALL = COMMANDS | PARTS


@pytest.mark.parametrize("name", ALL)
def test_a_commands_line_is_how_its_docstring_begins(name: str) -> None:
    command = load_command(name)
    assert (command.__doc__ or "").startswith(ALL[name].line)
    assert command.__name__.lower() == name.split()[-1]
    assert callable(command.run)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands_on_one_screen(run: Run, option: str) -> None:
    code, lines, errors = run(option)
    assert (code, errors) == (0, [])
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)
    assert "latentloop edit photo.jpg --set smile=1" in lines[1]


@pytest.mark.parametrize("name", ALL)
def test_options_of_a_job_are_listed_among_its_commands_own(run: Run, name: str) -> None:
    text = "\n".join(run(*name.split(), "--help")[1])
    assert " options " in text
    assert not re.search(r"options options|options\.\w+ options", text)


@pytest.mark.parametrize("name", ALL)
def test_the_help_shows_no_value_of_python_for_what_is_unset(run: Run, name: str) -> None:
    text = "\n".join(run(*name.split(), "--help")[1])
    assert not re.search(r"\{None\}|default: None", text)
    assert name != "embed" or "--steps unset|INT" in text


@pytest.mark.parametrize("name", ALL)
def test_the_help_shows_a_default_of_nothing_as_none(run: Run, name: str) -> None:
    text = " ".join(" ".join(run(*name.split(), "--help")[1]).replace("│", " ").split())
    assert "(default: )" not in text
    assert "(default: '')" not in text
    assert name != "edit" or "are made orthogonal to them. (default: none)" in text
    assert name not in ("edit", "embed") or re.search(r"quoted globs[^(]*\(required\)", text)


def test_an_option_of_several_texts_has_none_by_default() -> None:
    edit = parse(["edit", "a.jpg", "b.jpg", "--set", "smile=1"])
    assert isinstance(edit, Edit)
    assert (edit.pictures, edit.options.keep) == (("a.jpg", "b.jpg"), ())


@pytest.mark.parametrize("unset", ["unset", "None"])
def test_an_option_can_be_named_unset(unset: str) -> None:
    assert parse(["embed", "a.jpg", "--steps", unset]) == parse(["embed", "a.jpg"])


def flags(lines: list[str]) -> set[str]:
    """Options that a help screen lists."""
    return {flag for line in lines for flag in re.findall(r"  (--[a-z][a-z0-9-]*)", line)}


@pytest.mark.parametrize("name", ALL)
def test_the_options_that_errors_may_name_are_those_of_the_help(run: Run, name: str) -> None:
    subcommands = {"directions": [("list",), ("find",), ("samples",)], "cache": [("show",), ("export",)]}
    screens = [run(*name.split(), *chosen, "--help")[1] for chosen in subcommands.get(name, [()])]
    assert set(options_of(load_command(name))) == set[str]().union(*map(flags, screens))


@pytest.mark.parametrize(
    ("arguments", "named", "told"),
    [
        (["edit", "x", "--set", "smile=1"], ["lr", "start"], "; see --lr"),
        (["embed", "x"], ["lr", "start"], "; see --lr, --start"),
        (["bench"], ["max_pixels"], ""),
        (["edit", "x", "--set", "smile=1"], ["batch"], ""),
        (["train"], ["cache"], "; see --no-cache"),
        (["directions", "find"], ["samples", "sheet"], "; see --samples, --sheet"),
        (["directions", "samples"], ["samples", "sheet"], ""),
    ],
)
def test_an_error_names_only_options_that_its_command_has(arguments: list[str], named: list[str], told: str) -> None:
    before = offered.get()
    try:
        parse(arguments)
        assert with_options(UserError("wrong", arguments=named)) == f"wrong{told}"
    finally:
        offered.set(before)


def test_the_help_of_a_command_names_its_parts() -> None:
    for name in PARTS:
        assert f"latentloop {name} --help" in " ".join((load_command(name.split()[0]).__doc__ or "").split())


def test_no_command_shows_the_same_screen_and_fails(run: Run) -> None:
    assert run() == (2, [], run("--help")[1])


def test_the_list_of_commands_needs_no_package_and_no_command() -> None:
    imported = modules_after("--help")
    assert not imported & {"torch", "numpy", "tyro", "rich", "PIL"}
    assert not imported & {f"latentloop.cli.{entry.place.partition(':')[0]}" for entry in COMMANDS.values()}


def test_a_command_imports_no_other_one() -> None:
    imported = modules_after("fetch", "vgg17")
    assert "latentloop.cli.fetch" in imported
    assert not imported & {"torch", "numpy", "latentloop.cli.embed", "latentloop.cli.train"}
    imported = modules_after("bench", "editability", "nowhere.png")
    assert "latentloop.cli.editability" in imported
    assert not imported & {"torch", "numpy", "latentloop.cli.bench"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["embd", "x.jpg"], "no command embd; did you mean embed? see latentloop --help"),
        (["--versoin"], "no option --versoin; did you mean --version? see latentloop --help"),
        (["photo.jpg"], "no command photo.jpg; see latentloop --help"),
        (["embed", "x", "--stepps", "3"], "no option --stepps; did you mean --steps? see latentloop embed --help"),
        (["embed", "x", "--stepps=3"], "no option --stepps; did you mean --steps? see latentloop embed --help"),
        (["embed", "x", "--lambda_mes", "3"], "no option --lambda_mes; did you mean --lambda-mse? see latentloop "),
        (["train", "--cache", "False"], "no option --cache; did you mean --no-cache? see latentloop train --help"),
        (["train", "--no-cach"], "no option --no-cach; did you mean --no-cache? see latentloop train --help"),
        (
            ["bench", "editability", "x", "--stepz", "1"],
            "no option --stepz; did you mean --steps? see latentloop bench ",
        ),
        (["embed", "x", "--zzz"], "no option --zzz; see latentloop embed --help"),
        (["embed", "x", "--method", "hybird"], "--method hybird: no such choice; did you mean hybrid? see latentloop "),
        (["embed", "x", "--space", "z"], "--space z: no such choice; there are w, w+; see latentloop embed --help"),
        (["embed", "x", "--start"], "--start needs a value; see latentloop embed --help"),
        (["cache", "shwo", "x"], "shwo: no such choice; did you mean show? see latentloop cache --help"),
        (["inspect"], "missing: generator; see latentloop inspect --help"),
        (["directions"], "name one of list, find, samples; see latentloop directions --help"),
        (["directions", "fnd"], "unexpected argument fnd; did you mean find? see latentloop directions --help"),
        (["directions", "find", "--methd", "x"], "no option --methd; did you mean --method? see latentloop directions"),
        (["generate", "x"], "unexpected argument x; see latentloop generate --help"),
        (["generate", "--count", "x"], "--count: invalid literal for int() with base 10: 'x'; see latentloop generate"),
    ],
)
def test_what_is_mistyped_is_told_with_what_was_meant(run: Run, arguments: list[str], told: str) -> None:
    code, lines, (error,) = run(*arguments)
    assert (code, lines) == (2, [])
    assert error.startswith(f"latentloop: {told}")


def test_what_a_later_tyro_refuses_is_told_by_tyro(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("latentloop.cli.parsing"), "_problem", lambda *_: None)
    code, lines, errors = run("generate", "--count", "x")
    assert (code, lines) == (2, [])
    assert "invalid literal for int()" in "\n".join(errors)
