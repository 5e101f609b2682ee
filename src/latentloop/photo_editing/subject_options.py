"""Options of the faces to edit; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path

from latentloop.common import Common
from latentloop.defaults import GENERATOR, Which
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions
from latentloop.inversion.beyond_config import BeyondConfig, Refine

BY_QUALITY = ("stepped_on_sha256", "full_size_steps", "refine", "refine_steps")
"""Entries of a code's stamp that distinguish qualities, besides steps and step size."""


@dataclass(frozen=True)
class SubjectOptions:
    """Settings of inverting the photos, and the folder of their codes."""

    generator: str = GENERATOR
    """Generator: a bundled one, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it;
    also as hf://OWNER/REPO."""
    which: Which = "g_ema"
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""
    device: str = "auto"
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    search: SearchOptions = SearchOptions()
    refine: Refine | None = None
    """Refinement beyond the code, for details that no code draws, see latentloop embed: features, weights, or none.
    Videos take features, if requested here or by quality best. Default: by quality."""
    faces: FaceOptions = FaceOptions()
    codes: Path = Path("embedded")
    """Folder of the photos' codes: existing ones, such as those of latentloop embed, are used, and new ones are kept
    there. Codes with their own quality, number of steps, step size, refinement or embedder get a folder within it."""
    photos: Path | None = None
    """Photo, or folder of the photos, to paste the faces of code files back into. Default: draw the faces alone."""

    def __post_init__(self) -> None:
        BeyondConfig(refine=self.refine)

    @property
    def folder(self) -> Path:
        """Folder of the codes found with these options: a subfolder of `codes` if they differ from the defaults."""
        search = self.search
        parts: list[str] = [search.quality] if search.quality != SearchOptions.quality else []
        parts += [f"steps{search.steps}"] if search.steps is not None else []
        parts += [f"lr{search.lr:g}"] if search.lr is not None else []
        parts += [f"refine-{self.refine}"] if self.refine else []
        parts += [f"looks{search.looks}"] if search.looks != SearchOptions.looks else []
        parts += [Path(search.embedder).stem] if search.embedder else []
        return self.codes / "-".join(parts) if parts else self.codes

    @property
    def deciding(self) -> frozenset[str]:
        """Stamp entries that must match for a code to be used; other codes of a photo are left alone."""
        asked = {name for name in ("steps", "lr") if getattr(self.search, name) is not None}
        asked |= {"steps", "lr", *BY_QUALITY} if self.search.quality != SearchOptions.quality else set()
        asked |= {"refine", "refine_steps"} if self.refine else set()
        asked |= {"embedder_sha256"} if self.search.embedder else set()
        asked |= {"looks", "looked_on_sha256"} if self.search.looks != SearchOptions.looks else set()
        return frozenset({"weights_sha256", "face", "aligned"} | asked)

    def embedding(self) -> EmbedOptions:
        """Return the options of embedding for photos without a code."""
        common = Common(generator=self.generator, which=self.which, device=self.device)
        return EmbedOptions(
            common=common, search=self.search, beyond=BeyondConfig(refine=self.refine), faces=self.faces
        )
