"""Muon, an optimizer whose steps change every direction of a weight matrix alike (Jordan et al., 2024)."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from latentloop.optim.adam import State, adam_step

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of an odd polynomial that moves singular values between 0 and 1 towards 1, fast rather than exactly."""
LIKE_ADAM = 0.2
"""Root mean square of an entry of Adam's usual step, in step sizes (Liu et al., arXiv:2502.16982)."""
LARGEST = 2048
"""Shorter side of the largest matrix whose orthogonalisation is worth its time; a larger one takes Adam's steps."""


class Muon(torch.optim.Optimizer):
    """Optimizer for networks: matrices take orthogonalised steps, vectors Adam's; one step size suits both.

    A kernel (O, I, K, K) is a matrix (O, I K K); of a tensor (G, I, O) each of the G matrices goes its own way.
    `torch.optim.Muon` takes matrices only, and is not in all PyTorch releases that we run on. Under autocast the
    products of matrices are of its precision, which is exact enough.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        *,
        lr: float = 1e-3,
        rms: float = LIKE_ADAM,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
    ) -> None:
        """Begin at step 0.

        Args:
            parameters: Tensors, or groups of them, as any optimizer of PyTorch takes them.
            lr: Step size.
            rms: About the root mean square of the change of a matrix's entries, divided by the step size.
            momentum: Decay rate of the running mean of a matrix's gradients, used with Nesterov's look ahead.
            betas: Decay rates of Adam's running means of gradients and of their squares.
            eps: Added to Adam's denominator.
        """
        super().__init__(parameters, {"lr": lr, "rms": rms, "momentum": momentum, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one step along each parameter's gradient; parameters without one stay. Takes no closure."""
        for group in self.param_groups:
            alike: dict[Any, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if _is_matrix(parameter):
                    matrix = _as_matrices(parameter)
                    alike.setdefault((matrix.shape, matrix.dtype, matrix.device), []).append(parameter)
                else:
                    options = {name: group[name] for name in ("lr", "betas", "eps")}
                    adam_step(parameter, parameter.grad, self.state[parameter], **options)
            for parameters in alike.values():  # together: an accelerator is slow to begin one after the other
                gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
                options = {name: group[name] for name in ("lr", "rms", "momentum")}
                _muon_steps(parameters, gradients, [self.state[parameter] for parameter in parameters], **options)


@torch.no_grad()
def muon_step(
    tensor: Tensor, gradient: Tensor, state: State, *, lr: float, rms: float = LIKE_ADAM, momentum: float = 0.95
) -> None:
    """Take one step of Muon in place, with Nesterov's momentum.

    Args:
        tensor: A matrix, a batch of matrices (G, M, N) or a kernel (O, I, K, K), which is the matrix (O, I K K).
        gradient: The gradient of the loss at `tensor`, of the same shape.
        state: The running mean of the gradient; changed in place.
        lr: Step size.
        rms: About the root mean square of the change of an entry, divided by the step size.
        momentum: Decay rate of the running mean of the gradient.
    """
    _muon_steps([tensor], [gradient], [state], lr=lr, rms=rms, momentum=momentum)


def _muon_steps(
    tensors: list[Tensor], gradients: list[Tensor], states: list[State], *, lr: float, rms: float, momentum: float
) -> None:
    """Take `muon_step` of tensors which are, as matrices, of one shape."""
    for gradient, state in zip(gradients, states, strict=True):
        if not state:
            state["mean"] = torch.zeros_like(gradient)
    means = [state["mean"] for state in states]
    torch._foreach_lerp_(means, gradients, 1 - momentum)
    ahead = torch.stack([_as_matrices(one) for one in torch._foreach_lerp(gradients, means, momentum)])
    size = rms * math.sqrt(max(ahead.shape[-2:]))
    steps = (size * orthogonalised(ahead)).to(gradients[0].dtype).unbind()
    torch._foreach_add_(tensors, [step.view_as(one) for step, one in zip(steps, tensors, strict=True)], alpha=-lr)


def orthogonalised(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """Approximate the nearest matrices whose singular values are all 1, by Newton and Schulz's iteration.

    Args:
        matrices: (..., M, N). A singular value of at least 0.002 times the root of the sum of all their squares ends
            between 0.65 and 1.25, a smaller one below; a matrix of zeros stays one.
        iterations: Number of times that the polynomial is applied.
    """
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x: Tensor = matrices if wide else matrices.mT
    tiny = torch.finfo(x.dtype).tiny
    x = x / x.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(tiny)  # or squares of tiny numbers would be 0
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(tiny)
    a, b, c = NEWTON_SCHULZ
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim > 1 and min(_as_matrices(parameter).shape[-2:]) <= LARGEST


def _as_matrices(tensor: Tensor) -> Tensor:
    return tensor.flatten(1) if tensor.ndim > 3 else tensor
