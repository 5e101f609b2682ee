"""What is kept of a video while its faces are edited: where the face is in each frame, its codes, the drawn faces."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.files import replacing
from latentloop.latents.code_file import DAMAGE

EVERY = 100
"""Frames after which what was found is written down."""

Missing = Callable[[Sequence[Tensor]], Iterable[Tensor]]


@dataclass(frozen=True)
class VideoWork:
    """A folder for one video, with all that a stopped run need not do again.

    | file | what |
    |---|---|
    | `quads.npz` | the quads found so far, (n, 4, 2), NaN where there is no face |
    | `codes.npz` | the codes that the network found so far, (n, num_ws, w_dim) |
    | `corrections.npz` | what the iterator added to those of key frames, (n, num_ws, w_dim) |

    Each file says what it was made with, and is made anew where that is another.
    """

    folder: Path
    told: Mapping[str, Any]
    """What all depends on: the video's checksum, the generator's ... ; JSON."""

    def collect(
        self,
        name: str,
        settings: Mapping[str, object],
        missing: Missing,
        on_each: Callable[[int], None],
        *,
        every: int = EVERY,
    ) -> list[Tensor]:
        """All tensors of a name: those found before and those still missing, which are written down as they come.

        Args:
            name: Of the file.
            settings: Of their own; JSON.
            missing: Given those found before, makes the rest.
            on_each: Is told how many there are.
            every: After how many to write, at least; it is done at the end, too, and where the work is stopped.
        """
        found = self._found(name, settings)
        written = len(found)
        try:
            for item in missing(tuple(found)):
                found.append(item)
                on_each(len(found))
                if len(found) % every == 0:
                    written = self._write(name, found, settings)
        finally:
            if len(found) > written:
                self._write(name, found, settings)
        return found

    def _found(self, name: str, settings: Mapping[str, object]) -> list[Tensor]:
        """What an earlier run wrote under a name, with the same settings."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            return []
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                same = str(arrays["told"]) == self._key(settings)
                return list(torch.from_numpy(arrays["w"])) if same else []
        except DAMAGE:
            return []  # it is made again

    def _write(self, name: str, found: Sequence[Tensor], settings: Mapping[str, object]) -> int:
        """Write down what was found; returns how many those are."""
        with replacing(self.folder / f"{name}.npz") as part, part.open("wb") as file:
            np.savez(file, w=torch.stack(list(found)).numpy(), told=np.str_(self._key(settings)))
        return len(found)

    def _key(self, settings: Mapping[str, object]) -> str:
        return json.dumps({**self.told, **settings}, sort_keys=True)

    def faces_of(self, codes: Tensor, settings: Mapping[str, object]) -> Path:
        """Folder for the faces of codes (F, num_ws, w_dim), drawn as settings say; those of other edits are deleted."""
        key = codes.numpy().tobytes() + self._key(settings).encode()
        name = f"faces-{hashlib.sha256(key).hexdigest()[:12]}"
        for other in self.folder.glob("faces-*"):
            if other.name != name:
                shutil.rmtree(other)
        return self.folder / name
