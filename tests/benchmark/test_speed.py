import time

import pytest
import torch
from torch import nn

from latentloop.benchmark.speed import Speed, count_flop, drawing, drawing_with_gradient, median_time, reference_speed
from latentloop.generators import Generator


def clock(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Make each run take so long."""
    ticks = [0.0]
    for taken in seconds:
        ticks += [ticks[-1] + taken] * 2
    monkeypatch.setattr(time, "perf_counter", iter(ticks).__next__)


def test_the_first_run_and_one_odd_run_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 9.0, 0.25, 7.0, 0.25)
    assert median_time(lambda: None, runs=3) == 0.25


def test_the_median_is_of_an_even_number_of_runs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, 9.0, 1.0, 3.0)
    assert median_time(lambda: None, runs=2) == 2.0


def test_operations_are_two_for_each_multiplication() -> None:
    conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    assert count_flop(lambda: (conv(torch.zeros(1, 3, 8, 8)), None)[1]) == 2 * 8 * 8 * 5 * 3 * 9


def test_the_reference_is_a_large_convolution() -> None:
    speed = reference_speed(torch.device("cpu"), runs=1)
    assert speed.flop == 2 * 128 * 128 * 256 * 256 * 9
    assert speed.rate == speed.flop / speed.seconds


def test_the_reference_can_be_of_another_type() -> None:
    assert reference_speed(torch.device("meta"), torch.bfloat16, runs=1).flop == 2 * 128 * 128 * 256 * 256 * 9


def test_a_rate_is_operations_a_second() -> None:
    assert Speed(seconds=0.5, flop=10.0).rate == 20.0


def test_a_gradient_costs_more_operations_than_the_image(float_toy: Generator) -> None:
    forward = count_flop(drawing(float_toy, batch=2, resolution=32))
    assert forward == 2 * 2 * 32 * 192
    assert count_flop(drawing_with_gradient(float_toy, batch=2, resolution=32)) == 2 * forward
