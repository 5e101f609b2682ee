"""Reference of the command line: a page for each command, made from what it prints for `--help`."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from unittest.mock import patch

from latentloop.cli import main
from latentloop.cli.commands import LATENTLOOP, LITE, Program

PROGRAMS = (LATENTLOOP, LITE)
COLUMNS = "120"
"""Width of the help: from about 130 on, tyro sets short groups of options side by side."""
SUBCOMMANDS = re.compile(r"^ +• (\w+)", flags=re.MULTILINE)
EXAMPLE = re.compile(r"(?P<aim>[^:]+): (?P<command>latentloop(?:-lite)? [^,;]+)")
ITEM = re.compile(r"[\w-]+: ")
"""Begin of a line that says what one of an option's values means."""


def command_pages() -> Iterator[tuple[str, str]]:
    """Yield the commands of both programs, each with its page in Markdown."""
    for program in PROGRAMS:
        for command in [*program.commands, *program.parts]:
            text = help_text(program, command)
            yield f"{program.name} {command}", command_page(f"{program.name} {command}", text)
            _, _, box = text.partition("─ subcommands ─")
            for part in SUBCOMMANDS.findall(box.replace("│", "")):
                name = f"{program.name} {command} {part}"
                yield name, command_page(name, help_text(program, f"{command} {part}"))


def command_table() -> str:
    """Write the list of commands, with links to their pages."""
    lines = ["## Commands", "", "| command | what |", "|---|---|"]
    for program in PROGRAMS:
        for command, entry in [*program.commands.items(), *program.parts.items()]:
            name = f"{program.name} {command}"
            lines.append(f"| [`{name}`]({file_name(name)}) | {entry.line} |")
    return "\n".join([*lines, ""])


def help_text(program: Program, command: str) -> str:
    """Return what a command prints for `--help`."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # its encoding lets tyro draw its boxes
    with patch.dict(os.environ, {"COLUMNS": COLUMNS, "NO_COLOR": "1"}), redirect_stdout(printed):
        main([*command.split(), "--help"], program)
    printed.seek(0)
    return printed.read()


def command_page(name: str, text: str) -> str:
    """Turn the help of a command into a page: usage, description, and the options by group."""
    usage, _, rest = text.partition("\n\n")
    usage = " ".join(usage.removeprefix("usage: ").split())
    about, *boxes = re.split(r"^╭─+ ", rest, flags=re.MULTILINE)
    lines = [f"# {name}", "", "```text", usage, "```", "", *_about(about)]
    for box in boxes:
        title, *rows = [line.strip("│╮╯╰─").rstrip() for line in box.splitlines()]
        if title.startswith("subcommands"):
            parts = SUBCOMMANDS.findall("\n".join(rows))
            lines += [
                "",
                "## Subcommands",
                "",
                *(f"- [{name} {part}]({file_name(f'{name} {part}')})" for part in parts),
            ]
        elif any(rows):
            lines += ["", f"## {title.strip().capitalize()}", "", *_group(rows)]
    return "\n".join(lines).rstrip() + "\n"


def file_name(command: str) -> str:
    """Name the file of a command's page."""
    return command.replace(" ", "-") + ".md"


def _about(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        line = " ".join(paragraph.split())
        if example := EXAMPLE.fullmatch(line):
            yield from (f"{_escaped(example['aim'])}:", "", "```bash", example["command"], "```", "")
        else:
            yield from (_escaped(line), "")


def _group(rows: list[str]) -> Iterator[str]:
    """Write a box of the help: what the group is, and a definition for each option."""
    rule = next((i for i, row in enumerate(rows) if row and not row.strip("─ ")), None)
    if rule is not None:  # below the description of the group
        yield from (_escaped(" ".join(row.strip() for row in rows[:rule])), "")
        rows = rows[rule + 1 :]
    for name, texts in _options(rows):
        yield f"`{name}`"
        lines = [f"{'  ' if i else ''}{_escaped(text)}" for i, text in enumerate(_joined(texts))]
        yield from (":   " + "\n\n  ".join(lines), "")


def _options(rows: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each option, with its arguments, and the lines of its text."""
    column = next(match.start(1) for row in rows if (match := re.match(r" (?:\S.*?)? {2,}(\S)", row)))
    name, texts = "", list[str]()
    for row in rows:
        if row[1:2].strip():
            if name:
                yield name, texts
            name, texts = row[:column].strip() if row[column - 2 : column] == "  " else row.strip(), []
            texts = [row[column:]] if name != row.strip() else []
        elif row:
            texts.append(row[column:].strip())
    yield name, texts


def _joined(lines: list[str]) -> list[str]:
    """Join the lines of a text but for those that begin an item."""
    joined = lines[:1]
    for line in lines[1:]:
        if ITEM.match(line) and joined[-1].endswith((".", ";")):
            joined.append(line)
        else:
            joined[-1] += f" {line}"
    return joined


def _escaped(text: str) -> str:
    return re.sub(r"([\\<>*_`#\[\]|])", r"\\\1", text)
