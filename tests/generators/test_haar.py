import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators.haar import inverse_haar


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def forward_haar(image: np.ndarray) -> np.ndarray:
    """The orthonormal Haar transform pixel by pixel: (C, 2H, 2W) to (4C, H, W), band after band."""
    channels, height, width = image.shape[0], image.shape[1] // 2, image.shape[2] // 2
    bands = np.zeros((4, channels, height, width))
    for c, i, j in np.ndindex(channels, height, width):
        (a, b), (d, e) = image[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        bands[:, c, i, j] = (a + b + d + e) / 2, (a + b - d - e) / 2, (a - b + d - e) / 2, (a - b - d + e) / 2
    return bands.reshape(-1, height, width)


def test_it_is_twice_the_inverse_of_the_forward_transform() -> None:
    image = np.random.default_rng(0).standard_normal((3, 6, 10))
    bands = torch.from_numpy(forward_haar(image))[None]
    torch.testing.assert_close(inverse_haar(bands)[0], 2 * torch.from_numpy(image), rtol=0, atol=1e-12)


def test_its_first_and_second_derivatives_are_right() -> None:
    bands = randn(2, 8, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(inverse_haar, (bands,))
    assert torch.autograd.gradgradcheck(inverse_haar, (bands,))


def test_it_leaves_channels_last_memory() -> None:
    assert inverse_haar(randn(2, 8, 2, 3)).is_contiguous(memory_format=torch.channels_last)


def test_what_the_compiler_sees_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    bands = randn(2, 8, 2, 3).requires_grad_()
    eager = inverse_haar(bands)
    (gradient,) = torch.autograd.grad(eager.square().sum(), bands)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    seen = inverse_haar(bands)
    torch.testing.assert_close(seen, eager, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(seen.square().sum(), bands)[0], gradient, rtol=0, atol=1e-12)
