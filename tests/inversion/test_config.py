from dataclasses import replace

import pytest

from latentloop.inversion import IteratorConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -1}, "steps must be 0 or more, got -1"),
        ({"lr": 0.0}, "lr must be above 0 and at most 100, got 0.0"),
        ({"lr": float("nan")}, "lr must be above 0 and at most 100, got nan"),
        ({"lr": float("inf")}, "lr must be above 0 and at most 100, got inf"),
        ({"ramp_up": 1.5}, "ramp_up and ramp_down must be from 0 to 1, got 1.5"),
        ({"patience": -2}, "patience must be 0 or more, got -2"),
        ({"optimizer": "sgd"}, "optimizer must be one of muon, adam, got sgd"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IteratorConfig(**settings)  # type: ignore[arg-type]


def test_long_runs_of_muon_take_smaller_steps() -> None:
    assert [IteratorConfig(steps=n, lr=0.1).largest_step for n in (0, 50, 100, 400)] == [0.1, 0.1, 0.1, 0.05]
    assert IteratorConfig(steps=400, lr=0.1, optimizer="adam").largest_step == 0.1
    assert IteratorConfig(steps=400, lr=0.1, space="w").largest_step == 0.1


def test_polishing_takes_steps_that_fall_to_0() -> None:
    config = IteratorConfig(steps=30, optimizer="adam", lr=0.2, ramp_up=0.1, ramp_down=0.5, space="w", patience=4)
    assert config.polish(7) == replace(config, steps=7, ramp_up=0.0, ramp_down=1.0)
