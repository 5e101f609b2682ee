import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions
from latentloop.training.settings_file import read_options, write_options

WRITTEN = """
{"data": ["/home/faces"], "validation": [], "validation_images": 4, "out": "old", "resume": null,
"common": {"generator": "/home/small.safetensors", "device": "cpu", "seed": 3}, "quick": null, "preset": "small",
"identity": "none", "head": "tree", "start": null, "config": {"steps": 2, "batch": 4, "synthetic": 0.5, "repeats": 1,
"mirror": false, "spoil": true, "optimizer": "muon", "lr": 0.002, "warm_up": 100, "clip": 1.0, "average": 0.999},
"collaboration": {"resolution": 256, "teacher_steps": 2, "teacher_optimizer": "muon", "teacher_lr": 0.04, "cache": true,
"good_loss": 0.0, "good_steps": 2, "start_from": "best", "image_target": "teacher", "lambda_w": 1.0, "lambda_img": 1.0,
"lambda_per": 0.8, "lambda_id": 0.0}, "loss": {"lambda_mse": 1.0, "lambda_lpips": 0.8, "lpips_net": "alex"},
"codes": null, "precision": "auto", "save_every": 2, "keep": 2}
"""
"""What release 0.1.0 wrote."""
OPTIONS = with_changes(
    TrainOptions(),
    {
        "data": ("/home/faces",),
        "validation_images": 4,
        "generator": "/home/small.safetensors",
        "device": "cpu",
        "seed": 3,
        "preset": "small",
        "identity": "none",
        "steps": 2,
        "batch": 4,
        "teacher_steps": 2,
        "save_every": 2,
    },
)


def test_the_options_of_earlier_releases_are_read_from_wherever_the_run_lies(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(WRITTEN)
    assert read_options(tmp_path) == replace(OPTIONS, out=tmp_path)


def test_the_file_has_what_earlier_releases_wrote(tmp_path: Path) -> None:
    write_options(replace(OPTIONS, out=tmp_path))
    written = json.loads((tmp_path / "config.json").read_text())
    expected = {name: value for name, value in json.loads(WRITTEN).items() if name != "resume"}
    expected["loss"] |= {"lambda_identity": 0.0, "identity_layers": "early"}  # since 0.2
    expected["collaboration"] |= {"teacher_metric": False, "code_distance": "plain", "lambda_second_look": 0.0}
    expected["config"] |= {"jitter": 0.0, "relight": 0.0, "weights": [], "spoil_on_device": False}
    expected["config"] |= {"minutes": None, "ramp_down": 1.0}
    expected |= {"photos_in": "memory", "compile": False, "which": "g_ema"}
    assert written == expected | {"out": str(tmp_path)}


def test_paths_hold_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cats.pkl").touch()
    Path("my.cache").touch()
    files = {"generator": "cats.pkl", "quick": "cats.pkl", "start": "cats.pkl", "codes": "my.cache", "data": ("a*",)}
    write_options(with_changes(TrainOptions(), {**files, "out": Path("run")}))
    monkeypatch.chdir("/")
    found = asdict(read_options(tmp_path / "run"))
    assert {found[name] for name in ("generator", "quick", "start")} == {str(tmp_path / "cats.pkl")}
    assert (found["codes"], found["data"]) == (str(tmp_path / "my.cache"), (str(tmp_path / "a*"),))


def test_names_stay_names(tmp_path: Path) -> None:
    write_options(TrainOptions(start="base-ffhq", out=tmp_path))
    assert read_options(tmp_path) == TrainOptions(start="base-ffhq", out=tmp_path)


@pytest.mark.parametrize("content", ["", "[1]", '{"steps": "many"}', '{"colour": 1}', '{"lr": -1}'])
def test_what_is_not_the_options_of_a_run_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: not the settings of a run: "):
        read_options(tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json: cannot read a run's settings: No such file"):
        read_options(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("data", 5, "data must be several of a text, got 5"),
        ("data", [5], r"data must be several of a text, got \(5,\)"),
        ("generator", 5, "generator must be a text, got 5"),
        ("codes", {"a": 1}, "no option 'a'"),
        ("preset", ["small"], "preset must be one of"),
    ],
)
def test_a_setting_of_another_type_is_named(tmp_path: Path, name: str, value: object, problem: str) -> None:
    settings = json.loads(WRITTEN)
    settings["common" if name == "generator" else name] = {"generator": value} if name == "generator" else value
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UserError, match=rf"config\.json: not the settings of a run: {problem}"):
        read_options(tmp_path)


def test_a_stranger_does_not_say_where_codes_are_written(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere" / "codes.cache"
    write_options(replace(OPTIONS, out=run, codes=str(elsewhere)))
    with pytest.raises(UserError, match=r"config\.json: its codes are in .*, which does not exist; name") as caught:
        read_options(run)
    assert caught.value.arguments == ("codes",)
    assert read_options(run, codes="mine.cache").codes == "mine.cache"
    write_options(replace(OPTIONS, out=run, codes=str(run / ".." / "codes.cache")))
    with pytest.raises(UserError, match="which does not exist"):
        read_options(run)
    write_options(replace(OPTIONS, out=run, codes=str(elsewhere)))
    elsewhere.parent.mkdir()
    elsewhere.touch()
    assert read_options(run).codes == str(elsewhere)
    write_options(replace(OPTIONS, out=run, codes=str(run / "codes.cache")))
    assert read_options(run).codes == str(run / "codes.cache")


@pytest.mark.parametrize("named", [True, False])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, named: bool) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere.cache"
    write_options(replace(OPTIONS, out=run, codes=str(run / "codes.cache") if named else None))
    (run / "codes.cache").symlink_to(elsewhere)
    for there in (False, True):
        if there:
            elsewhere.touch()
        with pytest.raises(UserError, match=r"codes\.cache: leads to .*elsewhere\.cache, out of") as caught:
            read_options(run)
        assert caught.value.arguments == ("codes",)
    assert read_options(run, codes=str(elsewhere)).codes == str(elsewhere)
    (run / "codes.cache").unlink()
    (run / "codes.cache").symlink_to("codes.cache")
    read_options(run)  # in a circle, which nothing can be written through
