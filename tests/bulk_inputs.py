"""Inputs of bulk jobs: a small generator with a network of its own, and photos in files, tar shards and Parquet."""

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch

from latentloop.bulk import BulkOptions, BulkPhoto
from latentloop.bulk.coder import FaceFinder
from latentloop.common import Common
from latentloop.embedding.options import FaceOptions
from latentloop.embedding.starts import FaceStart, NetworkStart
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.faces import AlignedFace, already_aligned
from latentloop.generators import load_generator
from latentloop.images import read_image, resample

SmallGenerator = Callable[..., Path]
SmallPhotos = Callable[..., Path]
MakeOptions = Callable[..., BulkOptions]
TwoFaces = Callable[[BulkPhoto], None]
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


@pytest.fixture
def two_faces(monkeypatch: pytest.MonkeyPatch) -> TwoFaces:
    """Makes every photo have two faces, it and its mirror image; memory does not hold the second one of one photo."""

    def bad(photo: BulkPhoto) -> None:
        mirrored, whole = resample(read_image(photo.path).flip(3), 32), NetworkStart.codes

        def both(finder: FaceFinder, image: torch.Tensor) -> list[AlignedFace]:
            return [already_aligned(one, finder.resolution) for one in (image, image.flip(3))]

        def short_of_memory(self: NetworkStart, target: torch.Tensor, starts: Sequence[FaceStart]) -> torch.Tensor:
            if any(torch.equal(one[None], mirrored) for one in target):
                raise MemoryError
            return whole(self, target, starts)

        monkeypatch.setattr(FaceFinder, "_faces", both)
        monkeypatch.setattr(NetworkStart, "codes", short_of_memory)

    return bad


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
