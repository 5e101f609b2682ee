"""Adam's step as a function (Kingma & Ba, arXiv:1412.6980)."""

import torch
from torch import Tensor

State = dict[str, Tensor]
"""State of an optimizer for one tensor, kept between steps; empty before the first."""


@torch.no_grad()
def adam_step(
    tensor: Tensor,
    gradient: Tensor,
    state: State,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> None:
    """Take one step of Adam in place, bit for bit that of `torch.optim.Adam` on a CPU.

    A function, because creating a PyTorch optimizer imports torch._dynamo, which takes seconds.

    Args:
        tensor: Tensor to change, of any shape.
        gradient: Gradient of the loss at `tensor`, of the same shape.
        state: Running means of the gradient and of its square, and the number of steps; changed in place.
        lr: Step size.
        betas: Decay rates of the running means of the gradient and of its square.
        eps: Constant added to the denominator.
    """
    if not state:
        state |= {"mean": torch.zeros_like(tensor), "square": torch.zeros_like(tensor), "step": torch.zeros(())}
    first, second = betas
    state["step"] += 1
    # In the order of operations of torch.optim.Adam's single-tensor path: any other rounds differently.
    step = state["step"].item()
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    # The powers correct the bias of running means that began at 0 (section 3 of the paper).
    denominator = (state["square"].sqrt() / (1 - second**step) ** 0.5).add_(eps)
    tensor.addcdiv_(state["mean"], denominator, value=-lr / (1 - first**step))
