"""Options of a bulk job; imports neither PyTorch nor Ray."""

from dataclasses import dataclass
from typing import Literal

from latentloop.common import Common
from latentloop.defaults import Precision
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions
from latentloop.embedding.quality import Quality
from latentloop.inversion.beyond_config import BeyondConfig
from latentloop.losses.config import LossConfig
from latentloop.options import check_choices
from latentloop.stamps import left_out_at, neutral, stamped_as

BulkQuality = Literal["one-pass", "instant", "balanced", "best"]


@dataclass(frozen=True)
class BulkOptions:
    """Settings of a job that computes the codes of very many photos."""

    common: Common = Common()
    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle for the
    generator; also as hf://OWNER/REPO. Default: the one bundled for the generator."""
    quality: BulkQuality = stamped_as("steps", "lr", "ramp_up", default="one-pass")
    """Preset of the codes. one-pass: only the network, the default. instant, balanced, best: followed by 8, 12 or 50
    steps of the iterator. Records hold codes only, so the refinement beyond the code of embed is left out."""
    steps: int | None = stamped_as("steps", default=None)
    """Steps of the iterator after the network's pass, instead of the quality's."""
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the generator in the iterator: auto is bfloat16 on a CPU with bfloat16 instructions, otherwise
    float32."""
    loss: LossConfig = LossConfig(lambda_identity=None)
    faces: FaceOptions = FaceOptions()
    figures: bool = True
    """Draw each code at 256 pixels and measure the reconstruction. Without it, one pass takes about half the time."""
    pictures: bool = left_out_at(False, default=False)
    """Also write the aligned faces and the reconstructions: JPEGs of 256 pixels in a tar file beside each file of
    records."""
    retry_errors: bool = neutral(False)
    """Try photos again that have an error among their records, with all their faces: for example after a disk was
    unavailable."""
    batch: int = neutral(8)
    """Number of faces that a worker embeds together."""
    rows: int = neutral(256)
    """Number of photos per file of records. A resumed run repeats the photos of unfinished files."""
    workers: int | None = neutral(None)
    """Number of processes that compute codes. Default: one per GPU; without GPUs, one per CPU core and 1.5 GiB of
    memory."""
    threads: int | None = neutral(None)
    """Number of threads per worker. Default: this machine's CPU cores divided among the workers; 1 on a cluster and
    with GPUs."""
    address: str | None = neutral(None)
    """Address of a Ray cluster, such as auto or ray://host:10001; its machines must see photos, networks and results
    under the same paths. Default: this machine alone."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("batch", "rows", "workers", "threads"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"{name} must be 1 or more, got {number}")
        if self.pictures and not self.figures:
            raise ValueError("pictures need figures, which draw the reconstructions: leave out no_figures")
        self.embedding()

    def embedding(self) -> EmbedOptions:
        """Return the options of `latentloop embed` that give the same codes."""
        alone = self.quality == "one-pass" and not self.steps
        quality: Quality = "balanced" if self.quality == "one-pass" else self.quality
        search = SearchOptions(self.embedder, quality, 0 if alone else self.steps, precision=self.precision)
        return EmbedOptions(
            common=self.common,
            method="embed" if alone else "auto",
            search=search,
            loss=self.loss,
            beyond=BeyondConfig(refine="none"),
            faces=self.faces,
            batch=self.batch,
        )
