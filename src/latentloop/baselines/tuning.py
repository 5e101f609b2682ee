"""Shared parts of the methods that tune the generator: weights as variables, and images one by one."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from latentloop.errors import NotFiniteError, UserError
from latentloop.generators import Generator
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.optim.adam import State, adam_step

Report = Callable[[Tensor], None]
"""Callback with an image's loss, (1,), at the start and after each step."""
Tune = Callable[[int, Report], Generator]
"""Function that tunes a generator to the i-th image and its code."""


def trainable_weights(generator: Generator) -> dict[str, Tensor]:
    """Copy the weights of a generator's synthesis network by name, as leaf tensors that require gradients.

    Raises:
        UserError: The generator is not an `nn.Module`, as in low precision.
    """
    if not isinstance(generator, nn.Module):
        raise UserError(f"{generator.name}: weights can be tuned in float32 only", arguments="precision")
    named = generator.named_parameters()
    return {name: one.detach().clone().requires_grad_() for name, one in named if name.startswith("synthesis.")}


def detached(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without gradients."""
    return {name: one.detach() for name, one in weights.items()}


class Adam:
    """Adam for a list of variables, without the imports of `torch.optim`."""

    def __init__(self, variables: Sequence[Tensor], *, lr: float) -> None:
        self.variables, self._lr = list(variables), lr
        self._states = [State() for _ in variables]

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """Take one step; variables whose gradient is None stay as they are."""
        for variable, gradient, state in zip(self.variables, gradients, self._states, strict=True):
            if gradient is not None:
                adam_step(variable, gradient, state, lr=self._lr)


def tune_each(tune: Tune, coarse: Inversion, resolution: int, on_step: OnStep | None) -> Inversion:
    """Tune a separate generator to each image, one after the other.

    Args:
        tune: Function that tunes a generator.
        coarse: Codes of the images, which stay as they are.
        resolution: Side of the result's images, in pixels.
        on_step: Called after each step with the number of steps, those of `coarse` included, and each image's loss.

    Returns:
        The codes with their generators and the losses of both stages; the curve of an image that stopped early
        continues with its last loss.

    Raises:
        NotFiniteError: A loss is NaN or infinite.
    """
    done, now = len(coarse.losses) - 1, coarse.loss.clone()  # steps of the coarse stage; each image's latest loss

    def tuned(i: int) -> tuple[Generator, Tensor]:
        losses: list[Tensor] = []

        def report(loss: Tensor) -> None:
            if not loss.isfinite().all():
                raise NotFiniteError(f"the loss after {len(losses)} steps is not finite: NaN or infinity")
            losses.append(loss.detach())
            now[i : i + 1] = losses[-1]
            if on_step:
                on_step(done + len(losses) - 1, now.clone())

        with torch.inference_mode(mode=False), torch.enable_grad():  # the caller may have switched gradients off
            generator = tune(i, report)
        return generator, torch.cat(losses)

    found = [tuned(i) for i in range(len(now))]
    steps = [len(losses) for _, losses in found]
    # Curves of one length, (steps,) each: images may have stopped at different steps.
    columns = [torch.cat([losses, losses[-1:].expand(max(steps) - len(losses))]) for _, losses in found]
    return Inversion(
        coarse.w_plus,
        now,
        torch.cat([coarse.losses, torch.stack(columns, dim=1)]),
        torch.tensor(steps, device=now.device) + done - 1,
        lambda: _drawn([generator for generator, _ in found], coarse.w_plus, resolution),
        generators=tuple(generator for generator, _ in found),
    )


@torch.no_grad()
def _drawn(generators: Sequence[Generator], w_plus: Tensor, resolution: int) -> Tensor:
    drawn = [one.synthesis(w_plus[i : i + 1], resolution=resolution) for i, one in enumerate(generators)]
    return torch.cat(drawn)
