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
    """The code of a face, and the photo that the face is from."""

    name: str
    """Name of the photo, without ending."""
    w_plus: Floats
    """The code in W+, (num_ws, w_dim)."""
    image: Floats
    """Reconstruction: what the generator draws of the code, (1, 3, R, R) in [-1, 1]."""
    generator: str
    """Name of the generator."""
    fingerprint: str
    """Fingerprint of its latent space."""
    quad: Doubles
    """Corners of the aligned square in the photo, (4, 2): top left, bottom left, bottom right, top right."""
    photo: Pixels | None = None
    """The whole photo, (H, W, 3) in 0..255; None for a face without one."""
    aligned: Floats | None = None
    """The aligned face whose code it is, (1, 3, R, R) in [-1, 1]; None for a face without a photo."""
    pasted: bool = True
    """Whether an edited face goes back into the photo; not if the photo is the aligned face."""
    details: dict[str, Any] = field(default_factory=dict)
    """What the code file tells beside the code: the photo's name and checksum, settings."""

    @property
    def code(self) -> PlainCode:
        """The code as its file has it."""
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
        """Write the code file, which every command of latentloop reads.

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
    """The faces before the edit."""
    codes: Floats
    """Their edited codes, (F, num_ws, w_dim)."""
    drawn: Sequence[Floats]
    """What the generator draws of these, (1, 3, R, R) in [-1, 1] each."""
    pixels: Pixels
    """The photo with the edited faces, (H, W, 3) in 0..255; the first face alone if there is no photo."""

    @property
    def picture(self) -> Image.Image:
        """The photo with the edited faces."""
        return Image.fromarray(self.pixels)

    @property
    def face(self) -> Image.Image:
        """The first edited face alone."""
        return Image.fromarray(to_pixels(self.drawn[0]))

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Edited({self.faces[0].name!r}, {len(self.faces)} faces, {width}x{height})"
