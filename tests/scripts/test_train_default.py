from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.cli import parse
from latentloop.cli.train import Train


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("train_default")


@pytest.mark.parametrize("stops", [0, 1, 2, 3, 4])
def test_each_stage_is_a_command_that_begins_with_the_one_before(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stops: int
) -> None:
    """And after one that was stopped comes none."""
    commands: list[Sequence[str]] = []

    def main(arguments: Sequence[str]) -> int:
        commands.append(arguments)
        return 130 if len(commands) == stops else 0

    monkeypatch.setattr(script, "main", main)
    code = script.Recipe(data=("faces",), validation=("held-out",), out=tmp_path).run()
    assert code == (130 if stops else 0)
    assert len(commands) == (stops or 4)
    stages = [command for command in map(parse, commands) if isinstance(command, Train)]
    for before, after in pairwise(stages):
        assert after.start == str(before.out / "last.safetensors")
    for stage in stages:  # what is compared coarsely is drawn by the quick generator
        quick = str(tmp_path / "mobile-128" / "mobile-128.safetensors")
        assert stage.quick == (None if stage.out.name == "fine" else quick)
        assert stage.collaboration.resolution == (256 if stage.out.name == "fine" else 128)
