"""Synthesis through torch.compile."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from latentloop.generators.drawn_by import Draw, DrawnBy
from latentloop.generators.protocol import Generator


def compiled(generator: Generator, on_failure: Callable[[str], None], *, always: bool = False) -> Generator:
    """Compile the synthesis of a generator on its first use; unless `always`, only where gradients are wanted.

    Where there is no compiler or it fails, it draws as before and says why, once.
    """
    return DrawnBy(generator, _CompiledDraw(generator.synthesis, on_failure, always=always))


class _CompiledDraw:
    def __init__(self, draw: Draw, on_failure: Callable[[str], None], *, always: bool) -> None:
        self._draw, self._on_failure, self._always = draw, on_failure, always
        self._compiled: Any = None
        self._batch: int | None = None
        """Batch size that the function is compiled for; None before the first call, 0 once compiling has failed."""

    def __call__(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        wanted = self._always or torch.is_grad_enabled()
        if wanted and self._batch is None:
            self._compile(w_plus, resolution)
        # For another batch, such as a last, smaller one, or without gradients it would be compiled once more.
        draw = self._compiled if wanted and self._batch == len(w_plus) else self._draw
        image: Tensor = draw(w_plus, resolution=resolution)
        return image

    def _compile(self, w_plus: Tensor, resolution: int | None) -> None:
        """Compile by drawing once; the gradient, too, which is compiled when it is first wanted."""
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
    """The line of a compiler's complaint that says most: the first that is more than an announcement."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.endswith("raised:")), type(error).__name__)
