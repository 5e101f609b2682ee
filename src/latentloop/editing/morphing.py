"""Interpolation between codes."""

import torch
from torch import Tensor


def morph(
    codes: Tensor, frames: int, *, weights: Tensor | None = None, ease: bool = False, loop: bool = False
) -> Tensor:
    """Codes on straight lines in W+ from each code to the next, (F, num_ws, w_dim).

    Args:
        codes: What to pass, in this order, (K, num_ws, w_dim); each is met exactly, but for weights.
        frames: Codes from each to the next, the first counted and the last not: F is frames * (K - 1) + 1, or
            frames * K with `loop`.
        weights: How much of the way to other codes each layer goes from the first one, (num_ws, 1); see
            `layer_weights`. None for all of it.
        ease: Slow down near each code, rather than go on at one speed.
        loop: Go on from the last to the first, and end a step before it.

    Raises:
        ValueError: There are fewer than two codes, or less than one frame.
    """
    if len(codes) < 2 or frames < 1:
        raise ValueError(f"a morph takes two codes and a frame at least, got {len(codes)} and {frames}")
    if weights is not None:
        codes = codes[:1].lerp(codes, weights.to(codes).expand_as(codes))
    ends = torch.cat([codes[1:], codes[:1]]) if loop else codes[1:]
    way = torch.arange(frames).to(codes) / frames
    way = way * way * (3 - 2 * way) if ease else way
    between = [start.lerp(end, way[:, None, None]) for start, end in zip(codes, ends, strict=False)]
    return torch.cat(between if loop else [*between, codes[-1:]])
