"""Options of the faces to edit; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass
from pathlib import Path

from latentloop.common import Common
from latentloop.defaults import GENERATOR, Which
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions
from latentloop.inversion.beyond_config import BeyondConfig, Refine

BY_QUALITY = ("stepped_on_sha256", "full_size_steps", "refine", "refine_steps")
"""Entries of a code's stamp that tell the qualities apart, beside the steps and their size."""


@dataclass(frozen=True)
class SubjectOptions:
    """Inversion of the photos, and the folder of their codes."""

    generator: str = GENERATOR
    """A bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    which: Which = "g_ema"
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    search: SearchOptions = SearchOptions()
    refine: Refine | None = None
    """Refinement beyond the code, for what no code draws, see latentloop embed: features, weights, or none, the code
    alone. Videos take features, if they are asked for here or by quality best. Default: by quality."""
    faces: FaceOptions = FaceOptions()
    codes: Path = Path("embedded")
    """Folder of the photos' codes: those that are there, such as ones from latentloop embed, are used, and new ones are
    kept there. Codes with a quality, number of steps, step size, refinement or embedder of their own get a folder
    within it."""
    photos: Path | None = None
    """Photo, or folder of the photos, to paste the faces of code files back into. Default: draw the faces
    alone."""

    def __post_init__(self) -> None:
        BeyondConfig(refine=self.refine)

    @property
    def folder(self) -> Path:
        """Folder of the codes that are found as these options say: one of its own if they ask for something special."""
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
        """Entries of a code's stamp that must agree for the code to be used; other codes of a photo are left alone."""
        asked = {name for name in ("steps", "lr") if getattr(self.search, name) is not None}
        asked |= {"steps", "lr", *BY_QUALITY} if self.search.quality != SearchOptions.quality else set()
        asked |= {"refine", "refine_steps"} if self.refine else set()
        asked |= {"embedder_sha256"} if self.search.embedder else set()
        asked |= {"looks", "looked_on_sha256"} if self.search.looks != SearchOptions.looks else set()
        return frozenset({"weights_sha256", "face", "aligned"} | asked)

    def embedding(self) -> EmbedOptions:
        """Options of embedding for the photos without a code."""
        common = Common(generator=self.generator, which=self.which, device=self.device)
        return EmbedOptions(
            common=common, search=self.search, beyond=BeyondConfig(refine=self.refine), faces=self.faces
        )
