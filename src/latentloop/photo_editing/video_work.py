"""Intermediate results of a video, from which a later run resumes: face positions, codes, drawn faces."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import PART, replacing
from latentloop.latents.numpy_archive import DAMAGE, holds_arrays, read_arrays
from latentloop.ownership import is_foreign
from latentloop.stamps import Stamp, key_of

EVERY = 100
"""Number of new tensors after which they are saved."""
FACES, REFINED, MARKER = "faces-", "refined-", ".latentloop-faces"
"""Prefixes of folders with files per frame, and the file that marks such a folder as ours."""
OF_FRAMES = re.compile(r"\d{6}(-where)?\.png|\d{6}\.npz")
"""Names of the files in such folders."""

ARRAYS = ("w", "told")
"""Arrays of an intermediate file: the tensors, and the key of what they were made from."""

Missing = Callable[[Sequence[Tensor]], Iterable[Tensor]]


@dataclass(frozen=True)
class VideoWork:
    """Working folder of one video, from which a stopped run resumes.

    | file | content |
    |---|---|
    | `quads.npz` | quads of the first n frames, (n, 4, 2), NaN if there is no face |
    | `codes.npz` | codes of the first n frames, as the encoder predicts them, (n, num_ws, w_dim) |
    | `corrections.npz` | the iterator's changes of the codes of the first n key frames, (n, num_ws, w_dim) |
    | `refined-KEY/` | the refinement of each frame beyond its code, see `FrameRefinements` |
    | `faces-KEY/` | the drawn faces of an edit, until its video is written |

    Each file holds the key of its stamp, and is recomputed if the stamp differs.
    """

    folder: Path
    """Folder of the intermediate files."""
    stamp: Stamp
    """Stamp of all intermediate files: checksums of the video and of the networks ..."""

    def collect(
        self,
        name: str,
        settings: Mapping[str, object],
        missing: Missing,
        on_each: Callable[[int], None],
        *,
        every: int = EVERY,
    ) -> list[Tensor]:
        """Complete the tensors of a file: read those of an earlier run, compute the others, and save regularly.

        Args:
            name: Name of the file, without its suffix.
            settings: Settings that these tensors depend on, besides `stamp`.
            missing: Computes the missing tensors, given those of the earlier run.
            on_each: Called with the number of tensors after each new one.
            every: Number of new tensors after which all are saved, as they are at the end and on an interruption.

        Raises:
            UserError: The file is foreign.
        """
        path = self._file(name)
        if is_foreign(path, lambda file: holds_arrays(file, *ARRAYS)):
            raise UserError(f"the codes of the video would overwrite {path}; choose another folder", arguments="codes")
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
        path = self._file(name)
        if not path.is_file():
            return []
        try:
            content = path.read_bytes()
            arrays = read_arrays(content, ("told", "w"), max_bytes=len(content))
            same = str(arrays["told"]) == self._key(settings)
            return list(torch.from_numpy(arrays["w"].copy())) if same else []  # copied: arrays over bytes are read-only
        except DAMAGE:
            return []  # damaged by a kill: recomputed

    def _write(self, name: str, found: Sequence[Tensor], settings: Mapping[str, object]) -> int:
        with replacing(self._file(name)) as part, part.open("wb") as file:
            np.savez(file, w=torch.stack(list(found)).numpy(), told=np.str_(self._key(settings)))
        return len(found)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _key(self, settings: Mapping[str, object]) -> str:
        return key_of({**self.stamp, **settings})

    def faces_of(self, codes: Tensor, settings: Mapping[str, object]) -> Path:
        """Create the folder for the drawn faces of codes; folders of other edits are deleted.

        Args:
            codes: Edited codes of all frames, (F, num_ws, w_dim).
            settings: Settings of drawing them.

        Raises:
            UserError: A foreign folder has that name.
        """
        return self._of_frames(FACES, codes, settings)

    def refinements_of(self, codes: Tensor, settings: Mapping[str, object]) -> Path:
        """Create the folder for the refinements of codes; folders made with other settings are deleted.

        Args:
            codes: Codes of all frames, (F, num_ws, w_dim).
            settings: Settings of the refinement.

        Raises:
            UserError: A foreign folder has that name.
        """
        return self._of_frames(REFINED, codes, settings)

    def _of_frames(self, prefix: str, codes: Tensor, settings: Mapping[str, object]) -> Path:
        sha256 = hashlib.sha256(codes.numpy().tobytes()).hexdigest()
        folder = self.folder / f"{prefix}{self._key({**settings, 'codes': sha256})[:12]}"
        for other in self.folder.glob(f"{prefix}*"):
            if other != folder:
                remove_faces(other)
        taken = folder.exists() and not _is_ours(folder) and (not folder.is_dir() or any(folder.iterdir()))
        if taken or folder.is_symlink():
            raise UserError(f"the frames of the video would go into {folder}; remove it", arguments="codes")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
        return folder


def remove_faces(folder: Path) -> None:
    """Delete the files of a folder that `VideoWork` created, and the folder unless it holds others."""
    if not _is_ours(folder):
        return
    for file in list(folder.iterdir()):
        if OF_FRAMES.fullmatch(file.name) or PART.fullmatch(file.name):
            file.unlink()
    if [file.name for file in folder.iterdir()] == [MARKER]:
        (folder / MARKER).unlink()
        folder.rmdir()


def _is_ours(folder: Path) -> bool:
    return (folder / MARKER).is_file() and not folder.is_symlink()
