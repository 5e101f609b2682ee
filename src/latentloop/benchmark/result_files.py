"""Result folder of a benchmark: the code of each image by each method, its cost and its metrics."""

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.benchmark.finders import Codes
from latentloop.errors import UserError
from latentloop.files import refuse_no_file, write_together
from latentloop.images import png_bytes, write_png
from latentloop.json_files import read_json
from latentloop.latents.numpy_archive import DAMAGE, holds_arrays, read_arrays
from latentloop.ownership import MARK, mark, mark_in, marked_by, refuse_foreign, with_entries

PHOTOS = "photos"
"""Folder of the target images."""
NOISE = "noise_"
"""Prefix of the names of noise maps."""
TUNED = "tuned"
"""Array that marks a code with a tuned generator; the code alone draws another image."""
COMMAND = "bench"
"""Command whose mark the files carry."""


@dataclass(frozen=True)
class Cost:
    """Cost of finding an image's code and of synthesizing it at full size."""

    seconds: float
    """Seconds per image, code and drawing together."""
    memory: int | None
    """Peak memory in bytes: of the process on a CPU, of tensors on a GPU; None if unknown."""
    calls: int
    """Number of synthesized images per image."""
    batch: int
    """Number of images inverted together."""


@dataclass(frozen=True)
class Stored:
    """Result of a method on an image, as its JSON file stores it."""

    key: str
    """SHA-256 of the stamp, which covers the image and everything else that the code depends on."""
    cost: Cost
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """Metrics of the code, by protocol."""


@dataclass(frozen=True)
class BenchmarkFolder:
    """Results of a benchmark: OUT/METHOD/IMAGE.json, .npz (code), .png (reconstruction); targets in OUT/photos."""

    path: Path

    def picture(self, method: str, image: str) -> Path:
        """Return the path of a reconstruction, or of a target if the method is `PHOTOS`."""
        return self.path / method / f"{image}.png"

    def refuse_strangers(self, method: str, image: str) -> None:
        """Check that a result would only replace an earlier one.

        Raises:
            UserError: A foreign file is in the way.
        """
        refuse_foreign([self.picture(PHOTOS, image), self.picture(method, image)], marked_by(COMMAND))
        refuse_foreign([self._file(method, image, ".npz")], lambda path: holds_arrays(path, "w_plus", MARK))
        refuse_foreign([self._file(method, image, ".json")], with_entries("key", "cost", "figures"))

    def write_target(self, image: str, picture: Tensor) -> None:
        """Write the target image of the methods, (1, 3, H, W) in [-1, 1].

        Raises:
            UserError: The file cannot be written.
        """
        write_png(self.picture(PHOTOS, image), picture, comment=mark(COMMAND))

    def read(self, method: str, image: str) -> Stored | None:
        """Read a result; None if it is missing or damaged, or if its picture belongs to another code."""
        path = self._file(method, image, ".json")
        if not all(self._file(method, image, suffix).is_file() for suffix in (".json", ".npz", ".png")):
            return None
        try:
            content = read_json(path)
            stored = Stored(content["key"], Cost(**content["cost"]), dict(content["figures"]))
        except (OSError, ValueError, LookupError, TypeError):
            return None
        made = mark_in(self.picture(method, image), COMMAND)  # None in pictures of earlier versions
        return stored if made in (None, mark(COMMAND, stored.key)) else None

    def shows(self, method: str, image: str, stored: Stored, picture: Tensor) -> bool:
        """Check whether a result's reconstruction is this picture, (1, 3, H, W) in [-1, 1], when rounded to 8 bits."""
        return self.picture(method, image).read_bytes() == _reconstruction(picture, stored.key)

    def read_code(self, method: str, image: str) -> Codes | None:
        """Read a result's code, (1, num_ws, w_dim), and its noise maps.

        Returns:
            None if the file is damaged, or if the code needs its tuned generator, which is not stored.
        """
        try:
            refuse_no_file(self._file(method, image, ".npz"), what="a code")
            content = self._file(method, image, ".npz").read_bytes()
            arrays = read_arrays(content, max_bytes=len(content))
            if TUNED in arrays:
                return None
            count = sum(name.startswith(NOISE) for name in arrays)
            names = ("w_plus", *(f"{NOISE}{i}" for i in range(count)))
            w_plus, *maps = (torch.from_numpy(arrays[name].copy())[None] for name in names)
        except (UserError, *DAMAGE):
            return None
        return Codes(w_plus, tuple(maps) or None)

    def write(self, method: str, image: str, stored: Stored, code: Codes, picture: Tensor) -> None:
        """Write a result, the JSON file last: its presence vouches for the other files.

        Args:
            method: Name of the method.
            image: Name of the image.
            stored: Cost and metrics of the result.
            code: Code, (1, num_ws, w_dim), with its noise maps.
            picture: Reconstruction, (1, 3, H, W) in [-1, 1].

        Raises:
            UserError: A file cannot be written.
        """
        maps = {f"{NOISE}{i}": one[0].cpu().numpy() for i, one in enumerate(code.noise or ())}
        arrays: dict[str, Any] = {"w_plus": code.w_plus[0].cpu().numpy(), **maps, MARK: np.str_(mark(COMMAND))}
        arrays |= {TUNED: np.bool_(True)} if code.generators else {}
        content = io.BytesIO()
        np.savez(content, **arrays)
        files = {
            self.picture(method, image): _reconstruction(picture, stored.key),
            self._file(method, image, ".npz"): content.getvalue(),
            self._file(method, image, ".json"): json.dumps(asdict(stored)).encode(),
        }
        write_together(files)

    def write_figures(self, method: str, image: str, stored: Stored) -> None:
        """Replace the metrics of a result.

        Raises:
            UserError: The file cannot be written.
        """
        write_together({self._file(method, image, ".json"): json.dumps(asdict(stored)).encode()})

    def _file(self, method: str, image: str, suffix: str) -> Path:
        return self.path / method / f"{image}{suffix}"


def _reconstruction(picture: Tensor, key: str) -> bytes:
    return png_bytes(picture, comment=mark(COMMAND, key))
