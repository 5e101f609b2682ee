"""Conversion of other projects' generator files to our format, and descriptions of generators."""

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from latentloop.defaults import Which
from latentloop.errors import UserError
from latentloop.generators.generator_file import GeneratorFile, build_generator, is_generator, write_generator_file
from latentloop.generators.registry import find_generator_file
from latentloop.ownership import is_foreign

MEANINGS = {
    "layout": "project whose naming the file's tensors follow",
    "kind": "architecture",
    "resolution": "pixels along a side of an image",
    "num_ws": "styles in a W+ code, one for each layer that takes a style",
    "w_dim": "length of a style vector",
    "z_dim": "length of the random input of the mapping network",
    "classes": "number of classes of a conditional generator",
    "parameters": "number of weights",
    "latent_avg": "mean of W, the centre of truncation",
    "fingerprint": "identifies the latent space: generators that share it can draw each other's codes",
}
"""Explanation of each property that `describe_generator` lists."""


def convert_generator(source: Path, target: Path, *, which: Which = "g_ema", half: bool = False) -> Iterator[str]:
    """Convert a generator file of any supported layout to our format, and yield a line about each property.

    Args:
        source: The file to read.
        target: The file to write; its name must end in .safetensors.
        which: Which of the file's generators to convert.
        half: Write float16 instead of float32.

    Raises:
        UserError: The source is not a readable generator; the target cannot be written, or exists and is not a
            generator that latentloop wrote.
    """
    if target.suffix != ".safetensors":
        raise UserError(f"{target}: the file to write must end in .safetensors")
    if is_foreign(target, is_generator):
        raise UserError(f"{target}: exists and is not a converted generator; choose another name")
    file = find_generator_file(source, which=which)
    lines = list(_properties(file, source.stem))  # builds it: a file that does not fit is not written
    write_generator_file(target, file, half=half)
    yield from lines
    yield f"{target}: {target.stat().st_size / 2**20:.1f} MiB"


def describe_generator(name_or_path: str | Path, *, which: Which = "g_ema") -> Iterator[str]:
    """Describe a generator, one line per property: name, value and explanation.

    Args:
        name_or_path: Name of a bundled generator, or a file of any supported layout.
        which: Which of the file's generators to describe.

    Raises:
        UserError: The file is not a readable generator.
    """
    return _properties(find_generator_file(name_or_path, which=which), Path(name_or_path).stem)


def _properties(file: GeneratorFile, name: str) -> Iterator[str]:
    generator = build_generator(file, name=name)
    parameters = sum(p.numel() for p in generator.parameters()) if isinstance(generator, nn.Module) else 0
    estimated = "estimated from samples (missing from the file)"
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
    width = max(len(str(value)) for value in values.values())  # so that the explanations line up
    for property_name, value in values.items():
        yield f"{property_name:<12}{value!s:<{width}}  {MEANINGS[property_name]}"
