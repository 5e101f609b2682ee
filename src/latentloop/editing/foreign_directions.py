"""Reading of directions from other projects' files: InterFaceGAN, e4e, GANSpace, and SeFa in rosinality's version.

| file | what | names |
|---|---|---|
| `.npy`, `.pt` | one, for all layers (w_dim,), (1, w_dim), or per layer (num_ws, w_dim), (1, num_ws, w_dim) | file's |
| `.pt` of e4e's GANSpace | `comp` or `components`, (K, 1, w_dim), and `std`, (K,) | pc0, pc1 ... |
| `.npz` of GANSpace | `lat_comp` and `lat_stdev`, or `act_comp` and `act_stdev`, of the same shapes | pc0, pc1 ... |
| `.pt` of SeFa | `eigvec`, (w_dim, K), one direction per column | sefa0, sefa1 ... |

The format is detected from the content. The files do not say which generator they belong to; they are assumed to belong
to the generator in use.
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from latentloop.checkpoints.network_pickles import plain_tensor
from latentloop.checkpoints.reading import reading
from latentloop.editing.direction_entries import MAX_WS
from latentloop.editing.directions import Direction
from latentloop.editing.fitting import fitted
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents.foreign_files import read_content, read_entry

COMPONENTS = {"comp": "std", "components": "std", "lat_comp": "lat_stdev", "act_comp": "act_stdev"}
"""Keys of principal components, each with the key of their standard deviations; the first one present counts."""
EIGENVECTORS = "eigvec"
"""Key of the directions in SeFa's files."""
MAX_COMPONENTS = 4096
"""Largest number of directions in a file, several times that of any generator; a damaged file may claim any."""


def read_foreign_directions(path: Path, generator: Generator) -> dict[str, Direction]:
    """Read directions for a generator from another project's file, by name; nothing in the file is executed.

    Raises:
        UserError: The file is damaged, asks for more than data, or has no directions that fit the generator.
    """
    with reading(path):
        content = read_content(path, _of_archive, kind="direction")
        vectors = dict(_vectors(content, path.stem))
        return {name: fitted(_direction(name, vector, path, generator), generator) for name, vector in vectors.items()}


def _vectors(content: object, name: str) -> Iterator[tuple[str, Tensor]]:
    """Names and vectors of the directions in a file's content, (w_dim,) or (num_ws, w_dim)."""
    if not isinstance(content, Mapping):
        yield name, _plain(content)
    elif EIGENVECTORS in content:
        columns = _plain(content[EIGENVECTORS])
        yield from _listed("sefa", columns.T if columns.ndim == 2 else columns)
    elif found := next((key for key in COMPONENTS if key in content), None):
        components, deviations = _plain(content[found]), _plain(content[COMPONENTS[found]]).flatten()
        if components.ndim < 2 or len(components) != len(deviations):
            raise UserError(f"has {tuple(components.shape)} components and {len(deviations)} deviations")
        # Unit vectors times their standard deviations: strength 1 is one standard deviation, as in GANSpace.
        yield from _listed("pc", components * deviations.reshape(-1, *[1] * (components.ndim - 1)))
    else:
        raise UserError(f"has no directions, but {', '.join(str(key)[:40] for key in list(content)[:5]) or 'nothing'}")


def _listed(prefix: str, vectors: Tensor) -> Iterator[tuple[str, Tensor]]:
    if vectors.ndim < 2 or not 0 < len(vectors) <= MAX_COMPONENTS:
        raise UserError(f"has directions {tuple(vectors.shape)}")
    yield from ((f"{prefix}{i}", vector) for i, vector in enumerate(vectors))


def _direction(name: str, vector: Tensor, path: Path, generator: Generator) -> Direction:
    shape, w_dim = tuple(vector.shape), generator.w_dim
    if vector.numel() % w_dim or shape[-1:] != (w_dim,) or not 0 < vector.numel() <= MAX_WS * w_dim or len(shape) > 3:
        raise UserError(f"has a direction {shape}, {generator.name} takes ({w_dim},) or ({generator.num_ws}, {w_dim})")
    if not vector.isfinite().all():
        raise UserError("has numbers that are not finite")
    rows = vector.reshape(-1, w_dim)
    num_ws = generator.num_ws if len(rows) == 1 else len(rows)
    changed = rows.any(dim=1).expand(num_ws)
    if not changed.any():
        raise UserError(f"has a direction {name} of zeros only")
    return Direction(
        name,
        rows[0] if len(rows) == 1 else rows,
        tuple(changed.nonzero().flatten().tolist()),
        num_ws,
        fingerprint=generator.fingerprint,
        generator=generator.name,
        origin=f"{path.name}, taken for a direction of {generator.name}",
    )


def _plain(value: object) -> Tensor:
    return plain_tensor(value).detach().float()


def _of_archive(file: IO[bytes], arrays: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """Arrays of an archive by name; those that cannot be directions are not read and are None."""
    wanted = {*COMPONENTS, *COMPONENTS.values(), EIGENVECTORS}
    return {name: read_entry(file, entry) if name in wanted else None for name, entry in arrays.items()}
