"""Options of style mixing, morphing and expression transfer; imports no PyTorch."""

import math
from dataclasses import dataclass

from latentloop.defaults import EXPRESSION_LAYERS


@dataclass(frozen=True)
class MixOptions:
    """Settings of style mixing."""

    layers: str = "fine"
    """Layers that take the other styles: coarse, middle, fine, all, or numbers such as 0-3,7."""
    strength: float = 1.0
    """Interpolation towards the other styles: 0 changes nothing, 1 replaces them."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be from 0 to 1, got {self.strength}")


@dataclass(frozen=True)
class MorphOptions:
    """Settings of a morph from each face to the next."""

    frames: int = 30
    """Number of frames between two faces."""
    rate: int = 20
    """Frames per second of the animation."""
    layers: str = "all"
    """Layers that change: coarse, middle, fine, all, or numbers such as 0-3,7; a weight from 0 to 1 limits how far a
    layer changes: coarse=1,middle=0.5."""
    ease: bool = False
    """Slow down near each face, rather than change at constant speed."""
    loop: bool = False
    """Continue from the last face to the first."""
    size: int = 512
    """Size of the frames in pixels."""

    def __post_init__(self) -> None:
        if self.frames < 1 or not 1 <= self.rate <= 100 or not 16 <= self.size <= 4096:
            raise ValueError("frames must be 1 or more, rate from 1 to 100, size from 16 to 4096")


@dataclass(frozen=True)
class TransferOptions:
    """Settings of the transfer of an expression."""

    strength: float = 1.0
    """Strength of the expression; values above 1 exaggerate, negative ones give the opposite."""
    pair_steps: int = 0
    """Steps of the iterator on the neutral and the expressive picture. The default is 0 because the details that steps
    add to a code are specific to its picture, and would hide the difference between the two."""
    layers: str = EXPRESSION_LAYERS
    """Layers that change: coarse, middle, fine, all, or numbers such as 0-3,7. Default: those that carry expression."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength) or self.pair_steps < 0:
            raise ValueError("strength must be finite, and pair_steps 0 or more")
