"""Interpolation between codes."""

import torch
from torch import Tensor


def morph(
    codes: Tensor, frames: int, *, weights: Tensor | None = None, ease: bool = False, loop: bool = False
) -> Tensor:
    """Interpolate linearly in W+ from each code to the next, (F, num_ws, w_dim).

    Args:
        codes: Key codes in order, (K, num_ws, w_dim); without `weights` the result contains each of them.
        frames: Codes per interval, including its first key code but not its last: F = frames * (K - 1) + 1, or
            frames * K with `loop`.
        weights: Share of the way from the first code to the others that each layer goes, (num_ws, 1), see
            `layer_weights`; None for 1 everywhere.
        ease: Slow down near each key code instead of moving at constant speed.
        loop: Return from the last code to the first, ending one step before it.

    Raises:
        ValueError: There are fewer than two codes, or `frames` is below 1.
    """
    if len(codes) < 2 or frames < 1:
        raise ValueError(f"a morph needs at least two codes and one frame, got {len(codes)} and {frames}")
    if weights is not None:
        codes = codes[:1].lerp(codes, weights.to(codes).expand_as(codes))
    ends = torch.cat([codes[1:], codes[:1]]) if loop else codes[1:]
    way = torch.arange(frames).to(codes) / frames
    way = way * way * (3 - 2 * way) if ease else way  # smoothstep: speed 0 at both ends
    between = [start.lerp(end, way[:, None, None]) for start, end in zip(codes, ends, strict=False)]
    return torch.cat(between if loop else [*between, codes[-1:]])
