"""Muon, an optimizer that orthogonalises the update of each weight matrix (Jordan et al. 2024)."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from latentloop.optim.adam import State, adam_step

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd polynomial a x + b x^3 + c x^5, which moves singular values in (0, 1] towards 1: steep at 0
rather than exact at 1."""
LIKE_ADAM = 0.2
"""Root mean square of the entries of a typical Adam step, in units of the step size (Liu et al., arXiv:2502.16982)."""
LARGEST = 2048
"""Largest shorter side of a matrix that is worth orthogonalising; larger ones take Adam's steps."""


class Muon(torch.optim.Optimizer):
    """Muon for networks: matrices take orthogonalised steps, vectors take Adam's, with one step size for both.

    A kernel (O, I, K, K) is treated as a matrix (O, I K K), a tensor (G, I, O) as G independent matrices.
    `torch.optim.Muon` takes matrices only and is missing from older PyTorch releases that we support. Under autocast
    matrix products run in its lower precision, which is accurate enough.
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
        """Create the optimizer with empty state.

        Args:
            parameters: Tensors or parameter groups, as for any PyTorch optimizer.
            lr: Step size.
            rms: Approximate root mean square of the change of a matrix's entries, in units of the step size.
            momentum: Decay rate of the running mean of a matrix's gradients, used with Nesterov's momentum.
            betas: Decay rates of Adam's running means of gradients and of their squares.
            eps: Constant added to Adam's denominator.
        """
        super().__init__(parameters, {"lr": lr, "rms": rms, "momentum": momentum, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one step for each parameter that has a gradient; closures are not supported."""
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
            for parameters in alike.values():  # as one batch, since launching many small kernels is slow on a GPU
                gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
                options = {name: group[name] for name in ("lr", "rms", "momentum")}
                _muon_steps(parameters, gradients, [self.state[parameter] for parameter in parameters], **options)


@torch.no_grad()
def muon_step(
    tensor: Tensor, gradient: Tensor, state: State, *, lr: float, rms: float = LIKE_ADAM, momentum: float = 0.95
) -> None:
    """Take one step of Muon in place, with Nesterov's momentum.

    Args:
        tensor: A matrix (M, N), a batch of matrices (G, M, N), or a kernel (O, I, K, K), treated as (O, I K K).
        gradient: Gradient of the loss at `tensor`, of the same shape.
        state: Running mean of the gradient; changed in place.
        lr: Step size.
        rms: Approximate root mean square of the change of an entry, in units of the step size.
        momentum: Decay rate of the running mean of the gradient.
    """
    _muon_steps([tensor], [gradient], [state], lr=lr, rms=rms, momentum=momentum)


def _muon_steps(
    tensors: list[Tensor], gradients: list[Tensor], states: list[State], *, lr: float, rms: float, momentum: float
) -> None:
    """Take `muon_step` for tensors that have one shape as matrices."""
    for gradient, state in zip(gradients, states, strict=True):
        if not state:
            state["mean"] = torch.zeros_like(gradient)
    means = [state["mean"] for state in states]
    torch._foreach_lerp_(means, gradients, 1 - momentum)
    # Nesterov's momentum: (1 - momentum) gradient + momentum mean, with the mean that holds this gradient already.
    ahead = torch.stack([_as_matrices(one) for one in torch._foreach_lerp(gradients, means, momentum)])
    # The squares of an orthogonal M x N matrix with M <= N sum to M, so its root mean square is 1 / sqrt(N).
    size = rms * math.sqrt(max(ahead.shape[-2:]))
    steps = (size * orthogonalised(ahead)).to(gradients[0].dtype).unbind()
    torch._foreach_add_(tensors, [step.view_as(one) for step, one in zip(steps, tensors, strict=True)], alpha=-lr)


def orthogonalised(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """Approximate the nearest matrices whose singular values are all 1, with the Newton-Schulz iteration.

    Args:
        matrices: Matrices (..., M, N). Singular values of at least 0.002 times the Frobenius norm end between 0.65 and
            1.25, smaller ones below; a zero matrix stays zero.
        iterations: Number of times that the polynomial is applied.
    """
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x: Tensor = matrices if wide else matrices.mT
    tiny = torch.finfo(x.dtype).tiny
    x = x / x.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(tiny)  # otherwise squares of tiny numbers underflow
    # The Frobenius norm bounds the largest singular value, so all are in [0, 1], where the polynomial converges.
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(tiny)
    a, b, c = NEWTON_SCHULZ
    for _ in range(iterations):
        gram = x @ x.mT  # the smaller of the two products, (M, M) with M <= N
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim > 1 and min(_as_matrices(parameter).shape[-2:]) <= LARGEST


def _as_matrices(tensor: Tensor) -> Tensor:
    return tensor.flatten(1) if tensor.ndim > 3 else tensor
