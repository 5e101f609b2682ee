"""`latentloop convert` and `latentloop inspect`."""

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

    Takes pickles of StyleGAN 1, 2 and 3 by NVIDIA (PyTorch and TensorFlow), and files of rosinality, genforce,
    InterFaceGAN, IDInvert, pSp, e4e, ReStyle and HyperStyle: whole modules, tensors, or several networks, of which the
    running mean is taken. The content tells which it is; nothing in it is executed.

    Every --generator takes such files, too; a converted one loads sooner.

    Try: latentloop convert ffhq.pkl ffhq.safetensors
    """

    source: Annotated[Path, tyro.conf.Positional]
    """Checkpoint to read."""
    target: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file to write; one that was converted before is replaced."""
    which: Which = "g_ema"
    """Weights to read: their running mean, which draws best, or the weights as trained."""
    half: bool = False
    """Write float16: half the size, and images that differ by about a thousandth."""

    def run(self) -> int:
        """Convert the file, and print what it holds."""
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
    """A generator's file of any kind that convert reads, or the name of one that we ship."""
    which: Which = "g_ema"
    """Weights to read: their running mean, or the weights as trained."""

    def run(self) -> int:
        """Print a line for each property of the generator."""
        refuse_missing(generators=[self.generator])
        for line in generators.describe_generator(self.generator, which=self.which):
            say(line)
        return 0
