"""Options of latentloop-lite; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path

from latentloop.defaults import Mask
from latentloop.options import check_choices
from latentloop.stamps import neutral


@dataclass(frozen=True)
class RuntimeOptions:
    """Networks, and how they are run."""

    bundle: Path | None = None
    """Folder of networks in ONNX files, as latentloop export writes it. Default: the bundled networks."""
    looks: int = 1
    """Passes of the network over a photo. 2: after the first pass it sees what its code draws, and corrects the
    code."""
    threads: int | None = neutral(None)
    """Number of threads per network. Default: the number of cores."""

    def __post_init__(self) -> None:
        if self.looks not in (1, 2):
            raise ValueError(f"looks must be 1 or 2, got {self.looks}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be 1 or more, got {self.threads}")


@dataclass(frozen=True)
class LiteEditOptions:
    """Settings of an edit, and how the result is drawn."""

    keep: tuple[str, ...] = ()
    """Directions whose attributes should not change: the others are made orthogonal to them."""
    layers: str | None = None
    """Layers that change: coarse, middle, fine, all, or numbers such as 0-3,7. Default: those of each direction."""
    mask: Mask = "change"
    """Part of the aligned square that is pasted into the photo, with soft edges. change: the part of the head that the
    edit changed; face: the whole head; square: the whole square."""
    strip: bool = neutral(default=False)
    """Also write strips/NAME.png: the face at strengths from the opposite of the edit to the full edit."""

    def __post_init__(self) -> None:
        check_choices(self)
