"""Options of `latentloop push`; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushOptions:
    """Options of publishing a file on the Hugging Face Hub."""

    public: bool = False
    """Let everybody see the repository, if push makes it; otherwise it is private, and its settings page opens it."""
    licence: str | None = None
    """Licence of a file that names none, such as mit or cc-by-4.0; what a file says of its licence stays."""
    name: str | None = None
    """Name of the file in the repository, such as cats.safetensors, by which the card calls it; otherwise its own."""
    card: bool = True
    """Upload a model card, README.md, too. A README.md that is not the one of this file stays, and a notice says so."""
    replace: bool = False
    """Replace a file or a README.md of the repository that is not of push, or that somebody has edited since."""
