import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.cli import parse
from latentloop.cli.embed import Embed
from latentloop.cli.train import Train


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("ablations")


@pytest.fixture
def commands(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Train | Embed]:
    """What a run with seed 3 asks for."""
    asked: list[Sequence[str]] = []

    def main(arguments: Sequence[str]) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(script, "main", main)
    paths = {"data": ("faces",), "few": ("few",), "measured": ("dev",), "quick": Path("quick.safetensors")}
    assert script.Training(**paths, seed=3, out=tmp_path).run() == 0
    parsed = [parse(arguments) for arguments in asked]
    return [command for command in parsed if isinstance(command, Train | Embed)]


def test_each_way_is_trained_and_measured_in_a_folder_of_its_own(
    script: ModuleType, commands: list[Train | Embed], tmp_path: Path
) -> None:
    assert len(commands) == 2 * len(script.WAYS)
    made: set[str] = set()
    for name, train, embed in zip(script.WAYS, commands[::2], commands[1::2], strict=True):
        assert isinstance(train, Train)
        assert isinstance(embed, Embed)
        assert train.out == tmp_path / f"{name}-3"
        assert train.common.seed == 3
        assert train.start is None or train.start in made
        assert embed.embedder == str(train.out / "last.safetensors")
        assert (embed.out, embed.photos) == (train.out / "measured", ("dev",))
        assert train.validation == embed.photos
        made.add(embed.embedder)


def test_the_ways_differ_in_what_they_are_about(script: ModuleType, commands: list[Train | Embed]) -> None:
    ways = dict(zip(script.WAYS, commands[::2], strict=True))
    names = ("pairs", "single", "tree-adam", "dense-adam", "dense-slow", "cached", "uncached")
    pairs, single, tree, dense, slow, cached, uncached = (ways[name] for name in names)
    for one, other, differing in [
        (pairs, single, {"identity"}),
        (tree, dense, {"head"}),
        (dense, slow, {"config"}),
        (cached, uncached, {"collaboration"}),
    ]:
        fields = vars(one).keys() - {"out"}
        assert {name for name in fields if getattr(one, name) != getattr(other, name)} == differing


def test_what_is_stopped_or_fails_ends_the_run(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([0, 0, 130])
    monkeypatch.setattr(script, "main", lambda _: next(answers))
    assert script.Training(("faces",), ("few",), ("dev",), Path("quick")).run() == 130


def test_the_table_has_means_by_part(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, lpips in ((1, 0.25), (2, 0.5)):
        photos = [
            {"name": name, "metrics": {"lpips_alex": lpips * share, "mse": 0.1 * share, "id": 0.4}}
            for name, share in (("gen-1", 1), ("celeba-1", 1), ("celeba-2", 3))
        ]
        (tmp_path / f"pairs-{seed}" / "measured").mkdir(parents=True)
        (tmp_path / f"pairs-{seed}" / "measured" / "results.json").write_text(json.dumps({"photos": photos}))
        (tmp_path / f"pairs-{seed}" / "log.jsonl").write_text('{"seconds": 1.5}\n{"seconds": 2.5}\n')
    (tmp_path / "pairs-on-1").mkdir()  # not measured yet
    script.Table(out=tmp_path).run()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows == [
        "| pairs | 1 | 4 | 0.250 | - | 0.500 | 0.417 | 0.1667 | 0.400 |",
        "| pairs | 2 | 4 | 0.500 | - | 1.000 | 0.833 | 0.1667 | 0.400 |",
    ]
