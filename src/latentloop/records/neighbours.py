"""Search for the nearest faces in a folder of records, by identity or by code."""

import heapq
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from latentloop.records.folder import NAMING, RecordFolder, embedded
from latentloop.records.naming import name_of

By = Literal["identity", "code"]
"""Vector by which faces are compared."""


def nearest(folder: RecordFolder, query: Tensor, *, by: By = "identity", count: int = 10) -> list[tuple[str, float]]:
    """Find the faces most similar to a query: names and cosine similarities, most similar first.

    Args:
        folder: Records to search; one file is in memory at a time.
        query: Identity embedding, (identity_dim,), or code, (num_ws, w_dim).
        by: Vector to compare; the mean of all codes is subtracted from codes first.
        count: Number of faces to return.

    Raises:
        UserError: pyarrow is not installed, or a file is damaged.
        ValueError: The query has another size than the records.
    """
    numbers = folder.run.num_ws * folder.run.w_dim if by == "code" else folder.run.identity_dim
    if query.numel() != numbers:
        raise ValueError(f"query must have {numbers} numbers, got {query.numel()}")
    # Codes share a large mean, which would dominate their cosines.
    centre = _mean(folder) if by == "code" else torch.zeros(())
    wanted = torch.nn.functional.normalize(query.flatten().float() - centre, dim=0)
    found: list[tuple[float, str]] = []
    for names, values in _vectors(folder, by):
        similar = torch.nn.functional.normalize(values - centre, dim=1) @ wanted
        found = heapq.nlargest(count, [*found, *zip(similar.tolist(), names, strict=True)])
    return [(name, similarity) for similarity, name in found]


def _mean(folder: RecordFolder) -> Tensor:
    """Mean code of the records, (num_ws * w_dim,)."""
    total, count = torch.zeros(()), 0
    for _, values in _vectors(folder, "code"):
        total, count = total + values.sum(dim=0), count + len(values)
    return total / max(count, 1)


def _vectors(folder: RecordFolder, by: By) -> Iterator[tuple[list[str], Tensor]]:
    for table in folder.tables((*NAMING, by)):
        rows, vectors = embedded(table, by)
        yield [name_of(row) for row in rows.select(list(NAMING)).to_pylist()], vectors
