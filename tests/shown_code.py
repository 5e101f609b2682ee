"""Finds the code that pages show: blocks, the commands in them, and commands within sentences."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "docs/**/*.ipynb",
    "packaging/**/*.md",
    "comfyui/**/*.md",
    "src/latentloop/assets/*.md",
)
HISTORY = {"CHANGELOG.md"}
"""Pages that tell of commands as they once were."""
SHELL = {"bash", "sh", "shell", "console"}
FENCE = re.compile(r"^( *)```([\w-]*)[^\n`]*\n(.*?)^\1``` *$", flags=re.MULTILINE | re.DOTALL)
STANDS_FOR = re.compile(r"`\$(\w+)`[^`]*?stands\s+for\s+`([^`]+)`")
WRAPPERS = {"do", "then", "else", "time", "sudo", "exec"}
"""Words before a command that say nothing about it."""


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where to look for it."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """All pages with code that should be right today."""
    return sorted({path for pattern in PATTERNS for path in ROOT.glob(pattern) if path.name not in HISTORY})


def text_of(page: Path) -> str:
    """A page's text in Markdown; of a notebook without the cells that are code."""
    if page.suffix != ".ipynb":
        return page.read_text(encoding="utf-8")
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, without the indentation of lists."""
    text, name = text_of(page), page.relative_to(ROOT).as_posix()
    found = []
    for match in FENCE.finditer(text):
        body = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append(Block(name, text[: match.start()].count("\n") + 1, match[2], body))
    return found


def quoted_in(page: Path) -> list[str]:
    """The texts in backquotes outside of blocks, each in one line."""
    prose = FENCE.sub("", text_of(page))
    return [re.sub(r"\s+", " ", text) for text in re.findall(r"`([^`]+)`", prose)]


def variables_of(page: Path) -> dict[str, str]:
    """What a page says that variables of the shell stand for."""
    return {name: re.sub(r"\s+", " ", value) for name, value in STANDS_FOR.findall(text_of(page))}


def commands_of(block: Block, variables: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the simple commands of a block of shell, each as its words."""
    values, text = dict(variables), block.text.replace("\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"^\$ ", "", line.strip())
        for words in _simple(line, values):
            if words[0] == "for":
                values[words[1]] = words[3]
            elif words[0] not in {"done", "fi", "wait"}:
                yield words


def _simple(line: str, values: Mapping[str, str]) -> Iterator[list[str]]:
    """Split a line at its operators, and take away what stands before the program."""
    for name, value in values.items():
        line = re.sub(rf"\$\{{?{name}\b\}}?", lambda _, value=value: value, line)  # type: ignore[misc]
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|"):
            if bare := _without_prefix(words):
                yield bare
            words = []
        else:
            words.append(word)


def _without_prefix(words: list[str]) -> list[str]:
    """The words from the program on: without variables, `nice -n 19` and the like."""
    while words and (words[0] in WRAPPERS or re.match(r"[A-Za-z_]\w*=", words[0])):
        words = words[1:]
    return words[3:] if words[:2] == ["nice", "-n"] else words
