"""Every command that a page shows is one that its program takes, and every name in its Python exists.

What other tests run is held to the same: those look at what comes of a block, these at whether it can be meant.
"""

import argparse
import ast
import functools
import importlib
import inspect
import io
import re
import runpy
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

import pytest
import tyro

from latentloop.cli import parse
from latentloop.cli.commands import LATENTLOOP, LITE
from latentloop.cli.parsing import options_of
from latentloop.errors import UserError
from shown_code import ROOT, SHELL, Block, blocks_of, commands_of, pages, quoted_in, variables_of

PAGES = pages()
PROGRAMS = {program.name: program for program in (LATENTLOOP, LITE)}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
PLACEHOLDER = re.compile(r"[A-Z]+|\.\.\.")
"""Word in a sentence that stands for a command."""


class Taken(Exception):  # noqa: N818 - it is no error
    """A script has read its arguments, and is not to go on."""


def program_of(words: Sequence[str]) -> tuple[str, list[str]]:
    """Name of the program that a command starts, and its arguments; of `python` the module's or the script's."""
    name, *rest = words
    if name == "accelerate" and "-m" in rest:
        return rest[rest.index("-m") + 1], rest[rest.index("-m") + 2 :]
    if re.fullmatch(r"python[\d.]*", Path(name).name) and rest:
        return (rest[1], rest[2:]) if rest[0] == "-m" and rest[1:] else (rest[0], rest[1:])
    return Path(name).name, rest


def problem_of(words: Sequence[str], parse_script: Callable[[str, Sequence[str]], str]) -> str:
    """What is wrong with a command; empty if nothing is."""
    program, arguments = program_of(words)
    if program in PROGRAMS:
        return refusal(program, tuple(arguments))
    if program.startswith("scripts/"):
        return parse_script(program, arguments)
    if program == "make":
        return ", ".join(f"make has no {word}" for word in arguments if not makes(word))
    if program == "pip":
        named = [extra for word in arguments for extra in re.findall(r"\[([\w,-]+)\]", word)]
        return ", ".join(f"no extra {one}" for group in named for one in group.split(",") if one not in EXTRAS)
    return ""


@functools.cache
def refusal(program: str, arguments: tuple[str, ...]) -> str:
    """What a program of ours says against its arguments; empty if it takes them."""
    if set(arguments) & {"--help", "-h", "--version"} or not arguments:
        return ""
    try:
        parse(arguments, PROGRAMS[program])
    except UserError as error:
        return str(error)
    return ""


