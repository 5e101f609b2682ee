import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.benchmark import generator_speed
from latentloop.benchmark.generator_speed import GeneratorBench, iterator_times
from latentloop.benchmark.speed import Speed
from latentloop.generators import DrawnBy, Generator, MobileStyleGAN
from latentloop.generators.mobilestylegan import Shape
from latentloop.latents import mean_code
from latentloop.losses import pixel_loss, toward


def tiny() -> MobileStyleGAN:
    shape = Shape(w_dim=8, num_ws=6, channels=(16, 16, 8))
    return MobileStyleGAN(shape, name="tiny", fingerprint="").requires_grad_(False)


def slow(seconds: float) -> Generator:
    """A generator that takes so long for each call."""
    generator = tiny()

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        time.sleep(seconds)
        image: Tensor = generator.synthesis(w_plus, resolution=resolution)
        return image

    return DrawnBy(generator, draw)


def rows(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]


@pytest.mark.parametrize("also_compiled", [False, True])
def test_every_generator_batch_and_pass_has_its_row(monkeypatch: pytest.MonkeyPatch, also_compiled: bool) -> None:
    monkeypatch.setattr(torch, "compile", lambda draw, **_: draw)
    lines = list(GeneratorBench([tiny()], Speed(1.0, 1e9), (1, 2), runs=1, also_compiled=also_compiled).table())
    hows = ["eager", "compiled"] if also_compiled else ["eager"]
    expected = itertools.product(["tiny"], ["32"], ["1", "2"], ["forward", "forward and backward"], hows)
    found = [[row[0], row[1], row[2], row[4], row[3]] for row in rows(lines)]
    assert found == [list(row) for row in expected]
    assert lines[0].endswith("1000 ms, 1 GFLOP/s.")


def test_other_engines_draw_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def once(work: Callable[[], Any], **_: object) -> float:
        drawn.append(work())
        return 0.5

    monkeypatch.setattr(generator_speed, "median_time", once)
    generator, speed = tiny(), Speed(1.0, 1e9)
    table = GeneratorBench([generator], speed, (2,), runs=1, also_compiled=False, engines=("onnx", "openvino")).table()
    hows = [("eager", "forward"), ("onnx", "forward"), ("openvino", "forward"), ("eager", "forward and backward")]
    assert [(row[3], row[4]) for row in rows(list(table))] == hows
    wanted = generator.synthesis(mean_code(generator, 2))
    for image in (drawn[1][0], drawn[2]["image"]):
        torch.testing.assert_close(torch.from_numpy(image.copy()), wanted)


def test_figures_are_an_images_and_stand_beside_the_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_speed, "median_time", lambda *_, **__: 0.5)
    monkeypatch.setattr(generator_speed, "count_flop", lambda _: 4e9)
    table = GeneratorBench([tiny()], Speed(0.1, 2e9), (2,), runs=1, also_compiled=False).table()
    # Two images in half a second, 2e9 operations each: 8 of the convolution's 20 GFLOP/s.
    assert [row[5:] for row in rows(list(table))] == [["250", "8", "40%", "2.50"]] * 2


def test_a_step_is_split_in_the_generator_and_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 9.0, 9.5, 10.0, 10.5, 11.0, 11.5])
    monkeypatch.setattr(generator_speed, "perf_counter", ticks.__next__)
    monkeypatch.setattr(generator_speed, "median_time", lambda *_, **__: 0.4)
    step, rest = iterator_times(tiny(), toward(pixel_loss), runs=3)
    assert step == 0.5
    assert rest == pytest.approx(0.2)


def test_what_a_generator_takes_is_measured() -> None:
    # A busy machine may take longer, never less.
    table = GeneratorBench([slow(0.1)], Speed(0.01, 1e6), (1, 4), runs=1, also_compiled=False).table()
    milliseconds = [float(row[5]) for row in rows(list(table))]
    assert [lowest <= ms for lowest, ms in zip([100, 100, 25, 25], milliseconds, strict=True)] == [True] * 4
    assert milliseconds[2] < milliseconds[0]
    step, rest = iterator_times(slow(0.1), toward(pixel_loss), runs=2)
    assert step >= 0.1
    assert rest < 0.5
