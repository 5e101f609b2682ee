"""The commands `latentloop convert` and `latentloop inspect`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop import generators
from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing
from latentloop.defaults import Which


@dataclass(frozen=True)
class Convert:
    """Convert a StyleGAN checkpoint to safetensors, a format that holds nothing but numbers.

    Reads NVIDIA's pickles of StyleGAN 1, 2 and 3 (PyTorch and TensorFlow), and checkpoints of rosinality, genforce,
    InterFaceGAN, IDInvert, pSp, e4e, ReStyle and HyperStyle: whole modules, tensors, or several networks, of which the
    running mean is taken. The format is detected from the content; nothing in the file is executed.

    Every --generator accepts these files, too; a converted one loads faster.

    Try: latentloop convert ffhq.pkl ffhq.safetensors
    """

    source: Annotated[Path, tyro.conf.Positional]
    """Checkpoint file to read."""
    target: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file to write; a file that was converted before is replaced."""
    which: Which = "g_ema"
    """Weights to read: g_ema, their running mean, which draws best, or g, the weights as trained."""
    half: bool = False
    """Write float16: half the size, and pixel values that differ by about a thousandth."""

    def run(self) -> int:
        """Convert the file and print its properties."""
        refuse_missing(generators=[str(self.source)])
        for line in generators.convert_generator(self.source, self.target, which=self.which, half=self.half):
            say(line)
        return 0


@dataclass(frozen=True)
class Inspect:
    """Show which generator a file holds.

    Try: latentloop inspect ffhq.pkl
    """

    generator: Annotated[str, tyro.conf.Positional]
    """Generator's file, in any format that convert reads, or the name of a bundled generator."""
    which: Which = "g_ema"
    """Weights to read: g_ema, their running mean, or g, the weights as trained."""

    def run(self) -> int:
        """Print one line per property of the generator."""
        refuse_missing(generators=[self.generator])
        for line in generators.describe_generator(self.generator, which=self.which):
            say(line)
        return 0
