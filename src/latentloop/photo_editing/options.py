"""Options of photo editing; imports no PyTorch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from latentloop.defaults import Mask
from latentloop.faces.config import Blend
from latentloop.options import check_choices
from latentloop.stamps import neutral

MAX_SMOOTH = 1000
"""Largest standard deviation of the smoothing in time, in frames."""


@dataclass(frozen=True)
class RenderOptions:
    """Settings of drawing edited faces and pasting them back into their photos."""

    render: Literal["largest"] | int = "largest"
    """Size of the faces in pixels: a bundled generator of the same latent space draws them."""
    mask: Mask = "change"
    """Part of the aligned square that is pasted into the photo, with soft edges. change: the part of the head that the
    edit changed; face: the whole head; square: the whole square."""
    blend: Blend = "feather"
    """feather: fade into the photo. poisson: also match the photo's colours at the edges; needs OpenCV."""

    def __post_init__(self) -> None:
        check_choices(self)

    @property
    def resolution(self) -> int | None:
        """Size of the faces in pixels; None for the largest available."""
        return None if self.render == "largest" else self.render


@dataclass(frozen=True)
class EditOptions:
    """Settings of an edit, and the files that it writes."""

    keep: tuple[str, ...] = ()
    """Directions whose attributes should not change: the others are made orthogonal to them."""
    layers: str | None = None
    """Layers that change: coarse, middle, fine, all, or numbers such as 0-3,7. Default: those of each direction."""
    strip: bool = neutral(default=False)
    """Also write strips/NAME.png: the face at strengths from the opposite of the edit to the full edit."""
    video: bool = neutral(default=False)
    """Also write NAME.mp4: an animation from unedited to edited and back. Needs PyAV."""
    smooth: float = 2.0
    """Smoothing of a video's codes in time: standard deviation of the Gaussian, in frames; 0 does not smooth."""

    def __post_init__(self) -> None:
        if not 0 <= self.smooth <= MAX_SMOOTH:
            raise ValueError(f"smooth must be from 0 to {MAX_SMOOTH}, got {self.smooth}")


def parse_strengths(texts: Sequence[str]) -> dict[str, float]:
    """Parse directions and strengths from texts such as "smile=1.5"; repeated directions add up.

    Raises:
        ValueError: A text is not NAME=NUMBER with a finite number.
    """
    strengths: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            strength = float(number)
        except ValueError:
            strength = math.nan
        if not name or not math.isfinite(strength):
            raise ValueError(f"set takes NAME=NUMBER, such as smile=1.5, got {text}")
        strengths[name] = strengths.get(name, 0.0) + strength
    return strengths
