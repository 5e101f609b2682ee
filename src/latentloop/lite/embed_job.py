"""Embedding job of `latentloop-lite embed`: photos into a folder, in one pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latentloop.embedding.options import FaceOptions
from latentloop.lite.inputs import faces_in
from latentloop.lite.writing import checksum, write_results
from latentloop.photo_editing.claims import Claims
from latentloop.pixels import Pixels
from latentloop.runtime.arrays import to_pixels
from latentloop.runtime.engine import Runtime
from latentloop.runtime.results import Inverted

CODE_FILE, IMAGE, ALIGNED = "{}.npz", "{}.png", "aligned/{}.png"
"""File name patterns of a result: the code, the reconstruction, and the aligned photo."""


@dataclass(frozen=True)
class EmbedJob:
    """Computes the codes of many photos."""

    runtime: Runtime
    faces: FaceOptions
    claims: Claims
    """Reserved names in the output folder."""
    looks: int = 1

    def results(self, file: Path) -> Iterator[Path]:
        """Compute the codes of a photo's faces, and yield each code file once it is written, with its pictures.

        Raises:
            UserError: The photo cannot be used, or a file is in the way or cannot be written.
        """
        found = faces_in(file, self.runtime, self.faces, looks=self.looks)
        for i, face in enumerate(found):
            name = f"{file.stem}-face{i + 1}" if self.faces.face == "all" and not self.faces.aligned else file.stem
            yield self._save(file, name, face)

    def _save(self, file: Path, name: str, face: Inverted) -> Path:
        stamp = {"source": face.details.get("photo"), "code": checksum(face.w_plus), "place": checksum(face.quad)}
        claim = self.claims.claim(name, stamp, [CODE_FILE, IMAGE, ALIGNED], [file])
        pictures: dict[Path, Pixels] = {self.claims.file(IMAGE, claim.name): to_pixels(face.image)}
        if face.aligned is not None:
            pictures[self.claims.file(ALIGNED, claim.name)] = to_pixels(face.aligned)
        path = self.claims.file(CODE_FILE, claim.name)
        write_results({path: face.code}, pictures, claim.signature)
        return path
