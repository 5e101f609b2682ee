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
    """Code of a face in a photo, with its reconstruction and metrics."""

    name: str
    """Name of the photo, without suffix."""
    image: Picture
    """Reconstruction: the image drawn from the code."""
    aligned: Picture
    """Aligned face that was reconstructed."""
    metrics: Mapping[str, float]
    """Metrics of the reconstruction at 256 pixels: `mse` on [-1, 1], `psnr` in dB, `ssim`, `lpips_alex`, and `id`, the
    cosine similarity of face-recognition embeddings. At full size, if image and photo have enough pixels: `lpips_full`,
    and the periodic pattern of reconstruction and photo, `pattern` and `pattern_photo`."""
    seconds: float
    """Seconds spent on the code and its reconstruction."""
    code: Code
    """Code with the face's position in the photo and its provenance."""
    origin: Picture
    """Whole photo before inversion."""
    one_pass: Picture | None = None
    """One-pass reconstruction, if the iterator started from it."""

    @classmethod
    def of(cls, name: str, found: InvertedFace, face: AlignedFace, photo: Tensor, code: Code) -> Self:
        """Assemble the result of one inverted face.

        Args:
            name: Name of the photo.
            found: Code and reconstruction.
            face: Aligned face.
            photo: Whole photo, (1, 3, H, W) in [-1, 1].
            code: Content of the code file.
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
        """Write the code file, which every command and `latentloop.load_code` can read.

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
    """Photo with the edited face, at full size; the face alone if there is no photo."""
    face: Picture
    """Aligned face after the edit."""
    strengths: Mapping[str, float]
    """Strength of each direction of the edit, by its name."""
    code: Code
    """Edited code, with the face's position in the photo."""
    origin: Picture | None = None
    """Whole photo before the edit; None for a face without one."""

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
        """Write the code file, which every command and `latentloop.load_code` can read.

        Raises:
            UserError: The file cannot be written.
        """
        save_code(Path(path), self.code)

    def __repr__(self) -> str:
        strengths = ", ".join(f"{name}={value:g}" for name, value in self.strengths.items())
        return f"EditedPhoto({self.name!r}, {strengths}, photo={self.photo.width}x{self.photo.height})"
