"""Options of a job over very many photos; kept apart so that reading them needs neither PyTorch nor Ray."""

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
    """Settings of a job that finds the codes of very many photos."""

    common: Common = Common()
    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle for the
    generator. Default: the one that is bundled for the generator."""
    quality: BulkQuality = stamped_as("steps", "lr", "ramp_up", default="one-pass")
    """What a code may cost. one-pass: the network alone, the default. instant, balanced, best: then 8, 12 or 50 steps
    of the iterator. Records hold codes, so that nothing is refined beyond them, as embed does."""
    steps: int | None = stamped_as("steps", default=None)
    """Steps of the iterator after the network's pass, instead of the quality's."""
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the generator in the iterator: auto is bfloat16 on a CPU with instructions for it, else float32."""
    loss: LossConfig = LossConfig(lambda_identity=None)
    faces: FaceOptions = FaceOptions()
    figures: bool = True
    """Draw each code at 256 pixels and measure the reconstruction. Without, one pass takes about half as long."""
    pictures: bool = left_out_at(False, default=False)
    """Write the aligned faces and the reconstructions, too: JPEGs of 256 pixels in a tar file beside each file of
    records."""
    retry_errors: bool = neutral(False)
    """Try photos again whose records tell of an error, such as of a disk that was away."""
    batch: int = neutral(8)
    """Faces that a worker embeds together."""
    rows: int = neutral(256)
    """Photos of one file of records. A run that is stopped makes those of unfinished files again."""
    workers: int | None = neutral(None)
    """Processes that find codes. Default: one for each GPU; without any, one for each CPU core and 1.5 GiB of
    memory."""
    threads: int | None = neutral(None)
    """Threads of each of them. Default: this machine's CPU cores divided among the workers; 1 on a cluster and beside
    GPUs."""
    address: str | None = neutral(None)
    """Address of a Ray cluster, such as auto or ray://host:10001; its machines see photos, networks and results under
    the same paths. Default: this machine alone."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("batch", "rows", "workers", "threads"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"{name} must be 1 or more, got {number}")
        if self.pictures and not self.figures:
            raise ValueError("pictures show the reconstructions that figures are of: leave out no_figures")
        self.embedding()

    def embedding(self) -> EmbedOptions:
        """Options of `latentloop embed` that find the same codes."""
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
