"""`latentloop generate`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentloop.cli.options import Common


@dataclass(frozen=True)
class Generate:
    """Draw random images: the smallest proof that a generator works.

    The folder --out gets one PNG an image, and sheet.png with all of them.

    Try: latentloop generate --count 8 --truncation-psi 0.5 --seed 7
    """

    out: Path = Path("generated")
    """Folder for the images."""
    common: Common = Common()
    count: int = 8
    """How many images."""
    truncation_psi: float = 0.7
    """1 draws from all of W, 0 the mean image: less variety, fewer artefacts."""
    truncation_cutoff: int | None = None
    """How many of the layers are truncated, coarsest first; unset: all."""
    label: int | None = None
    """Class of all images, where the generator has classes; unset: random ones."""
    noise: Literal["const", "random", "none"] = "const"
    """What StyleGAN 1 and 2 draw hairs and pores from: the maps that the file has, new ones, or nothing."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be 1 or more, got {self.count}")
        if not math.isfinite(self.truncation_psi):
            raise ValueError(f"truncation_psi must be finite, got {self.truncation_psi}")
        if self.truncation_cutoff is not None and self.truncation_cutoff < 0:
            raise ValueError(f"truncation_cutoff must be 0 or more, got {self.truncation_cutoff}")

    def run(self) -> int:
        """Draw and save the images."""
        from latentloop.cli.console import say, track
        from latentloop.devices import find_device
        from latentloop.errors import UserError
        from latentloop.generators import load_generator
        from latentloop.latents.samples import draw_samples

        generator = load_generator(self.common.generator, device=find_device(self.common.device))
        if self.label is not None and not 0 <= self.label < generator.c_dim:
            has = f"the classes 0 to {generator.c_dim - 1}" if generator.c_dim else "no classes"
            raise UserError(f"--label {self.label}: {generator.name} has {has}")
        samples = draw_samples(
            generator,
            self.out,
            self.count,
            psi=self.truncation_psi,
            cutoff=self.truncation_cutoff,
            label=self.label,
            noise=self.noise,
            seed=self.common.seed,
        )
        for path in track(samples, self.count + 1, "images"):
            say(path)
        return 0
