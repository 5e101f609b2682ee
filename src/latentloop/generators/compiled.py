"""Synthesis through torch.compile."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from latentloop.generators.drawn_by import Draw, DrawnBy
from latentloop.generators.protocol import Generator


def compiled(generator: Generator, on_failure: Callable[[str], None], *, always: bool = False) -> Generator:
    """Compile a generator's synthesis with torch.compile, on its first use.

    If there is no working compiler, the generator draws uncompiled, and `on_failure` gets the reason, once.

    Args:
        generator: The generator to compile.
        on_failure: Called with the reason if compiling fails.
        always: Compile calls without gradients, too; by default only calls that need a gradient are compiled.
    """
    return DrawnBy(generator, _CompiledDraw(generator.synthesis, on_failure, always=always))


class _CompiledDraw:
    def __init__(self, draw: Draw, on_failure: Callable[[str], None], *, always: bool) -> None:
        self._draw, self._on_failure, self._always = draw, on_failure, always
        self._compiled: Any = None
        self._batch: int | None = None
        """Batch size of the compiled function; None before the first call, 0 after a failure."""

    def __call__(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        wanted = self._always or torch.is_grad_enabled()
        if wanted and self._batch is None:
            self._compile(w_plus, resolution)
        # Another batch size (the last one is often smaller) or a call without gradients would trigger a recompilation.
        draw = self._compiled if wanted and self._batch == len(w_plus) else self._draw
        image: Tensor = draw(w_plus, resolution=resolution)
        return image

    def _compile(self, w_plus: Tensor, resolution: int | None) -> None:
        """Compile the forward pass by running it once, and the backward pass, which is otherwise compiled later."""
        try:
            self._compiled = torch.compile(self._draw, dynamic=False)
            image = self._compiled(w_plus, resolution=resolution)
            if image.requires_grad and w_plus.requires_grad:
                torch.autograd.grad(image.sum(), w_plus)
        except RuntimeError as error:
            self._batch = 0
            self._on_failure(_reason(error))
        else:
            self._batch = len(w_plus)


def _reason(error: RuntimeError) -> str:
    """The most informative line of a compiler's error: the first that does not merely announce another one."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.endswith("raised:")), type(error).__name__)
