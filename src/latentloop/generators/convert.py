"""Generators' files: from other projects to ours, and what is in them."""

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from latentloop.checkpoints.reading import Which
from latentloop.generators import (
    GeneratorFile,
    build_generator,
    find_generator_file,
    write_generator_file,
)


def convert_generator(source: Path, target: Path, *, which: Which = "g_ema", half: bool = False) -> Iterator[str]:
    """Write a generator's file as one of ours, and tell what it was, a line each.

    Args:
        source: A file of any layout that we read.
        target: Where ours goes.
        which: Of the generators in it.
        half: In float16.

    Raises:
        UserError: It cannot be read as a generator, or the target not written.
    """
    file = find_generator_file(source, which=which)
    told = list(_told(file, source.stem))  # builds it: a file that does not fit is not written
    write_generator_file(target, file, half=half)
    yield from told
    yield f"{target}: {target.stat().st_size / 2**20:.1f} MiB"


def describe_generator(name_or_path: str | Path, *, which: Which = "g_ema") -> Iterator[str]:
    """What is in a generator's file, a line each.

    Raises:
        UserError: It cannot be read as a generator.
    """
    return _told(find_generator_file(name_or_path, which=which), Path(name_or_path).stem)


def _told(file: GeneratorFile, name: str) -> Iterator[str]:
    generator = build_generator(file, name=name)
    parameters = sum(p.numel() for p in generator.parameters()) if isinstance(generator, nn.Module) else 0
    facts = {
        "layout": file.layout,
        "kind": file.kind,
        "resolution": generator.resolution,
        "num_ws": generator.num_ws,
        "w_dim": generator.w_dim,
        "z_dim": generator.z_dim,
        "classes": generator.c_dim or "none",
        "parameters": f"{parameters:,}",
        "latent_avg": "estimated from samples, the file lacks it" if file.latent_avg_estimated else "in the file",
        "fingerprint": generator.fingerprint,
    }
    for fact, value in facts.items():
        yield f"{fact:<12}{value}"
