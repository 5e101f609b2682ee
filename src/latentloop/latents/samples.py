"""The job of `latentloop generate`: draw images of random codes into a folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import NoiseMode
from latentloop.devices import find_device
from latentloop.errors import UserError
from latentloop.folder_lock import sole_use
from latentloop.generators import Generator, load_generator, noisy_synthesis
from latentloop.images import resample, write_png
from latentloop.latents.options import SampleOptions
from latentloop.latents.sampling import sample_codes
from latentloop.ownership import mark, marked_by, refuse_foreign
from latentloop.pictures.sheet import contact_sheet

TILE, COLUMNS = 256, 4
"""Side of an image on the contact sheet, in pixels, and images per row."""
COMMAND = "generate"
"""Command that is written into the images, so that a later call may replace them."""


def generate_images(out: Path, options: SampleOptions) -> Iterator[Path]:
    """Draw images of random codes into a folder, and yield each file's path once it is written.

    Args:
        out: Folder for image-0000.png, image-0001.png ... and, last, sheet.png with all of them.
        options: Generator, number of images, truncation and so on; a seed gives the same codes on every device.

    Raises:
        UserError: The generator cannot be loaded, or lacks the class or the noise maps; the folder cannot be written.
    """
    common = options.common
    generator = load_generator(common.generator, which=common.which, device=find_device(common.device))
    yield from draw_samples(generator, out, options)


@torch.inference_mode()
def draw_samples(generator: Generator, out: Path, options: SampleOptions) -> Iterator[Path]:
    """Draw images of random codes with a loaded generator, see `generate_images`.

    Args:
        generator: Generator that draws the images; the one in the options is ignored.
        out: Folder for the images.
        options: Number of images, truncation, class, noise and seed.

    Raises:
        UserError: The generator lacks the class or noise maps; the folder cannot be written or is used by another
            process; or an image would replace a file that an earlier call did not write.
    """
    if options.label is not None and not 0 <= options.label < generator.c_dim:
        has = f"the classes 0 to {generator.c_dim - 1}" if generator.c_dim else "no classes"
        raise UserError(f"label {options.label}: {generator.name} has {has}", arguments="label")
    randomness = torch.Generator().manual_seed(options.common.seed)
    # A generator of its own for noise, so that the choice of noise does not change the codes.
    draw = _draw(generator, options.noise, torch.Generator().manual_seed(options.common.seed))
    codes = sample_codes(
        generator,
        options.count,
        randomness=randomness,
        truncation_psi=options.truncation_psi,
        truncation_cutoff=options.truncation_cutoff,
        label=options.label,
    )
    paths, sheet, tiles = [out / f"image-{i:04d}.png" for i in range(options.count)], out / "sheet.png", []
    refuse_foreign([*paths, sheet], marked_by(COMMAND))
    with sole_use(out):
        for path, w_plus in zip(paths, codes, strict=True):
            image = draw(w_plus[None])
            write_png(path, image, comment=mark(COMMAND))
            tiles.append(resample(image, min(TILE, generator.resolution)).clamp(-1, 1).cpu())
            yield path
        write_png(sheet, contact_sheet(torch.cat(tiles), min(COLUMNS, options.count)), comment=mark(COMMAND))
        yield sheet


def _draw(generator: Generator, noise: NoiseMode, randomness: torch.Generator) -> Callable[[Tensor], Tensor]:
    if noise == "const":
        return generator.synthesis
    synthesis = noisy_synthesis(generator)
    if synthesis is None:
        raise UserError(f"noise {noise}: {generator.name} takes no noise; leave it at const", arguments="noise")
    return partial(synthesis, noise=noise, randomness=randomness)
