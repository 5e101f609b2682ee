"""Results of `Model`: inverted and edited photos."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self

from torch import Tensor

from latentloop.embedding.inverter import InvertedFace
from latentloop.faces import AlignedFace
from latentloop.latents import Code, save_code
from latentloop.photo_editing.rendered_edit import RenderedEdit
from latentloop.photo_editing.subjects import Subject
from latentloop.pictures.picture import Picture


@dataclass(frozen=True, repr=False)
class InvertedPhoto:
    """The code of a face in a photo, and how good it is."""

    name: str
    """Name of the photo, without ending."""
    image: Picture
    """Reconstruction: the image drawn from the code."""
    aligned: Picture
    """The aligned face that was reconstructed."""
    metrics: Mapping[str, float]
    """Metrics of the reconstruction at 256 pixels: `mse` on [-1, 1], `psnr` in dB, `ssim`, `lpips_alex`, and `id`, the
    cosine similarity of face-recognition embeddings. At full size, as far as image and photo have the pixels:
    `lpips_full`, and the periodic pattern of reconstruction and photo, `pattern` and `pattern_photo`."""
    seconds: float
    """Seconds spent on the code and its reconstruction."""
    code: Code
    """The code, with the face's place in the photo and its provenance."""
    origin: Picture
    """The whole photo."""
    one_pass: Picture | None = None
    """One-pass reconstruction, if the iterator started from it."""

    @classmethod
    def of(cls, name: str, found: InvertedFace, face: AlignedFace, photo: Tensor, code: Code) -> Self:
        """Assemble the result of one inverted face.

        Args:
            name: Name of the photo.
            found: The code, and what it draws.
            face: The aligned face.
            photo: The whole photo, (1, 3, H, W) in [-1, 1].
            code: The code as its file has it.
        """
        result, first = found.reconstruction, found.one_pass
        return cls(
            name=name,
            image=Picture.of(result.image),
            aligned=Picture.of(face.image),
            metrics=dict(result.figures.metrics),
            seconds=result.figures.seconds,
            code=code,
            origin=Picture.of(photo),
            one_pass=Picture.of(first.image) if first else None,
        )

    @property
    def w_plus(self) -> Tensor:
        """Code in W+, (num_ws, w_dim), on the CPU."""
        return self.code.w_plus

    def save(self, path: str | PathLike[str]) -> None:
        """Write the code file, which every command and `latentloop.load_code` read.

        Raises:
            UserError: The file cannot be written.
        """
        save_code(Path(path), self.code)

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name}={value:.4g}" for name, value in self.metrics.items())
        return f"InvertedPhoto({self.name!r}, {metrics}, seconds={self.seconds:.3g})"


@dataclass(frozen=True, repr=False)
class EditedPhoto:
    """An edited face, alone and in its photo."""

    name: str
    """Name of the picture that was edited."""
    photo: Picture
    """The photo with the edited face, at full size; the face alone if there is no photo."""
    face: Picture
    """The aligned face after the edit."""
    strengths: Mapping[str, float]
    """Strengths of the edit by direction."""
    code: Code
    """The edited code, with the face's place in the photo."""
    origin: Picture | None = None
    """The whole photo before the edit."""

    @classmethod
    def of(cls, subject: Subject, edit: RenderedEdit, strengths: Mapping[str, float]) -> Self:
        """Assemble the result of a subject's first face."""
        return cls(
            name=subject.name,
            photo=Picture.of(edit.picture),
            face=Picture.of(edit.faces[0]),
            strengths=strengths,
            code=edit.code(subject, 0),
            origin=Picture.of(subject.origin.image) if subject.origin else None,
        )

    @property
    def w_plus(self) -> Tensor:
        """Edited code in W+, (num_ws, w_dim), on the CPU."""
        return self.code.w_plus

    def save(self, path: str | PathLike[str]) -> None:
        """Write the code file, which every command and `latentloop.load_code` read.

        Raises:
            UserError: The file cannot be written.
        """
        save_code(Path(path), self.code)

    def __repr__(self) -> str:
        strengths = ", ".join(f"{name}={value:g}" for name, value in self.strengths.items())
        return f"EditedPhoto({self.name!r}, {strengths}, photo={self.photo.width}x{self.photo.height})"
