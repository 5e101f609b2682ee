"""Changing options by name: what a field takes, and what it refuses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from latentloop.benchmark.options import ComparisonOptions
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions


@dataclass(frozen=True)
class Inner:
    steps: int = 5
    lr: float | None = None


@dataclass(frozen=True)
class Outer:
    names: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    sizes: tuple[int, ...] = (1,)
    render: Literal["largest"] | int = "largest"
    any_of: str | tuple[str, ...] = ""
    sheet: bool = False
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("names", "one", ("one",)),
        ("names", Path("one"), ("one",)),
        ("names", ("one", "two"), ("one", "two")),
        ("folders", "one", (Path("one"),)),
        ("any_of", "one", "one"),
        ("render", 64, 64),
        ("sheet", True, True),
        ("steps", 3, 3),
        ("steps", np.int64(3), 3),
        ("lr", 1, 1.0),
        ("lr", np.float32(0.5), 0.5),
        ("lr", None, None),
        ("names", ["one", Path("two")], ("one", "two")),
        ("folders", ["one", Path("two")], (Path("one"), Path("two"))),
        ("sizes", [np.int64(3)], (3,)),
        ("render", "largest", "largest"),
    ],
)
def test_a_value_is_taken_in_the_type_of_its_option(name: str, given: object, taken: object) -> None:
    changed = with_changes(Outer(), {name: given})
    value = getattr(changed if hasattr(changed, name) else changed.inner, name)
    assert value == taken
    assert type(value) is type(taken)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": "3"}, "steps must be an int, got '3'"),
        ({"steps": 3.5}, "steps must be an int, got 3.5"),
        ({"steps": True}, "steps must be an int, got True"),
        ({"steps": None}, "steps must be an int, got None"),
        ({"lr": "0.1"}, "lr must be a float or None, got '0.1'"),
        ({"sheet": 1}, "sheet must be a bool, got 1"),
        ({"sheet": "no"}, "sheet must be a bool, got 'no'"),
        ({"names": 5}, "names must be several of a text, got 5"),
        ({"names": ["a", 5]}, "names must be several of a text, got ['a', 5]"),
        ({"folders": [None]}, "folders must be several of a path, got [None]"),
        ({"any_of": 5}, "any_of must be a text or several of a text, got 5"),
        ({"render": 1.5}, "render must be one of largest or an int, got 1.5"),
        ({"sizes": [True]}, "sizes must be several of an int, got [True]"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_options_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as raised:
        with_changes(Outer(), changes)
    assert str(raised.value) == message


def test_the_options_of_jobs_take_a_single_name() -> None:
    assert with_changes(ComparisonOptions(), {"methods": "one-pass"}).methods == ("one-pass",)
    assert with_changes(TrainOptions(), {"data": "faces"}).data == ("faces",)
