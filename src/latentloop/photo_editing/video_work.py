"""Work on a video that a later run need not repeat: where the face is in each frame, its codes, the drawn faces."""

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
"""Number of new tensors after which they are written down."""
FACES, REFINED, MARKER = "faces-", "refined-", ".latentloop-faces"
"""Prefixes of the names of folders with a file or two of each frame, and the file that marks them as ours."""
OF_FRAMES = re.compile(r"\d{6}(-where)?\.png|\d{6}\.npz")
"""Names of the files in such folders."""

ARRAYS = ("w", "told")
"""Arrays of a file of work: the tensors, and the key of what they were made from."""

Missing = Callable[[Sequence[Tensor]], Iterable[Tensor]]


@dataclass(frozen=True)
class VideoWork:
    """Working folder of one video, from which a stopped run resumes.

    | file | what |
    |---|---|
    | `quads.npz` | quads of the first n frames, (n, 4, 2), NaN where there is no face |
    | `codes.npz` | codes of the first n frames, as the encoder predicts them, (n, num_ws, w_dim) |
    | `corrections.npz` | what the iterator adds to the codes of the first n key frames, (n, num_ws, w_dim) |
    | `refined-KEY/` | what each frame shows beyond its code, see `FrameRefinements` |
    | `faces-KEY/` | the drawn faces of an edit, until its video is written |

    Each file has the key of the stamp that it was made with, and is made again where that is another.
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
        """Complete the tensors of a file: read those of an earlier run, make the others, and write them on the way.

        Args:
            name: Name of the file, without its ending.
            settings: What these tensors depend on beside `stamp`.
            missing: Given the tensors of the earlier run, makes the others.
            on_each: Is called with the number of tensors whenever one is made.
            every: Number of new tensors after which all are written; they are at the end, too, and on an interruption.

        Raises:
            UserError: The file is somebody else's.
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
            return list(torch.from_numpy(arrays["w"].copy())) if same else []  # what a file's bytes are is read-only
        except DAMAGE:
            return []  # it is made again

    def _write(self, name: str, found: Sequence[Tensor], settings: Mapping[str, object]) -> int:
        with replacing(self._file(name)) as part, part.open("wb") as file:
            np.savez(file, w=torch.stack(list(found)).numpy(), told=np.str_(self._key(settings)))
        return len(found)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _key(self, settings: Mapping[str, object]) -> str:
        return key_of({**self.stamp, **settings})

    def faces_of(self, codes: Tensor, settings: Mapping[str, object]) -> Path:
        """Make the folder for the drawn faces of codes; those that other edits left are deleted.

        Args:
            codes: Edited codes of all frames, (F, num_ws, w_dim).
            settings: How they are drawn.

        Raises:
            UserError: Somebody else's folder has that name.
        """
        return self._of_frames(FACES, codes, settings)

    def refinements_of(self, codes: Tensor, settings: Mapping[str, object]) -> Path:
        """Make the folder for the refinements of codes; those that were found in another way are deleted.

        Args:
            codes: Codes of all frames, (F, num_ws, w_dim).
            settings: How they are refined.

        Raises:
            UserError: Somebody else's folder has that name.
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
    """Delete a folder that `VideoWork` made of frames; any other folder stays, and so does what others put into it."""
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
