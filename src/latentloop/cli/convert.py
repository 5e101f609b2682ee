"""`latentloop convert` and `latentloop inspect`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Which = Literal["g_ema", "g"]


@dataclass(frozen=True)
class Convert:
    """Turn a StyleGAN's file into ours: safetensors, which hold nothing but numbers.

    Read are pickles of StyleGAN 1, 2 and 3 by NVIDIA (PyTorch and TensorFlow), and files of rosinality, genforce,
    InterFaceGAN, IDInvert, pSp, e4e, ReStyle and HyperStyle. Which it is, the content tells. Nothing in it is executed.
    Every --generator takes such files, too; a converted one loads sooner.

    Try: latentloop convert ffhq.pkl ffhq.safetensors
    """

    source: Annotated[Path, tyro.conf.Positional]
    """The file to read."""
    target: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file to write; one that is there is replaced."""
    which: Which = "g_ema"
    """The running mean of the generator's weights, which draws best, or the generator itself."""
    half: bool = False
    """Write float16: half the size, and images that differ by about a thousandth."""

    def run(self) -> int:
        """Read the one and write the other."""
        from latentloop.cli.console import say
        from latentloop.errors import UserError
        from latentloop.generators.convert import convert_generator

        if self.target.suffix != ".safetensors":
            raise UserError(f"{self.target}: the file to write must end in .safetensors")
        for line in convert_generator(self.source, self.target, which=self.which, half=self.half):
            say(line)
        return 0


@dataclass(frozen=True)
class Inspect:
    """Say what generator a file holds.

    Try: latentloop inspect ffhq.pkl
    """

    generator: Annotated[str, tyro.conf.Positional]
    """A generator's file of any kind that convert reads, or the name of one that we ship."""
    which: Which = "g_ema"
    """Of the generators in it."""

    def run(self) -> int:
        """Print it, a line each."""
        from latentloop.cli.console import say
        from latentloop.generators.convert import describe_generator

        for line in describe_generator(self.generator, which=self.which):
            say(line)
        return 0
