"""Results of the runtime: inverted and edited faces."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentloop.files import replacing
from latentloop.latents.plain_code import PlainCode, encode_code
from latentloop.pixels import Pixels
from latentloop.runtime.arrays import Doubles, Floats, to_pixels


@dataclass(frozen=True, repr=False)
class Inverted:
    """An inverted face: its code, its reconstruction and its photo."""

    name: str
    """Name of the photo, without suffix."""
    w_plus: Floats
    """Code in W+, (num_ws, w_dim)."""
    image: Floats
    """Reconstruction, (1, 3, R, R) in [-1, 1]."""
    generator: str
    """Name of the generator."""
    fingerprint: str
    """Fingerprint of its latent space."""
    quad: Doubles
    """Corners of the aligned square in the photo, (4, 2): top left, bottom left, bottom right, top right."""
    photo: Pixels | None = None
    """Whole photo, (H, W, 3) in 0..255; None for a face without a photo."""
    aligned: Floats | None = None
    """Aligned face that was embedded, (1, 3, R, R) in [-1, 1]; None for a face without a photo."""
    pasted: bool = True
    """Whether an edited face is pasted into the photo; False if the photo is the aligned face itself."""
    details: dict[str, Any] = field(default_factory=dict)
    """Details for the code file: the photo's name and checksum, settings."""

    @property
    def code(self) -> PlainCode:
        """The code as the content of a code file."""
        height, width = self.photo.shape[:2] if self.photo is not None else self.image.shape[2:]
        return PlainCode(
            w_plus=self.w_plus,
            space="w+",
            generator=self.generator,
            fingerprint=self.fingerprint,
            quad=self.quad,
            original_size=(width, height),
            losses=np.zeros(0, np.float32),
            steps=0,
            details=self.details,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write a code file, which all commands of latentloop read.

        Raises:
            UserError: The file cannot be written.
        """
        with replacing(Path(path)) as part:
            part.write_bytes(encode_code(self.code))

    def __repr__(self) -> str:
        return f"Inverted({self.name!r}, generator={self.generator!r})"


@dataclass(frozen=True, repr=False)
class Edited:
    """Edited faces, alone and in their photo."""

    faces: Sequence[Inverted]
    """Faces before the edit."""
    codes: Floats
    """Edited codes, (F, num_ws, w_dim)."""
    drawn: Sequence[Floats]
    """Images of the edited codes, each (1, 3, R, R) in [-1, 1]."""
    pixels: Pixels
    """Photo with the edited faces, (H, W, 3) in 0..255; the first face alone if there is no photo."""

    @property
    def picture(self) -> Image.Image:
        """The photo with the edited faces, as a Pillow image."""
        return Image.fromarray(self.pixels)

    @property
    def face(self) -> Image.Image:
        """The first edited face alone, as a Pillow image."""
        return Image.fromarray(to_pixels(self.drawn[0]))

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Edited({self.faces[0].name!r}, {len(self.faces)} faces, {width}x{height})"
