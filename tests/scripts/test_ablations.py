import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.options import flat_fields, with_changes
from latentloop.training import TrainOptions, read_options
from small_generators import SmallGenerator, SmallPhotos

WAYS = ("pairs", "teacher")


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("ablations")


def chosen(script: ModuleType, name: str) -> TrainOptions:
    """Options of a way, with seed 3, that are not its folder."""
    paths = {"data": ("faces",), "few": ("few",), "measured": ("dev",), "quick": Path("quick.safetensors")}
    arguments = script.Training(**paths, seed=3, out=Path("out")).training(name, script.WAYS[name])
    return with_changes(TrainOptions(), {**arguments, "out": Path("out")})


@pytest.mark.parametrize(
    ("one", "other", "differing"),
    [
        ("pairs", "single", {"identity"}),
        ("tree-adam", "dense-adam", {"head"}),
        ("dense-adam", "dense-slow", {"lr"}),
        ("cached", "uncached", {"cache"}),
        ("teacher", "cached", {"data"}),
        ("pairs", "pairs-on", {"steps", "start"}),
    ],
)
def test_the_ways_differ_in_what_they_are_about(script: ModuleType, one: str, other: str, differing: set[str]) -> None:
    first, second = (dict(named(chosen(script, name))) for name in (one, other))
    assert {name for name in first if first[name] != second[name]} == differing


def named(options: TrainOptions) -> Iterator[tuple[str, object]]:
    return ((field.name, value) for field, value in flat_fields(options))


def test_each_way_begins_with_the_network_of_one_before(script: ModuleType) -> None:
    names = list(script.WAYS)
    for i, way in enumerate(script.WAYS.values()):
        assert way.start is None or way.start in names[:i]


@pytest.mark.usefixtures("process")
def test_each_way_is_trained_and_measured_in_a_folder_of_its_own(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    small_generator: SmallGenerator,
    small_photos: SmallPhotos,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two of them, small ones; the quicker generator is the generator itself."""
    monkeypatch.setattr("latentloop.training.entry.keep_freed_memory", lambda: False)
    tiny = {"steps": 1, "batch": 2, "resolution": 32, "validation_images": 1, "head": "tree", "identity": "none"}
    ways = {name: replace(script.WAYS[name], options={**script.WAYS[name].options, **tiny}) for name in WAYS}
    monkeypatch.setattr(script, "WAYS", ways)
    generator = small_generator()
    photo, measured = (str(small_photos(generator, 1, folder) / "0.png") for folder in ("faces", "dev"))
    names = {"generator": str(generator), "drawing": str(generator), "quick": generator, "device": "cpu"}
    training = script.Training((photo,), ("few",), (measured,), seed=3, out=tmp_path / "out", **names)
    training.run()
    pairs, photos = (read_options(tmp_path / "out" / f"{name}-3") for name in WAYS)
    assert (pairs.data, photos.data) == ((), (photo,))
    assert photos.start == str(tmp_path / "out" / "pairs-3" / "last.safetensors")
    capsys.readouterr()
    script.Table(groups=("0",), out=tmp_path / "out").run()
    assert [row.split("|")[1].strip() for row in capsys.readouterr().out.splitlines()[2:]] == list(WAYS)


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
