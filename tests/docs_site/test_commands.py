"""The reference of the command line says what `--help` says."""

import re

import pytest

from docs_site.commands import PROGRAMS, command_page, command_pages, command_table, file_name
from latentloop.cli.parsing import options_of

HELP = """usage: prog do [-h] [OPTIONS] FILE

Do a thing, whole.

Two: latentloop do a b --c

╭─ positional arguments ──────────────╮
│ FILE     What to do. (required)     │
╰─────────────────────────────────────╯
╭─ other options ─────────────────────╮
│ What the group                      │
│ is.                                 │
│ ─────────────────────────────────── │
│ --long-name STR                     │
│          How: one of two.           │
│          a_b: first, and            │
│          longest.                   │
│          c: second. (default: a_b)  │
│ --on     Switch. (default: False)   │
╰─────────────────────────────────────╯
"""


def test_a_page_has_usage_examples_and_options_by_group() -> None:
    page = re.sub(r"\n\n+", "\n", command_page("prog do", HELP))
    assert page == (
        "# prog do\n```text\nprog do [-h] [OPTIONS] FILE\n```\nDo a thing, whole.\nTwo:\n"
        "```bash\nlatentloop do a b --c\n```\n"
        "## Positional arguments\n`FILE`\n:   What to do. (required)\n"
        "## Other options\nWhat the group is.\n"
        "`--long-name STR`\n:   How: one of two.\n    a\\_b: first, and longest.\n    c: second. (default: a\\_b)\n"
        "`--on`\n:   Switch. (default: False)\n"
    )


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return dict(command_pages())


def test_every_command_has_a_page(pages: dict[str, str]) -> None:
    for program in PROGRAMS:
        assert {f"{program.name} {command}" for command in [*program.commands, *program.parts]} <= set(pages)
    assert {"latentloop directions list", "latentloop directions find", "latentloop directions samples"} <= set(pages)


def test_the_table_links_to_every_command(pages: dict[str, str]) -> None:
    links = set(re.findall(r"\((\S+\.md)\)", command_table()))
    assert links == {file_name(name) for name in pages if " directions " not in name}


def test_every_option_is_on_the_page_of_its_command(pages: dict[str, str]) -> None:
    for program in PROGRAMS:
        for command in [*program.commands, *program.parts]:
            name = f"{program.name} {command}"
            text = "\n".join(page for other, page in pages.items() if other == name or other.startswith(f"{name} "))
            options = list(options_of(program.load(command)))
            assert [option for option in options if not re.search(rf"^`{option}[` ]", text, flags=re.MULTILINE)] == []


def test_no_page_has_remains_of_the_boxes(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert not set(page) & set("│─╭╮╰╯•")
