"""The inverse Haar transform, with which MobileStyleGAN doubles the resolution (Belousov, arXiv:2104.04767)."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def inverse_haar(bands: Tensor) -> Tensor:
    """Compute twice the orthonormal inverse Haar transform, (N, 4C, H, W) to (N, C, 2H, 2W) in channels-last memory.

    The input channels are C low bands, C bands high along H, C high along W and C high along both. The caller applies
    the missing factor of 1/2, which can be folded into a small tensor.
    """
    # Channels-last throughout: on a CPU this halves the time of the convolutions that follow and of their gradients.
    bands = bands.permute(0, 2, 3, 1)
    # torch.compile fuses the sums and derives their gradient by itself, and does not support strided `out` tensors.
    image: Tensor = _fusible(bands) if torch.compiler.is_compiling() else _BandsToPixels.apply(bands)  # type: ignore[no-untyped-call]
    return image.permute(0, 3, 1, 2)


class _BandsToPixels(torch.autograd.Function):
    """The transform, (N, H, W, 4C) to (N, 2H, 2W, C), with its gradient: autograd would keep a copy of every sum."""

    @staticmethod
    def forward(bands: Tensor) -> Tensor:
        n, h, w, c = bands.shape
        pixels = bands.new_empty(n, 2 * h, 2 * w, c // 4)
        _butterflies(_bands(bands), _pixels(pixels))
        return pixels

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None: ...

    @staticmethod
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        bands: Tensor = _PixelsToBands.apply(gradient)  # type: ignore[no-untyped-call]
        return bands


class _PixelsToBands(torch.autograd.Function):
    """The transpose of `_BandsToPixels`, (N, 2H, 2W, C) to (N, H, W, 4C)."""

    # The 4 x 4 matrix of signs is symmetric, so one set of butterflies serves the transform and its gradient.
    @staticmethod
    def forward(pixels: Tensor) -> Tensor:
        n, h, w, c = pixels.shape
        bands = pixels.new_empty(n, h // 2, w // 2, 4 * c)
        _butterflies(_pixels(pixels), _bands(bands))
        return bands

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None: ...

    @staticmethod
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        pixels: Tensor = _BandsToPixels.apply(gradient)  # type: ignore[no-untyped-call]
        return pixels


def _bands(x: Tensor) -> tuple[Tensor, ...]:
    """Views of the four bands of (N, H, W, 4C), each (N, H, W, C)."""
    bands: tuple[Tensor, ...] = x.unflatten(-1, (4, -1)).unbind(-2)
    return bands


def _pixels(x: Tensor) -> tuple[Tensor, ...]:
    """Views of every second row and column of (N, 2H, 2W, C), each (N, H, W, C)."""
    return x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, ::2], x[:, 1::2, 1::2]


def _fusible(bands: Tensor) -> Tensor:
    """`_BandsToPixels` as plain tensor operations."""
    a, b, c, d = _bands(bands)
    rows = [torch.stack([s + t, s - t], dim=3) for s, t in ((a + b, c + d), (a - b, c - d))]
    return torch.stack(rows, dim=2).flatten(3, 4).flatten(1, 2)


def _butterflies(source: tuple[Tensor, ...], out: tuple[Tensor, ...]) -> None:
    """Apply the symmetric 4 x 4 matrix of the transform, of signs ++++, ++--, +-+-, +--+, and write to `out`."""
    a, b, c, d = source
    sum_ab, difference_ab, sum_cd, difference_cd = a + b, a - b, c + d, c - d
    torch.add(sum_ab, sum_cd, out=out[0])
    torch.sub(sum_ab, sum_cd, out=out[1])
    torch.add(difference_ab, difference_cd, out=out[2])
    torch.sub(difference_ab, difference_cd, out=out[3])
