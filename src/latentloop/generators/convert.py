"""Converting generators' files from other projects to ours, and describing them."""

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from latentloop.defaults import Which
from latentloop.errors import UserError
from latentloop.generators.generator_file import GeneratorFile, build_generator, is_generator, write_generator_file
from latentloop.generators.registry import find_generator_file
from latentloop.ownership import is_foreign

MEANINGS = {
    "layout": "project whose names the file's tensors have",
    "kind": "architecture",
    "resolution": "pixels of an image's side",
    "num_ws": "styles of a code in W+, one for each layer that takes one",
    "w_dim": "numbers of a style",
    "z_dim": "random numbers that a style is made from",
    "classes": "kinds of images that can be asked for",
    "parameters": "numbers of the network",
    "latent_avg": "mean style, towards which truncation pulls",
    "fingerprint": "of the latent space: generators that share it draw each other's codes and directions",
}
"""What each property of a generator means."""


def convert_generator(source: Path, target: Path, *, which: Which = "g_ema", half: bool = False) -> Iterator[str]:
    """Write the generator of any file that can be read as a file of our own, and yield a line about each property.

    Args:
        source: The file to read.
        target: The file to write; its name ends in .safetensors.
        which: Which of the generators in the file.
        half: Write float16 instead of float32.

    Raises:
        UserError: The source cannot be read as a generator, or the target not written, or it is somebody else's.
    """
    if target.suffix != ".safetensors":
        raise UserError(f"{target}: the file to write must end in .safetensors")
    if is_foreign(target, is_generator):
        raise UserError(f"{target}: in the way, and no generator that was converted; choose another name")
    file = find_generator_file(source, which=which)
    lines = list(_properties(file, source.stem))  # builds it: a file that does not fit is not written
    write_generator_file(target, file, half=half)
    yield from lines
    yield f"{target}: {target.stat().st_size / 2**20:.1f} MiB"


def describe_generator(name_or_path: str | Path, *, which: Which = "g_ema") -> Iterator[str]:
    """Describe the generator in a file, a line a property: its name, its value, and what it means.

    Args:
        name_or_path: A shipped generator, or a file of any layout that can be read.
        which: Which of the generators in the file.

    Raises:
        UserError: It cannot be read as a generator.
    """
    return _properties(find_generator_file(name_or_path, which=which), Path(name_or_path).stem)


def _properties(file: GeneratorFile, name: str) -> Iterator[str]:
    generator = build_generator(file, name=name)
    parameters = sum(p.numel() for p in generator.parameters()) if isinstance(generator, nn.Module) else 0
    estimated = "estimated from samples, the file lacks it"
    values: dict[str, object] = {
        "layout": file.layout,
        "kind": file.kind,
        "resolution": generator.resolution,
        "num_ws": generator.num_ws,
        "w_dim": generator.w_dim,
        "z_dim": generator.z_dim,
        "classes": generator.c_dim or "none",
        "parameters": f"{parameters:,}",
        "latent_avg": estimated if file.latent_avg_estimated else "in the file",
        "fingerprint": generator.fingerprint,
    }
    width = max(len(str(value)) for value in values.values())
    for property_name, value in values.items():
        yield f"{property_name:<12}{value!s:<{width}}  {MEANINGS[property_name]}"
