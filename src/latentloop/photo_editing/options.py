"""Options of photo editing; kept apart so that reading them needs no PyTorch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentloop.faces.config import Blend
from latentloop.stamps import neutral

FAR = 3.0
"""Strength beyond which bundled directions make most faces fall apart."""
MAX_SMOOTH = 1000
"""Largest standard deviation of the smoothing in time, in frames."""
Method = Literal["sefa", "ganspace", "interfacegan"]
"""Ways to find directions."""


@dataclass(frozen=True)
class RenderOptions:
    """How edited faces are drawn and put back into their photos."""

    render: Literal["largest"] | int = "largest"
    """Size of the faces in pixels: a bundled generator of the same latent space draws them."""
    mask: Literal["change", "face", "square"] = "change"
    """Part of the aligned square that is pasted into the photo, with soft edges. change: what the edit changed of the
    head; face: all of the head; square: all of the square."""
    blend: Blend = "feather"
    """feather: fade into the photo. poisson: fit the colours at the edges to the photo's, too; needs OpenCV."""

    @property
    def resolution(self) -> int | None:
        """Size of the faces in pixels; None for the largest there is."""
        return None if self.render == "largest" else self.render


@dataclass(frozen=True)
class DirectionOptions:
    """How directions are searched for."""

    method: Method = "sefa"
    """sefa: from the weights, at once. ganspace: from random codes. interfacegan: from pictures and scores."""
    count: int = 10
    """Number of directions; interfacegan finds one."""
    layers: str = "all"
    """Layers that the directions change: all, coarse, middle, fine, or numbers such as 0-3,7."""
    samples: int | Path = 10000
    """Number of random codes that are looked at; for interfacegan the folder from latentloop directions samples."""
    scores: Path | None = None
    """Table with the pictures' scores. Default: scores.csv in the folder of samples."""
    attribute: str | None = None
    """Column of that table; the direction gets its name."""

    def __post_init__(self) -> None:
        scored = self.method == "interfacegan"
        if scored != isinstance(self.samples, Path) or scored != (self.attribute is not None):
            raise ValueError("interfacegan takes samples, a folder, and attribute; the others a number of samples")
        if self.count < 1 or (isinstance(self.samples, int) and self.samples < 2):
            raise ValueError("count must be 1 or more, samples 2 or more")


@dataclass(frozen=True)
class EditOptions:
    """What an edit changes, and what is written of it."""

    strengths: Mapping[str, float] = field(default_factory=dict)
    """Directions by name, as `find_direction` takes them, with strengths: 1 is a clear change, 0 none, negative ones go
    the other way."""
    keep: Sequence[str] = ()
    """Directions whose attributes should not change: the others are made orthogonal to them."""
    layers: str | None = None
    """Layers that change: coarse, middle, fine, all, or numbers such as 0-3,7. Default: each direction's own."""
    strip: bool = neutral(default=False)
    """Write strips/NAME.png, too: the faces at strengths from the opposite of the edit to all of it."""
    video: bool = neutral(default=False)
    """Write NAME.mp4, too: an animation from unedited to edited and back. Needs PyAV."""
    smooth: float = 2.0
    """Smoothing of a video's codes in time: standard deviation of the Gaussian, in frames."""

    def __post_init__(self) -> None:
        for name, strength in self.strengths.items():
            if not name or not math.isfinite(strength):
                raise ValueError(f"a strength is a finite number, such as smile=1.5, got {name}={strength}")
        if not 0 <= self.smooth <= MAX_SMOOTH:
            raise ValueError(f"smooth must be from 0 to {MAX_SMOOTH}, got {self.smooth}")

    @property
    def details(self) -> dict[str, Any]:
        """The edit as code files tell it, in plain JSON values."""
        return {
            "set": [f"{name}={strength:g}" for name, strength in self.strengths.items()],
            "keep": list(self.keep),
            "layers": self.layers,
        }


def parse_strengths(texts: Sequence[str]) -> dict[str, float]:
    """Read directions and strengths of texts such as "smile=1.5"; those of one direction add up.

    Raises:
        ValueError: A text is not NAME=NUMBER, with a finite number.
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
