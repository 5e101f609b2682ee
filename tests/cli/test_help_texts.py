"""Help texts of options flow over the width of the terminal, wherever their docstring's lines end."""

from dataclasses import dataclass

import pytest

from latentloop.cli.help_texts import OFF, field_texts
from latentloop.cli.parsing import parse_command


@dataclass
class Options:
    """Options of a test."""

    long: int = 0
    """First line, which
    goes on in a second,
    100 words in.

    Another paragraph."""
    switch: bool = True
    """Do it."""
    bare: int = 0


def test_lines_of_a_paragraph_are_joined_and_what_turns_off_says_so() -> None:
    texts = {
        "long": "First line, which goes on in a second, 100 words in.\n\nAnother paragraph.",
        "switch": f"{OFF}Do it.",
    }
    assert field_texts(Options) == texts


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        ("bench", "by CelebA's lists in the same folder."),
        (
            "embed",
            "2 to 3 MB at 1024 pixels), and show them in the report.",
        ),
    ],
)
def test_a_text_is_broken_only_at_the_terminals_width(
    command: str, phrase: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        parse_command(command, ["--help"])
    assert phrase in capsys.readouterr().out
