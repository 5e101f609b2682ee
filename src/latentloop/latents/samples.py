"""Writing images of random codes to a folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import Generator, noisy_synthesis
from latentloop.generators.noise import NoiseMode
from latentloop.images import resample, write_png
from latentloop.latents import sample_codes
from latentloop.pictures.sheet import contact_sheet

TILE, COLUMNS = 256, 4
"""Side of an image on the contact sheet, in pixels, and the sheet's columns."""


@torch.inference_mode()
def draw_samples(
    generator: Generator,
    out: Path,
    count: int,
    *,
    psi: float,
    seed: int,
    cutoff: int | None = None,
    label: int | None = None,
    noise: NoiseMode = "const",
) -> Iterator[Path]:
    """Draw images of random codes, and yield the path of each file once it is written; sheet.png comes last.

    Args:
        generator: Generator that draws them.
        out: Folder for image-0000.png, image-0001.png ... and the contact sheet sheet.png.
        count: Number of images.
        psi: Truncation, see `latentloop.latents.truncate`.
        seed: Random seed of z, the same on every device.
        cutoff: Number of layers to truncate, coarsest first; None for all.
        label: Class of all images, for a generator with classes; None for random ones.
        noise: Noise of the feature maps; random noise depends on the seed, too.

    Raises:
        UserError: The generator has no noise, and a mode other than const is asked for.
    """
    draw = _draw(generator, noise, torch.Generator().manual_seed(seed))
    codes = sample_codes(
        generator,
        count,
        randomness=torch.Generator().manual_seed(seed),
        truncation_psi=psi,
        truncation_cutoff=cutoff,
        label=label,
    )
    tiles = []
    for i, w_plus in enumerate(codes):
        image = draw(w_plus[None])
        path = out / f"image-{i:04d}.png"
        write_png(path, image)
        tiles.append(resample(image, min(TILE, generator.resolution)).clamp(-1, 1).cpu())
        yield path
    sheet = out / "sheet.png"
    write_png(sheet, contact_sheet(torch.cat(tiles), min(COLUMNS, count)))
    yield sheet


def _draw(generator: Generator, noise: NoiseMode, randomness: torch.Generator) -> Callable[[Tensor], Tensor]:
    if noise == "const":
        return generator.synthesis
    synthesis = noisy_synthesis(generator)
    if synthesis is None:
        raise UserError(f"noise {noise}: {generator.name} takes no noise; leave it at const", arguments="noise")
    return partial(synthesis, noise=noise, randomness=randomness)
