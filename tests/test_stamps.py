import json
from dataclasses import dataclass, field

import pytest

from latentloop.options import with_changes
from latentloop.stamps import differences, key_of, left_out_at, neutral, stamp_of, stamped_as


@dataclass(frozen=True)
class Inner:
    steps: int = 5
    layers: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError("steps must be 0 or more")


@dataclass(frozen=True)
class Outer:
    generator: str = stamped_as("generator_sha256", default="a.pkl")
    batch: int = neutral(1)
    precision: str = "auto"
    inner: Inner = field(default_factory=Inner)


def test_a_stamp_has_every_option_but_the_neutral_ones() -> None:
    stamp = stamp_of(Outer(), generator_sha256="f00", precision="float32")
    assert stamp == {"generator_sha256": "f00", "precision": "float32", "steps": 5, "layers": [1, 2]}
    assert json.loads(json.dumps(stamp)) == stamp


def test_an_option_that_is_newer_than_some_results_counts_unless_it_has_the_value_of_before() -> None:
    @dataclass(frozen=True)
    class Newer:
        seed: int = 0
        weight: float = left_out_at(0.0, default=0.5)

    assert stamp_of(Newer()) == {"seed": 0, "weight": 0.5}
    assert stamp_of(Newer(weight=0.0)) == {"seed": 0}


def test_what_an_option_is_stamped_as_may_not_be_forgotten() -> None:
    with pytest.raises(LookupError, match="generator_sha256"):
        stamp_of(Outer())


def test_stamps_differ_where_their_entries_do_and_nothing_is_like_none() -> None:
    assert differences({"a": 1, "b": None, "c": (1, 2)}, {"a": 2, "c": [1, 2], "d": 0}) == ["a", "d"]


def test_the_order_of_a_stamps_entries_does_not_change_its_key() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})


def test_options_are_changed_wherever_they_lie() -> None:
    changed = with_changes(Outer(), {"batch": 4, "steps": 7})
    assert changed == Outer(batch=4, inner=Inner(steps=7))
    with pytest.raises(ValueError, match="steps must be"):
        with_changes(Outer(), {"steps": -1})
    with pytest.raises(TypeError, match="no option 'step'; did you mean 'steps'"):
        with_changes(Outer(), {"step": 7})
