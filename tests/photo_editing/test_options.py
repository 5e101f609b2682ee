import sys
from pathlib import Path
from subprocess import run

import pytest
import torch

from conftest import ToyGenerator
from latentloop.generators import Generator
from latentloop.photo_editing.direction_options import DirectionOptions, Method
from latentloop.photo_editing.editor import make_editor
from latentloop.photo_editing.options import EditOptions, RenderOptions, parse_strengths


def test_options_are_read_without_pytorch() -> None:
    code = "import sys, latentloop.photo_editing.options; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


def test_strengths_of_one_direction_add_up() -> None:
    assert parse_strengths(["smile=1.5", "age=-1", "smile=0.25", "a=b:c=1e1"]) == {
        "smile": 1.75,
        "age": -1,
        "a=b:c": 10,
    }


@pytest.mark.parametrize("text", ["smile", "smile=", "smile=much", "smile=nan", "smile=inf", "=1"])
def test_strengths_are_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=f"set takes NAME=NUMBER, such as smile=1.5, got {text}"):
        parse_strengths([text])


def test_what_cannot_be_smoothed_is_refused() -> None:
    with pytest.raises(ValueError, match="smooth must be from 0 to 1000"):
        EditOptions(smooth=-1.0)


@pytest.mark.parametrize(
    ("method", "samples", "attribute"),
    [("sefa", Path("faces"), None), ("ganspace", 100, "smile"), ("interfacegan", 100, "smile"), ("sefa", 1, None)],
)
def test_options_of_a_search_fit_together(method: Method, samples: int | Path, attribute: str | None) -> None:
    with pytest.raises(ValueError, match=r"interfacegan takes a folder of samples|samples 2 or more"):
        DirectionOptions(method, samples=samples, attribute=attribute)


def test_an_editor_is_what_the_options_say(float_toy: ToyGenerator) -> None:
    asked: list[int | None] = []

    def load(resolution: int | None) -> Generator:
        asked.append(resolution)
        return float_toy

    editor = make_editor(RenderOptions(), load)
    assert (editor.only_changed, editor.mask.shape, editor.blend) == (True, "face", "feather")
    editor = make_editor(RenderOptions(render=32, mask="square"), load)
    assert (editor.only_changed, editor.mask.shape) == (False, "square")
    assert not make_editor(RenderOptions(mask="face"), load).only_changed
    assert asked == [None, 32, None]
    assert editor.faces(torch.zeros(1, 4, 8))[0].shape == (1, 3, 32, 32)


def test_a_missing_library_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_resolution: int | None) -> Generator:
        raise AssertionError("loaded")

    def missing() -> None:
        raise ImportError("no OpenCV")

    monkeypatch.setattr("latentloop.photo_editing.editor.opencv", missing)
    with pytest.raises(ImportError, match="no OpenCV"):
        make_editor(RenderOptions(blend="poisson"), load)
