import pytest
import torch

from latentloop.optim.adam import State, adam_step


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_those_of_pytorchs_adam_to_the_bit(dtype: torch.dtype) -> None:
    randomness, state = torch.Generator().manual_seed(0), State()
    ours = torch.randn(3, 5, generator=randomness, dtype=dtype)
    theirs = ours.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], betas=(0.8, 0.95), eps=1e-6)
    for step in range(20):
        gradient = torch.randn(3, 5, generator=randomness, dtype=dtype)
        lr = 0.1 / (step + 1)
        adam_step(ours, gradient, state, lr=lr, betas=(0.8, 0.95), eps=1e-6)
        theirs.grad, optimizer.param_groups[0]["lr"] = gradient, lr
        optimizer.step()
    assert torch.equal(ours, theirs)
    assert state["step"].item() == 20
