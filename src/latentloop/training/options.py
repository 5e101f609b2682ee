"""Options of training and of distilling; kept apart so that reading them needs no PyTorch."""

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
"""Values that some options can have, by the option's name."""


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run of the embedding network."""

    generator: str = stamped_as("generator_sha256", default=GENERATOR)
    """Generator to train for: one we ship, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it."""
    which: Which = stamped_as("generator_sha256", default="g_ema")
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    data: tuple[str, ...] = stamped_as("data", default=())
    """Square, aligned photos to learn from: folders, quoted globs ("faces/**/*.png"), uncompressed tar files, such as
    WebDataset's ("shards/{00000..00099}.tar")."""
    validation: tuple[str, ...] = stamped_as("validation", default=())
    """Photos to measure on, never learned from; without any, images that the generator draws."""
    validation_images: int = stamped_as("validation", default=64)
    """Number of images to measure on."""
    photos_in: PhotosIn = neutral("memory")
    """Where photos are kept once they are read. memory: as many as fit in a quarter of it, a byte a number.
    device: all, on the GPU (else as memory). disk: nowhere, they are read each time."""
    out: Path = neutral(Path("trained"))
    """Folder for the network, its checkpoints and logs."""
    device: str = stamped_as("device", default="auto")
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of the new network, of the drawn images and of the photos' order."""
    quick: str | None = stamped_as("quick_sha256", default=None)
    """A quicker generator of the same latent space, such as latentloop distill makes: its images are compared, and the
    iterator runs on it. The generator itself still draws the images to learn from, and is measured."""
    preset: Preset = "base"
    """Size of the network. base has 7 million weights, 10 with a second look, and sees through AlexNet, too; small, 5
    million, does not; paper has 32 million."""
    identity: Identity = "mobilefacenet"
    """Face-recognition network that guides it; none for images of anything but faces."""
    head: Head = "tree"
    """Last layers of the network: TreeConnect, or a fully connected one."""
    # Where a run goes on, its checkpoint has all that is left of the two networks below and of the codes.
    start: str | None = neutral(None)
    """Network to begin with, one we ship or a file; not needed any more once the run has been saved. It may
    be smaller, as one of preset small is for base, or lack the second look: what is new begins without effect."""
    codes: str | None = neutral(None)
    """File of the best codes, such as an earlier run's, which this run goes on using and writing; or a folder of
    records of latentloop bulk, whose codes of the aligned photos it begins with. Default: codes.cache in the results'
    folder, empty at first."""
    config: TrainConfig = TrainConfig()
    collaboration: CollaborationConfig = CollaborationConfig()
    loss: LossConfig = LossConfig()
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the arithmetic; weights stay in float32. auto is bfloat16 on a CPU that multiplies it by itself,
    else float32. With bfloat16, CUDA also uses TF32, and does not compute alike each time."""
    compile: bool = left_out_at(False, default=False)
    """Compile the network, the generator and the loss: quicker after a minute or two; needs a C++ compiler."""
    save_every: int = neutral(100)
    """Steps between two checkpoints."""
    keep: int = neutral(2)
    """Number of latest checkpoints to keep, beside that of the best network."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("save_every", "keep", "validation_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if self.data and self.config.synthetic == 1:
            raise ValueError("with synthetic 1 nothing is learned from data; leave it out")
        if self.collaboration.cache and (self.config.jitter or self.config.relight):
            raise ValueError("jitter and relight change photos, whose codes a cache cannot keep: do without the cache")
        if self.codes and not self.collaboration.cache:
            raise ValueError("codes are for a run with a cache")


@dataclass(frozen=True)
class DistillOptions:
    """Options of the distillation of a generator."""

    generator: str = stamped_as("teacher_sha256", default=GENERATOR)
    """Generator to learn from: one we ship, or a file of a MobileStyleGAN."""
    photos: tuple[str, ...] = stamped_as("photos", default=())
    """Aligned photos (files, folders, quoted globs) whose codes the student shall draw well, too: without them the
    iterator leads it astray. That they are aligned is not checked, only that they are square. The student's file keeps
    nothing of them."""
    out: Path = neutral(Path("distilled"))
    """Folder for the student, its checkpoints and logs."""
    name: str = "student"
    """Name of the new generator and of its file."""
    resolution: int = 256
    """Pixels that the student draws, a side."""
    start: str | None = stamped_as("start", default=None)
    """A student, shipped or a file, to begin with instead of the teacher's blocks."""
    device: str = stamped_as("device", default="auto")
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    seed: int = 0
    """Seed of the new layers and of the codes that are drawn."""
    config: DistillConfig = DistillConfig()
    compile: bool = False
    """Draw through torch.compile: quicker after a minute; needs a C++ compiler."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.photos:
            self.config.check_photos()
        if self.config.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.config.steps}")
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name must be a file's name without folders, got {self.name!r}")
