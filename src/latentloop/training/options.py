"""Options of training and distillation; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from latentloop.defaults import GENERATOR, Precision, Which
from latentloop.encoders.config import Head, Identity, Preset
from latentloop.losses.config import LossConfig
from latentloop.options import check_seed
from latentloop.stamps import left_out_at, neutral, stamped_as
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.distill_config import DistillConfig
from latentloop.training.train_config import PhotosIn, TrainConfig

CHOICES = {
    "preset": get_args(Preset),
    "identity": get_args(Identity),
    "head": get_args(Head),
    "precision": get_args(Precision),
    "photos_in": get_args(PhotosIn),
    "which": get_args(Which),
}
"""Allowed values of some options, by the option's name."""


@dataclass(frozen=True)
class TrainOptions:
    """Options of training an embedding network."""

    generator: str = stamped_as("generator_sha256", default=GENERATOR)
    """Generator to train for: a bundled one, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote
    it."""
    which: Which = stamped_as("generator_sha256", default="g_ema")
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""
    data: tuple[str, ...] = stamped_as("data", default=())
    """Square, aligned photos to learn from: folders, quoted globs ("faces/**/*.png"), uncompressed tar files, such as
    WebDataset's ("shards/{00000..00099}.tar")."""
    validation: tuple[str, ...] = stamped_as("validation", default=())
    """Photos to measure on, never learned from; by default generated images are used."""
    validation_images: int = stamped_as("validation", default=64)
    """Number of images to measure on."""
    photos_in: PhotosIn = neutral("memory")
    """Where decoded photos are kept, one byte per number. memory: as many as fit into a quarter of it. device: all of
    them, on the GPU (otherwise as memory). disk: nowhere, they are read each time."""
    out: Path = neutral(Path("trained"))
    """Folder for the network, its checkpoints and logs."""
    device: str = stamped_as("device", default="auto")
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of the new network, of generated images and of the photos' order."""
    quick: str | None = stamped_as("quick_sha256", default=None)
    """Faster generator of the same latent space, such as one from latentloop distill: the iterator runs on it, and its
    images are compared. The generator itself still draws the images to learn from, and the validation uses it."""
    preset: Preset = "base"
    """Size of the network. base has 7 million weights (10 with a second look), and AlexNet features as a further input;
    small, 5 million, does without them; paper has 32 million."""
    identity: Identity = "mobilefacenet"
    """Face-recognition network that guides it; none for images other than faces."""
    head: Head = "tree"
    """Last layers of the network: tree (TreeConnect), or dense (fully connected)."""
    # Neutral to the stamp: a resumed run has the start's weights and the codes in its checkpoint.
    start: str | None = neutral(None)
    """Network to start from, a bundled one or a file; no longer needed once the run was saved. It may be smaller, such
    as preset small for base, or lack the second look: new parts start without effect."""
    codes: str | None = neutral(None)
    """File of the best codes, such as an earlier run's, which this run continues to use and write; or a folder of
    records of latentloop bulk, whose codes of the aligned photos it starts with. Default: codes.cache in the output
    folder, empty at first."""
    config: TrainConfig = TrainConfig()
    collaboration: CollaborationConfig = CollaborationConfig()
    loss: LossConfig = LossConfig()
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the arithmetic; weights stay in float32. auto is bfloat16 on a CPU with bfloat16 instructions,
    otherwise float32. On CUDA bfloat16 also enables TF32, and results are no longer exactly repeatable."""
    compile: bool = left_out_at(False, default=False)
    """Compile the network, the generator and the loss: faster after a minute or two; needs a C++ compiler."""
    save_every: int = neutral(100)
    """Number of steps between two checkpoints."""
    keep: int = neutral(2)
    """Number of latest checkpoints to keep, besides that of the best network."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("save_every", "keep", "validation_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if self.data and self.config.synthetic == 1:
            raise ValueError("synthetic 1 does not use data; leave it out")
        if self.collaboration.cache and (self.config.jitter or self.config.relight):
            raise ValueError(
                "jitter and relight change photos in each step, so codes cannot be cached: disable the cache"
            )
        if self.codes and not self.collaboration.cache:
            raise ValueError("codes need the cache")


@dataclass(frozen=True)
class DistillOptions:
    """Options of distilling a generator."""

    generator: str = stamped_as("teacher_sha256", default=GENERATOR)
    """Generator to learn from: a bundled one, or a file of a MobileStyleGAN."""
    photos: tuple[str, ...] = stamped_as("photos", default=())
    """Aligned photos (files, folders, quoted globs) whose codes the student should reproduce, too; without them the
    iterator finds codes that it draws wrongly. Photos must be square; their alignment is not checked. They leave no
    trace in the student's file."""
    out: Path = neutral(Path("distilled"))
    """Folder for the student, its checkpoints and logs."""
    name: str = "student"
    """Name of the new generator and of its file."""
    resolution: int = 256
    """Side of the student's images in pixels, a power of 2."""
    start: str | None = stamped_as("start", default=None)
    """Student to start from instead of the teacher's blocks, a bundled one or a file."""
    device: str = stamped_as("device", default="auto")
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of the new layers and of the random codes."""
    config: DistillConfig = DistillConfig()
    compile: bool = False
    """Draw through torch.compile: faster after a minute; needs a C++ compiler."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.photos:
            self.config.check_photos()
        if self.config.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.config.steps}")
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name must be a file name without folders, got {self.name!r}")