def makes(word: str) -> bool:
    """Tell whether `make` knows a target or a variable."""
    name, assigns, _ = word.partition("=")
    pattern = rf"^{re.escape(name)} *[?:]?=" if assigns else rf"^{re.escape(name)}:"
    return word.startswith("-") or bool(re.search(pattern, MAKEFILE, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def parse_script() -> Callable[[str, Sequence[str]], str]:
    """Runs a script up to where it has read its arguments; gives what it says against them."""

    def parse_with(name: str, arguments: Sequence[str]) -> str:
        path = ROOT / name
        if not path.is_file():
            return "there is no such script"
        if not re.search(r"tyro\.|parse_args", path.read_text(encoding="utf-8")):
            return ", ".join(f"takes no {word}" for word in arguments if word.startswith("-"))
        said = io.StringIO()
        try:
            with stopping_parsers(arguments), redirect_stdout(said), redirect_stderr(said):
                runpy.run_path(str(path), run_name="__main__")
        except Taken:
            return ""
        except SystemExit:
            return re.sub(r"\s+", " ", said.getvalue())
        return "reads no arguments"

    return parse_with


@contextmanager
def stopping_parsers(given: Sequence[str]) -> Iterator[None]:
    """Let parsers read these arguments, and stop the script behind them."""

    def stop_after(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def parsed(subject: Any, *_: object, **options: Any) -> NoReturn:  # noqa: ANN401 - whatever tyro takes
            function(unrun(subject), **options | {"args": given})
            raise Taken

        return parsed

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(ROOT / "scripts"))
        for place, name in (
            (tyro, "cli"),
            (tyro.extras, "subcommand_cli_from_dict"),
            (argparse.ArgumentParser, "parse_args"),
        ):
            monkeypatch.setattr(place, name, stop_after(getattr(place, name)))
        yield


def unrun(subject: Any) -> Any:  # noqa: ANN401 - whatever tyro takes
    """What tyro would call, with the same signature, but doing nothing."""
    if isinstance(subject, dict):
        return {name: unrun(function) for name, function in subject.items()}
    if not inspect.isfunction(subject):
        return subject
    return functools.wraps(subject)(lambda *_, **__: None)


def names_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names_of)
def test_programs_take_the_commands_of_a_page(page: Path, parse_script: Callable[[str, Sequence[str]], str]) -> None:
    variables = variables_of(page)
    blocks = [block for block in blocks_of(page) if block.language in SHELL]
    commands = [(block.place, words) for block in blocks for words in commands_of(block, variables)]
    problems = [(place, shlex.join(words), problem_of(words, parse_script)) for place, words in commands]
    assert [problem for problem in problems if problem[-1]] == []


@pytest.mark.parametrize("page", PAGES, ids=names_of)
def test_commands_within_sentences_have_the_options_that_they_name(page: Path) -> None:
    problems = []
    for text in quoted_in(page):
        program, _, rest = text.partition(" ")
        words = rest.split()
        if program == "make" and words:
            problems += [f"{text}: no target {word}" for word in shlex.split(rest) if not makes(word)]
        if program not in PROGRAMS or not words or words[0].startswith("-") or PLACEHOLDER.fullmatch(words[0]):
            continue
        problems += [f"{text}: {problem}" for problem in misnamed(program, words)]
    assert problems == []


def misnamed(program: str, words: Sequence[str]) -> list[str]:
    """The command, or the options, that a program of ours does not have."""
    known = PROGRAMS[program]
    if words[0] not in known.commands:
        return [f"no command {words[0]}"]
    two = " ".join(words[:2])
    options = {*options_of(known.load(two if two in known.parts else words[0])), "--help"}
    flags = [word.partition("=")[0] for word in words if re.match(r"--\w", word)]
    return [f"no option {flag}" for flag in flags if flag not in options]


@pytest.mark.parametrize("page", PAGES, ids=names_of)
def test_the_python_of_a_page_names_what_exists(page: Path) -> None:
    blocks = [block for block in blocks_of(page) if block.language in {"python", "py"}]
    problems = [f"{block.place}: {problem}" for block in blocks for problem in missing_names(block)]
    assert problems == []


def missing_names(block: Block) -> Iterator[str]:
    """Yield the modules, attributes and arguments of ours that a block names and that do not exist."""
    tree = ast.parse(block.text, block.place)
    known: dict[str, object] = {}
    for node in ast.walk(tree):
        try:
            known |= imported(node)
        except (ImportError, AttributeError) as error:
            yield str(error)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and value_of(node.value, known) and value_of(node, known) is None:
            yield f"no {ast.unparse(node)}"
        if isinstance(node, ast.Call) and callable(function := value_of(node.func, known)):
            yield from unknown_keywords(node, function)


def imported(node: ast.AST) -> dict[str, object]:
    """Import what a statement imports of ours, by the names that it gives."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "latentloop":
        module = importlib.import_module(node.module or "")
        return {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    if not isinstance(node, ast.Import):
        return {}
    ours = [alias for alias in node.names if alias.name.partition(".")[0] == "latentloop"]
    return {alias.asname or "latentloop": importlib.import_module(alias.name) for alias in ours}


def value_of(node: ast.expr, known: dict[str, object]) -> object:
    """The object that a dotted name leads to; None if there is none, or if it is no name of ours."""
    if isinstance(node, ast.Attribute):
        return getattr(value_of(node.value, known), node.attr, None)
    return known.get(node.id) if isinstance(node, ast.Name) else None


def unknown_keywords(call: ast.Call, function: Callable[..., object]) -> Iterator[str]:
    """Yield the arguments that a function does not have; one that takes any has all."""
    parameters = inspect.signature(function).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        names = [keyword.arg for keyword in call.keywords if keyword.arg]
        yield from (f"{ast.unparse(call.func)} has no {name}" for name in names if name not in parameters)


def test_the_pages_show_much_code() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    commands = [words for block in blocks if block.language in SHELL for words in commands_of(block, {})]
    ours = [words for words in commands if words[0].startswith("latentloop")]
    assert len(ours) > 60
    assert sum(block.language == "python" for block in blocks) > 10
    assert len({program for words in commands if (program := program_of(words)[0]).startswith("scripts/")}) > 5


@pytest.mark.parametrize(
    "command",
    [
        "latentloop embed photo.jpg --stepz 3",
        "latentloop-lite embed photo.jpg --quality best",
        "make tests",
        "make demo TORCHES=1",
        "python scripts/contact_sheet.py out sheet.jpg --sizes 3",
        "python scripts/train_burst.py --photos packed --out burst --hours 8",
        "python scripts/bulk_trials.py speed faces --counts 3",
        "python scripts/no_script.py",
        "python scripts/web_reference.py --fast",
        "OMP_NUM_THREADS=1 nice -n 19 latentloop train --date faces/",
        "accelerate launch --num_machines 2 -m latentloop train --batches 64",
        "for n in 1 2; do latentloop embed a.jpg --steps $n --out $n --forced; done",
        "cd web && latentloop generates",
        "pip install '.[tests]'",
    ],
)
def test_a_command_that_nobody_can_run_is_found(
    command: str, parse_script: Callable[[str, Sequence[str]], str]
) -> None:
    (problem,) = [
        p for words in commands_of(Block("", 1, "bash", command), {}) if (p := problem_of(words, parse_script))
    ]
    assert problem


@pytest.mark.parametrize(
    "text",
    [
        "import latentloop as ll\nll.loads()",
        "from latentloop.editing import edited",
        "import latentloop.editting",
        "import latentloop as ll\nll.load_generator('a', devices='cpu')",
    ],
)
def test_python_that_nobody_can_run_is_found(text: str) -> None:
    assert list(missing_names(Block("", 1, "python", text)))
