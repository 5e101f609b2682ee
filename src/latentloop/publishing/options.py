"""Options of `latentloop push`; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushOptions:
    """How a file is published."""

    public: bool = False
    """Let everybody see the repository, if push makes it; otherwise it is private, and its settings page opens it."""
    licence: str | None = None
    """Licence of a file that names none, such as mit or cc-by-4.0; what a file says of its licence stays."""
    card: bool = True
    """Upload a model card, README.md, too."""
    replace: bool = False
    """Replace a file or a README.md of the repository that is not of push, or that somebody has edited since."""
