"""The folder of a benchmark: what was found of each image by each method, and how it was measured."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.benchmark.methods import Found
from latentloop.files import replacing
from latentloop.latents.code_file import DAMAGE

PHOTOS = "photos"


@dataclass(frozen=True)
class Cost:
    """What it took to find the code of an image, and to draw it at full size."""

    seconds: float
    memory: int | None
    """Bytes at the peak, of the process on a CPU, of tensors on a GPU; None where nobody tells."""
    calls: int
    """Images that the generator drew."""
    batch: int
    """Images that were found together; seconds and calls are of one of them."""


@dataclass(frozen=True)
class Stored:
    """A method's result on an image."""

    key: str
    """Of the image and of all settings that the code depends on."""
    cost: Cost
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """By protocol."""


@dataclass(frozen=True)
class BenchmarkFolder:
    """OUT/METHOD/IMAGE.json, .npz (the code) and .png (what it draws); OUT/photos/IMAGE.png is the target."""

    path: Path

    def picture(self, method: str, image: str) -> Path:
        """Where a reconstruction lies, or a target if the method is `PHOTOS`."""
        return self.path / method / f"{image}.png"

    def read(self, method: str, image: str, key: str) -> Stored | None:
        """A result that has this key, if there is one."""
        path = self._file(method, image, ".json")
        if not all(self._file(method, image, suffix).is_file() for suffix in (".json", ".npz", ".png")):
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            stored = Stored(content["key"], Cost(**content["cost"]), dict(content["figures"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None  # damaged: it is made again
        return stored if stored.key == key else None

    def read_code(self, method: str, image: str) -> Found | None:
        """The code of a result, (1, num_ws, w_dim), and its noise maps; None if the file is damaged."""
        try:
            with np.load(self._file(method, image, ".npz"), allow_pickle=False) as arrays:
                w_plus = torch.from_numpy(arrays["w_plus"])[None]
                maps = [torch.from_numpy(arrays[f"noise_{i}"])[None] for i in range(len(arrays.files) - 1)]
        except DAMAGE:
            return None
        return Found(w_plus, tuple(maps) or None)

    def write_code(self, method: str, image: str, w_plus: Tensor, noise: Sequence[Tensor]) -> None:
        """Write a code (num_ws, w_dim) and its noise maps, each (1, H, W).

        Raises:
            UserError: The file cannot be written.
        """
        arrays = {"w_plus": w_plus.cpu().numpy()} | {f"noise_{i}": one.cpu().numpy() for i, one in enumerate(noise)}
        with replacing(self._file(method, image, ".npz")) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def write(self, method: str, image: str, stored: Stored) -> None:
        """Write a result; last, so that where it is, all is.

        Raises:
            UserError: The file cannot be written.
        """
        with replacing(self._file(method, image, ".json")) as part:
            part.write_text(json.dumps(asdict(stored)), encoding="utf-8")

    def _file(self, method: str, image: str, suffix: str) -> Path:
        return self.path / method / f"{image}{suffix}"


def key_of(settings: Mapping[str, Any]) -> str:
    """A checksum of settings, which are plain values."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
