"""What docs/hub.md shows is run, against a stand-in of the Hub."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import latentloop as ll
from hub_stand_in import StandIn
from latentloop.cli import main
from latentloop.encoders import PRESETS, make_embedder, save_embedder
from latentloop.hub import SYNTAX
from small_generators import SmallGenerator

PAGE = (Path(__file__).parents[1] / "docs" / "hub.md").read_text(encoding="utf-8")
OTHERS = ("pip", "hf")
"""Programs of others in the examples."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def here(
    stand_in: StandIn, small_generator: SmallGenerator, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of somebody who tries the examples, and the repositories that they name."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(portrait, "photo.jpg")
    path = small_generator(name="generator")
    config = replace(PRESETS["small"], resolution=32, identity="none")
    save_embedder(tmp_path / "run" / "best.safetensors", make_embedder(config, ll.load_generator(path), seed=0))
    find = "directions find --generator generator.safetensors --method sefa --count 2 --out directions.safetensors"
    assert main(find.split()) == 0
    commit = stand_in.add(
        "anna/cats", {"generator.safetensors": path, "best.safetensors": tmp_path / "run/best.safetensors"}
    )
    stand_in.repos["anna/cats"].tags["v1"] = commit
    stand_in.add("anna/cat-directions", {"directions.safetensors": tmp_path / "directions.safetensors"})
    return tmp_path


@pytest.mark.usefixtures("logged_in")
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_the_examples_run(here: Path, stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [shlex.split(line) for block in blocks("bash") for line in block.splitlines()]
    ours = [words for words in commands if words[0] not in OTHERS]
    assert len(ours) == 6
    for program, *arguments in ours:
        assert program == "latentloop"
        assert main(arguments) == 0, (arguments, capsys.readouterr().err)
    assert (here / "embedded" / "photo.png").is_file()
    assert (here / "cats-v1.safetensors").is_file()
    assert set(stand_in.repos["anna/cat-network"].files) == {"cat-network.safetensors", "README.md"}
    use, publish = blocks("python")
    capsys.readouterr()
    exec(use, {})  # noqa: S102 - the page's own examples
    exec(publish, {})  # noqa: S102
    source, address = capsys.readouterr().out.splitlines()
    assert source == f"hf://anna/cats/generator.safetensors@{stand_in.repos['anna/cats'].head}"
    assert address == f"hf://anna/my-cats/generator.safetensors@{stand_in.repos['anna/my-cats'].head}"


def test_the_page_says_what_an_address_is() -> None:
    assert f"`{SYNTAX}`" in PAGE
