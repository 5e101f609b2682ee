import pytest
import torch
from torch import nn

from latentloop.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (3, 6, 9)])
def test_all_directions_weigh_about_alike_and_are_kept(shape: tuple[int, ...]) -> None:
    """Held against the singular value decomposition."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonalised(matrices) @ vh.mT
    values = found.diagonal(dim1=-2, dim2=-1)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert (found - torch.diag_embed(values)).abs().max() < 0.06


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (8, 3, 3, 3), (4, 6, 10)])
def test_a_step_changes_entries_as_much_as_adam_does(shape: tuple[int, ...]) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    Muon([weight], lr=0.1).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.1 * 0.2, rel=0.25)


def test_its_matrices_take_the_steps_of_pytorchs_own() -> None:
    own = getattr(torch.optim, "Muon", None)
    if own is None:
        pytest.skip("this PyTorch has no Muon")
    randomness = torch.Generator().manual_seed(2)
    ours, theirs = (nn.Parameter(torch.ones(6, 10)) for _ in range(2))
    optimizers = (Muon([ours], lr=0.1), own([theirs], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
    for _ in range(4):
        gradient = torch.randn(6, 10, generator=randomness)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, atol=0.015, rtol=0)  # its steps are of bfloat16, too; one has 0.02


def test_vectors_take_the_steps_of_adam() -> None:
    randomness = torch.Generator().manual_seed(3)
    ours, theirs = (nn.Parameter(torch.ones(7)) for _ in range(2))
    optimizers = (Muon([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99)))
    for _ in range(4):
        gradient = torch.randn(7, generator=randomness)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)
