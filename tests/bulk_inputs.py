"""Inputs of bulk jobs: a small generator with a network of its own, and photos in files, tar shards and Parquet."""

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch

from latentloop.bulk import BulkOptions
from latentloop.common import Common
from latentloop.embedding.options import FaceOptions
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import load_generator

SmallGenerator = Callable[..., Path]
SmallPhotos = Callable[..., Path]
MakeOptions = Callable[..., BulkOptions]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


@pytest.fixture
def small_network(small_generator: SmallGenerator, tmp_path: Path) -> tuple[Path, Path]:
    """Files of a generator of 32 pixels, and of a network that finds its codes, badly and loudly."""
    generator = small_generator()
    embedder = make_embedder(TINY, load_generator(generator), seed=0)
    torch.nn.init.normal_(embedder.narrow.weight, std=3.0, generator=torch.Generator().manual_seed(0))
    save_embedder(tmp_path / "network.safetensors", embedder)
    return generator, tmp_path / "network.safetensors"


@pytest.fixture
def small_options(small_network: tuple[Path, Path]) -> MakeOptions:
    """Makes options of a job over aligned photos with these networks."""
    generator, embedder = map(str, small_network)

    def make(**changes: object) -> BulkOptions:
        own = {"common": Common(generator=generator, device="cpu"), "embedder": embedder, "precision": "float32"}
        return BulkOptions(**{**own, "faces": FaceOptions(aligned=True), **changes})  # type: ignore[arg-type]

    return make


def tar_of(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """Write a tar file, as a shard of WebDataset is."""
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def table_of(path: Path, images: Sequence[bytes | None], *, nested: bool = False, rows: int = 2) -> Path:
    """Write a Parquet file with a column of images, in groups of some rows; nested as Hugging Face writes them."""
    column = [{"bytes": image, "path": None} for image in images] if nested else list(images)
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()}) if nested else pyarrow.binary()
    table = pyarrow.table({"label": list(range(len(images))), "image": pyarrow.array(column, kind)})
    pyarrow.parquet.write_table(table, path, row_group_size=rows)
    return path
