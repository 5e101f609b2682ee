"""Options of finding directions; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Method = Literal["sefa", "ganspace", "interfacegan"]


@dataclass(frozen=True)
class DirectionOptions:
    """Method and settings of a search for directions."""

    method: Method = "sefa"
    """sefa: from the generator's weights, in seconds. ganspace: from random codes. interfacegan: from scored
    pictures."""
    count: int = 10
    """Number of directions; interfacegan finds one."""
    layers: str = "all"
    """Layers that the directions change: all, coarse, middle, fine, or numbers such as 0-3,7."""
    samples: int | Path = 10000
    """Number of random codes; for interfacegan the folder that latentloop directions samples wrote."""
    scores: Path | None = None
    """Table with the pictures' scores. Default: scores.csv in the folder of samples."""
    attribute: str | None = None
    """Column of the table to learn from; it also names the direction."""

    def __post_init__(self) -> None:
        scored = self.method == "interfacegan"
        if scored != isinstance(self.samples, Path) or scored != (self.attribute is not None):
            raise ValueError("interfacegan takes a folder of samples and an attribute, the others a number of samples")
        if min(self.count, 2 if isinstance(self.samples, Path) else self.samples - 1) < 1:
            raise ValueError("count must be 1 or more, samples 2 or more")
