import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.generators import Generator, MobileStyleGAN, compiled
from latentloop.generators.mobilestylegan import Shape
from latentloop.latents import mean_code

Compile = Callable[..., Any]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of the compiler: keeps what was drawn through it."""
    calls: list[str] = []

    def compile_(function: Callable[..., Tensor], **_: object) -> Callable[..., Tensor]:
        def drawn(*args: Tensor, **options: int) -> Tensor:
            calls.append("compiled")
            return function(*args, **options)

        return drawn

    monkeypatch.setattr(torch, "compile", compile_)
    return calls


def fails(reason: str) -> Compile:
    def compile_(*_: object, **__: object) -> Callable[..., Tensor]:
        def drawn(*_: object, **__: object) -> Tensor:
            raise RuntimeError(f"{reason}\nand a long trace" if reason else "")

        return drawn

    return compile_


def test_it_is_the_generator_to_everybody(toy: Generator, stand_in: list[str]) -> None:
    drawn = compiled(toy, pytest.fail)
    assert (drawn.name, drawn.fingerprint, drawn.num_ws) == (toy.name, toy.fingerprint, toy.num_ws)
    w_plus = mean_code(drawn)
    assert torch.equal(drawn.synthesis(w_plus, resolution=8), toy.synthesis(w_plus, resolution=8))
    assert stand_in == ["compiled"] * 2  # the first time is for compiling


def test_a_generator_of_modules_goes_through_the_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of torch.compile but the compiler."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)), name="tiny", fingerprint="")
    w_plus = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0))
    expected = generator.synthesis(w_plus, resolution=16)
    torch.testing.assert_close(compiled(generator, pytest.fail).synthesis(w_plus, resolution=16), expected)


def test_without_gradients_it_draws_as_it_is(toy: Generator, stand_in: list[str]) -> None:
    with torch.no_grad():
        compiled(toy, pytest.fail).synthesis(mean_code(toy))
        assert stand_in == []
        compiled(toy, pytest.fail, always=True).synthesis(mean_code(toy))
    assert stand_in == ["compiled"] * 2


def test_it_is_compiled_for_one_batch_size(toy: Generator, stand_in: list[str]) -> None:
    drawn = compiled(toy, pytest.fail)
    drawn.synthesis(mean_code(toy, 3))
    stand_in.clear()
    drawn.synthesis(mean_code(toy, 2))
    assert stand_in == []
    drawn.synthesis(mean_code(toy, 3))
    assert stand_in == ["compiled"]


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("no C++ compiler", "no C++ compiler"),
        ("backend='inductor' raised:\nInvalidCxxCompiler: none found", "InvalidCxxCompiler: none found"),
        ("", "RuntimeError"),
    ],
)
def test_without_a_compiler_it_says_so_once_and_goes_on(
    toy: Generator, monkeypatch: pytest.MonkeyPatch, complaint: str, said: str
) -> None:
    monkeypatch.setattr(torch, "compile", fails(complaint))
    reasons: list[str] = []
    drawn, w_plus = compiled(toy, reasons.append), mean_code(toy)
    assert torch.equal(drawn.synthesis(w_plus), toy.synthesis(w_plus))
    assert torch.equal(drawn.synthesis(w_plus), toy.synthesis(w_plus))
    assert reasons == [said]


def test_a_python_that_cannot_be_compiled_for_is_no_end(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Python 3.99 is not supported")

    monkeypatch.setattr(torch, "compile", refuse)
    reasons: list[str] = []
    compiled(toy, reasons.append).synthesis(mean_code(toy))
    assert reasons == ["Python 3.99 is not supported"]


def test_a_gradient_that_cannot_be_compiled_is_no_end(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards(torch.autograd.Function):
        @staticmethod
        def forward(_: object, image: Tensor) -> Tensor:
            return image.clone()

        @staticmethod
        def backward(_: object, __: Tensor) -> Tensor:
            raise RuntimeError("cannot compile the gradient")

    def compile_(draw: Callable[..., Tensor], **_: object) -> Callable[..., Tensor]:
        return lambda *args, **options: Backwards.apply(draw(*args, **options))  # type: ignore[no-untyped-call]

    monkeypatch.setattr(torch, "compile", compile_)
    reasons: list[str] = []
    w_plus = mean_code(toy).clone().requires_grad_()
    image = compiled(toy, reasons.append).synthesis(w_plus)
    assert reasons == ["cannot compile the gradient"]
    torch.autograd.grad(image.sum(), w_plus)


def test_a_failure_after_it_worked_is_not_the_compilers(toy: Generator, stand_in: list[str]) -> None:
    drawn = compiled(toy, pytest.fail)
    drawn.synthesis(mean_code(toy))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        drawn.synthesis(mean_code(toy)[:, :1])
    assert stand_in == ["compiled"] * 3
