"""Time the cache of best codes: insertions, lookups, updates, size and memory.

python scripts/time_cache.py --entries 100000
"""

import hashlib
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from latentloop.cache import CodeCache, CodeSpace


@dataclass(frozen=True)
class Timing:
    """Fill a cache in a temporary folder, then look up and update a part of it at random."""

    entries: int = 100_000
    """Photos in the cache."""
    batch: int = 8
    """Photos in a call."""
    dtype: Literal["float16", "float32"] = "float16"
    """Precision of the stored codes, of 16 x 512 numbers each."""
    sample: int = 8000
    """Photos to look up and update."""

    def run(self) -> None:
        """Print rates, file size and peak memory."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "codes.cache"
            cache = CodeCache(path, CodeSpace("0" * 16, num_ws=16, w_dim=512, loss={}), dtype=self.dtype)
            codes = torch.randn(self.batch, 16, 512, generator=torch.Generator().manual_seed(0))
            chosen = random.Random(0).choices(range(self.entries), k=self.sample)  # noqa: S311 - no secret

            def update(loss: float) -> Callable[[list[bytes]], object]:
                return lambda p: cache.update(p, codes[: len(p)], torch.full((len(p),), loss), step=0)

            self._time("insertions", update(0.5), range(self.entries))
            self._time("lookups", cache.lookup, chosen)
            self._time("updates", update(0.25), chosen)
            cache.close()
            print(f"file: {path.stat().st_size / 1e9:.2f} GB for {self.entries} photos in {self.dtype}")
            print(
                f"memory of the process at its peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
            )

    def _time(self, name: str, work: Callable[[list[bytes]], object], numbers: Iterable[int]) -> None:
        photos = [hashlib.sha256(str(number).encode()).digest() for number in numbers]
        begun = time.perf_counter()
        for first in range(0, len(photos), self.batch):
            work(photos[first : first + self.batch])
        print(f"{name}: {len(photos) / (time.perf_counter() - begun):.0f} a second")


if __name__ == "__main__":
    tyro.cli(Timing).run()
