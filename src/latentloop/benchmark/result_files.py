"""Result folder of a benchmark: the code of each image by each method, its cost and its metrics."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentloop.benchmark.methods import Codes
from latentloop.files import replacing
from latentloop.json_files import read_json
from latentloop.latents.code_file import DAMAGE
from latentloop.latents.numpy_archive import read_arrays

PHOTOS = "photos"


@dataclass(frozen=True)
class Cost:
    """Cost of finding an image's code and of synthesizing it at full size."""

    seconds: float
    """Seconds per image."""
    memory: int | None
    """Peak memory in bytes: of the process on a CPU, of tensors on a GPU; None where it is not known."""
    calls: int
    """Images that the generator synthesized, per image."""
    batch: int
    """Images that were inverted together."""


@dataclass(frozen=True)
class Stored:
    """A method's result on an image, as its JSON file holds it."""

    key: str
    """SHA-256 of the stamp: of the image and of everything else that the code depends on."""
    cost: Cost
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """Metrics of the code, by protocol."""


@dataclass(frozen=True)
class BenchmarkFolder:
    """A benchmark's results: OUT/METHOD/IMAGE.json, .npz (the code), .png (reconstruction); targets in OUT/photos."""

    path: Path

    def picture(self, method: str, image: str) -> Path:
        """Path of a reconstruction, or of a target if the method is `PHOTOS`."""
        return self.path / method / f"{image}.png"

    def read(self, method: str, image: str) -> Stored | None:
        """Read a result; None if there is none, or if it is damaged."""
        path = self._file(method, image, ".json")
        if not all(self._file(method, image, suffix).is_file() for suffix in (".json", ".npz", ".png")):
            return None
        try:
            content = read_json(path)
            return Stored(content["key"], Cost(**content["cost"]), dict(content["figures"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def read_code(self, method: str, image: str) -> Codes | None:
        """Read a result's code, (1, num_ws, w_dim), and its noise maps; None if the file is damaged."""
        try:
            content = self._file(method, image, ".npz").read_bytes()
            arrays = read_arrays(content, max_bytes=len(content))
            w_plus, *maps = (
                torch.from_numpy(arrays[name].copy())[None]
                for name in ("w_plus", *(f"noise_{i}" for i in range(len(arrays) - 1)))
            )
        except DAMAGE:
            return None
        return Codes(w_plus, tuple(maps) or None)

    def write_code(self, method: str, image: str, w_plus: Tensor, noise: Sequence[Tensor]) -> None:
        """Write a code (num_ws, w_dim) and its noise maps, each (1, H, W).

        Raises:
            UserError: The file cannot be written.
        """
        arrays = {"w_plus": w_plus.cpu().numpy()} | {f"noise_{i}": one.cpu().numpy() for i, one in enumerate(noise)}
        with replacing(self._file(method, image, ".npz")) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def write(self, method: str, image: str, stored: Stored) -> None:
        """Write a result's JSON file, which comes last: where it is, the other files are.

        Raises:
            UserError: The file cannot be written.
        """
        with replacing(self._file(method, image, ".json")) as part:
            part.write_text(json.dumps(asdict(stored)), encoding="utf-8")

    def _file(self, method: str, image: str, suffix: str) -> Path:
        return self.path / method / f"{image}{suffix}"
