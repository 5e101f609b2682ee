"""The door of the runtime: inverts and edits photos with networks in ONNX files, without PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, Literal

import numpy as np

from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI, WORKING_SIZE
from latentloop.errors import UserError
from latentloop.latents.plain_code import PlainCode
from latentloop.runtime.alignment import full_quad
from latentloop.runtime.arrays import Floats, resample, to_pixels
from latentloop.runtime.bundle import load_bundle
from latentloop.runtime.change import changed
from latentloop.runtime.directions import edit, resolve
from latentloop.runtime.faces import AlignedFace, align_faces, already_aligned
from latentloop.runtime.networks import Networks
from latentloop.runtime.pasting import paste_back
from latentloop.runtime.photos import Photo, PhotoLike, open_photo
from latentloop.runtime.results import Edited, Inverted
from latentloop.weight_files import ASSETS

Mask = Literal["change", "face", "square"]
"""Part of the aligned square that is pasted into the photo, with soft edges. change: what the edit changed of the head;
face: all of the head; square: all of the square."""


SHIPPED = ASSETS
"""Bundle of the networks in the package: graphs that refer to the weights files beside them."""


def load(bundle: str | PathLike[str] | None = None, *, threads: int | None = None) -> "Runtime":
    """Open a bundle of networks in ONNX files; each is loaded when it is first used.

    Args:
        bundle: Folder that `latentloop export` wrote; None for the networks in the package.
        threads: Threads that compute a network; None for as many as there are cores.

    Raises:
        UserError: The folder is no bundle.
        ValueError: `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    return Runtime(load_bundle(fspath(SHIPPED if bundle is None else bundle), threads=threads))


@dataclass(frozen=True, repr=False)
class Runtime:
    """A generator with all that finds, edits and draws the codes of photos."""

    networks: Networks
    """What computes it all."""

    def invert(
        self, photo: PhotoLike, *, face: str | int = "largest", aligned: bool = False, looks: int = 1
    ) -> Inverted:
        """Find the code of a face in a photo, in one pass of the embedding network.

        Args:
            photo: Path of an image file; an image of Pillow; or an array (H, W, 3) of uint8.
            face: Face to take if there are several: "largest", or a number (1 is the largest).
            aligned: The photo is square and FFHQ-aligned already: skip face detection.
            looks: Looks of the network at the photo. 2: it looks again, at what its first code draws.

        Raises:
            UserError: The photo cannot be used, has no such face, or the network takes no second look.
        """
        if str(face) == "all":
            raise ValueError("face must be largest or a number; for all faces of a photo take invert_all")
        return self.invert_all(photo, face=face, aligned=aligned, looks=looks)[0]

    def invert_all(
        self,
        photo: PhotoLike | Photo,
        *,
        face: str | int = "all",
        aligned: bool = False,
        looks: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> list[Inverted]:
        """Find the code of every face in a photo, the largest first; arguments as for `invert`.

        Raises:
            UserError: As `invert`.
        """
        self.networks.prepare()
        opened = photo if isinstance(photo, Photo) else open_photo(photo, max_pixels=max_pixels)
        if aligned:
            faces = [already_aligned(opened.pixels, self.networks.resolution)]
        else:
            faces = align_faces(opened.pixels, self.networks, face=str(face))
        count = len(faces) if str(face) == "all" and not aligned else None
        file = {"photo": {**opened.file, "faces": count}} if opened.file else {}
        w_plus = np.concatenate([self.codes(one.image, looks=looks) for one in faces])
        images = [self._draw(one[None]) for one in w_plus]
        settings = {"method": "embed", "looks": looks, "aligned": aligned, "engine": "onnx"}
        return [
            self._inverted(opened, face, w, image, {**file, "settings": settings}, pasted=not aligned)
            for face, w, image in zip(faces, w_plus, images, strict=True)
        ]

    def codes(self, image: Floats, *, looks: int = 1) -> Floats:
        """Find the codes (N, num_ws, w_dim) of aligned images (N, 3, S, S) in [-1, 1], of any size S.

        Raises:
            UserError: The network takes no second look.
            ValueError: `looks` is neither 1 nor 2.
        """
        if looks not in (1, 2):
            raise ValueError(f"looks must be 1 or 2, got {looks}")
        networks, size = self.networks, self.networks.embedder_resolution
        if looks == 2 and networks.look_again is None:
            raise UserError("the network was not trained for a second look", arguments="looks")
        seen = resample(resample(image, min(WORKING_SIZE, networks.resolution)), size)
        w_plus = networks.embed(seen)
        if looks == 1 or networks.look_again is None:
            return w_plus
        return networks.look_again(seen, resample(networks.draw(w_plus), size), w_plus)

    def edit(
        self,
        photo: Inverted | Sequence[Inverted] | PhotoLike,
        strengths: Mapping[str, float] | None = None,
        *,
        keep: Sequence[str] = (),
        layers: str | None = None,
        mask: Mask = "change",
        **directions: float,
    ) -> Edited:
        """Change attributes of faces, and put them back into their photo.

        Args:
            photo: What `invert` found; several faces of one photo, as `invert_all` finds them; or a photo, whose
                largest face is taken.
            strengths: Directions by name, and how far to go along each: 1 is a clear change, negative ones go the
                other way.
            keep: Directions whose attributes should not change.
            layers: Layers that change, such as coarse or 0-3; None for each direction's own.
            mask: Part of the face that is pasted into the photo.
            directions: The same as `strengths`, as in `edit(photo, smile=1.5, age=-1)`.

        Raises:
            UserError: There is no such direction, or the photo cannot be used.
            TypeError: No direction is given.
        """
        total = {**(strengths or {}), **directions}
        if not total:
            raise TypeError("name at least one direction, such as smile=1")
        keep = (keep,) if isinstance(keep, str) else keep
        given = self._given(photo)
        edits = resolve(total, self.networks, keep=keep, layers=layers)
        faces = [self.invert(photo)] if given is None else given  # type: ignore[arg-type] # then it is a photo
        codes = edit(np.stack([one.w_plus for one in faces]), edits)
        drawn = [self._draw(one[None]) for one in codes]
        pixels = faces[0].photo if faces[0].pasted else None
        if pixels is None:
            return Edited(faces, codes, drawn, to_pixels(drawn[0]))
        for face, new in zip(faces, drawn, strict=True):
            where = changed(face.image, new) if mask == "change" else None
            cut_out = face.aligned if face.aligned is not None else face.image
            pixels = paste_back(
                pixels, new, face.quad, cut_out, where=where, shape="square" if mask == "square" else "face"
            )
        return Edited(faces, codes, drawn, pixels)

    def _given(self, photo: Inverted | Sequence[Inverted] | PhotoLike) -> list[Inverted] | None:
        """The faces that were found before; None of a photo.

        Raises:
            ValueError: They are of several photos, or their codes of another latent space.
        """
        if not isinstance(photo, Inverted | list | tuple):
            return None
        faces = [photo] if isinstance(photo, Inverted) else list(photo)
        if not faces or not all(isinstance(one, Inverted) for one in faces):
            raise ValueError("photo must be a photo, or one or more faces that invert found")
        if any(one.photo is not faces[0].photo for one in faces):
            raise ValueError("faces must be of one photo; edit those of another by themselves")
        if any(one.fingerprint != self.networks.fingerprint for one in faces):
            raise ValueError(f"the code of {faces[0].name} is of another generator than {self.networks.generator}")
        return faces

    def draw(self, w_plus: Floats) -> Floats:
        """Draw codes (N, num_ws, w_dim) as images (N, 3, R, R) in [-1, 1].

        Raises:
            ValueError: The codes are of another shape.
        """
        expected = (self.networks.num_ws, self.networks.w_dim)
        if w_plus.ndim != 3 or w_plus.shape[1:] != expected:
            raise ValueError(f"w_plus must be (N, {expected[0]}, {expected[1]}), got {w_plus.shape}")
        return np.concatenate([self._draw(one[None]) for one in w_plus])

    def sample(self, seed: int, *, truncation_psi: float = SAMPLE_PSI) -> Inverted:
        """Draw a random face.

        Args:
            seed: Seed of NumPy's generator; the faces are others than PyTorch's of the same seed.
            truncation_psi: 1 for all faces, less for faces nearer to the average, 0 for that.

        Raises:
            UserError: There is no mapping network.
        """
        networks = self.networks
        if networks.sample is None:
            raise UserError("the bundle has no mapping network (mapping.onnx), which draws random faces")
        z = np.random.default_rng(seed).standard_normal((1, networks.z_dim), np.float32)
        return self._alone(f"seed-{seed}", networks.sample(z, truncation_psi)[0])

    def open_code(self, code: PlainCode, name: str) -> Inverted:
        """Take up the code of a file, without its photo: edits draw the face alone.

        Args:
            code: What `load_plain_code` read.
            name: Its name.

        Raises:
            UserError: The code is another generator's.
        """
        networks = self.networks
        if code.fingerprint != networks.fingerprint:
            raise UserError(
                f"{name}: made for {code.generator} (latent space {code.fingerprint}), "
                f"not for {networks.generator} ({networks.fingerprint})"
            )
        if code.w_plus.shape != (networks.num_ws, networks.w_dim):
            expected = (networks.num_ws, networks.w_dim)
            raise UserError(f"{name}: w_plus is {code.w_plus.shape}, {networks.generator} takes {expected}")
        details = {"photo": code.photo} if code.photo else {}
        return self._alone(name, code.w_plus, details)

    def __repr__(self) -> str:
        return f"Runtime({self.networks.generator!r}, resolution={self.networks.resolution})"

    def _draw(self, w_plus: Floats) -> Floats:
        return self.networks.draw(w_plus).clip(-1, 1)

    def _alone(self, name: str, w_plus: Floats, details: dict[str, Any] | None = None) -> Inverted:
        networks, image = self.networks, self._draw(w_plus[None])
        quad = full_quad(networks.resolution)
        return Inverted(name, w_plus, image, networks.generator, networks.fingerprint, quad, details=details or {})

    def _inverted(
        self, photo: Photo, face: AlignedFace, w_plus: Floats, image: Floats, details: dict[str, Any], *, pasted: bool
    ) -> Inverted:
        return Inverted(
            name=photo.name,
            w_plus=w_plus,
            image=image,
            generator=self.networks.generator,
            fingerprint=self.networks.fingerprint,
            quad=face.quad,
            photo=photo.pixels,
            aligned=face.image,
            pasted=pasted,
            details=details,
        )
