from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.generators import CompiledGenerator, Generator
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
            raise RuntimeError(f"{reason}\nand a long trace")

        return drawn

    return compile_


def test_it_is_the_generator_to_everybody(toy: Generator, stand_in: list[str]) -> None:
    compiled = CompiledGenerator(toy, pytest.fail)
    assert (compiled.name, compiled.fingerprint, compiled.num_ws) == (toy.name, toy.fingerprint, toy.num_ws)
    w_plus = mean_code(compiled)
    assert torch.equal(compiled.synthesis(w_plus, resolution=8), toy.synthesis(w_plus, resolution=8))
    assert stand_in == ["compiled"]


def test_without_gradients_it_draws_as_it_is(toy: Generator, stand_in: list[str]) -> None:
    with torch.no_grad():
        CompiledGenerator(toy, pytest.fail).synthesis(mean_code(toy))
        assert stand_in == []
        CompiledGenerator(toy, pytest.fail, always=True).synthesis(mean_code(toy))
    assert stand_in == ["compiled"]


def test_without_a_compiler_it_says_so_once_and_goes_on(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", fails("no C++ compiler"))
    said: list[str] = []
    compiled, w_plus = CompiledGenerator(toy, said.append), mean_code(toy)
    assert torch.equal(compiled.synthesis(w_plus), toy.synthesis(w_plus))
    assert torch.equal(compiled.synthesis(w_plus), toy.synthesis(w_plus))
    assert said == ["no C++ compiler"]


def test_a_failure_after_it_worked_is_not_the_compilers(toy: Generator, stand_in: list[str]) -> None:
    compiled = CompiledGenerator(toy, pytest.fail)
    compiled.synthesis(mean_code(toy))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        compiled.synthesis(mean_code(toy)[:, :1])
    assert stand_in == ["compiled", "compiled"]
