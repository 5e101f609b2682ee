"""Options of the faces to edit; kept apart so that reading them needs no PyTorch."""

from dataclasses import dataclass
from pathlib import Path

from latentloop.common import Common
from latentloop.defaults import GENERATOR
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions


@dataclass(frozen=True)
class SubjectOptions:
    """Inversion of the photos, and the folder of their codes."""

    generator: str = GENERATOR
    """A bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    search: SearchOptions = SearchOptions()
    faces: FaceOptions = FaceOptions()
    codes: Path = Path("embedded")
    """Folder of the photos' codes: those that are there, such as ones from latentloop embed, are used, and new ones are
    kept there. Codes with a number of steps, step size or embedder of their own get a folder within it."""
    photos: Path | None = None
    """Photo, or folder of the photos, to paste the faces of code files back into. Default: draw the faces
    alone."""

    @property
    def folder(self) -> Path:
        """Folder for codes that are computed with these options, separate from codes of other settings."""
        search = self.search
        parts = [f"steps{search.steps}"] if search.steps is not None else []
        parts += [f"lr{search.lr:g}"] if search.lr is not None else []
        parts += [Path(search.embedder).stem] if search.embedder else []
        return self.codes / "-".join(parts) if parts else self.codes

    @property
    def deciding(self) -> frozenset[str]:
        """Entries of a code's stamp that must agree for the code to be used again."""
        same_face = {"weights_sha256", "face", "aligned"}
        return frozenset(same_face if self.folder == self.codes else same_face | {"steps", "lr", "embedder_sha256"})

    def embedding(self) -> EmbedOptions:
        """Options of embedding for the photos without a code."""
        common = Common(generator=self.generator, device=self.device)
        return EmbedOptions(common=common, search=self.search, faces=self.faces)
