"""The entry point of the runtime: inversion and editing with networks in ONNX files, without PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI, WORKING_SIZE, Mask
from latentloop.editing.added_strengths import added
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

SHIPPED = ASSETS
"""Bundle of the networks in the package: graphs that refer to the weights files beside them."""


def load(bundle: str | PathLike[str] | None = None, *, threads: int | None = None) -> "Runtime":
    """Open a bundle of networks in ONNX files; each network is loaded when it is first used.

    Args:
        bundle: Folder that `latentloop export` wrote; None for the bundled networks.
        threads: Number of threads that run a network; None for as many as there are cores.

    Raises:
        UserError: The folder is not a bundle.
        ValueError: `threads` is below 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    return Runtime(load_bundle(fspath(SHIPPED if bundle is None else bundle), threads=threads))


@dataclass(frozen=True, repr=False)
class Runtime:
    """A generator with the networks that invert, edit and draw photos."""

    networks: Networks
    """Networks of the bundle, as functions."""

    def invert(
        self, photo: PhotoLike, *, face: str | int = "largest", aligned: bool = False, looks: int = 1
    ) -> Inverted:
        """Find the code of a face in a photo with one pass of the embedding network.

        Args:
            photo: Path of an image file, a Pillow image, or an array (H, W, 3) of uint8.
            face: Face to take if there are several: "largest", or a number (1 is the largest).
            aligned: The photo is square and FFHQ-aligned already: skip face detection.
            looks: Number of passes; in the second the network compares the photo with its first reconstruction.

        Raises:
            UserError: The photo cannot be used or has no such face, or the network has no second look.
        """
        if str(face) == "all":
            raise ValueError("face must be largest or a number; for all faces of a photo use invert_all")
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
        """Find the codes of all faces in a photo, largest first; arguments as for `invert`.

        Raises:
            UserError: The photo cannot be used or has no such face, or the network has no second look.
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
        """Predict the codes (N, num_ws, w_dim) of aligned images (N, 3, S, S) in [-1, 1], of any size S.

        Raises:
            UserError: The network has no second look.
            ValueError: `looks` is neither 1 nor 2.
        """
        if looks not in (1, 2):
            raise ValueError(f"looks must be 1 or 2, got {looks}")
        networks, size = self.networks, self.networks.embedder_resolution
        if looks == 2 and networks.look_again is None:
            raise UserError("the network was not trained for a second look", arguments="looks")
        # By way of the working size, as the path with PyTorch does, so that both see the same pixels.
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
        """Change attributes of faces, and paste them back into their photo.

        Args:
            photo: Result of `invert`, several faces of one photo from `invert_all`, or a photo, whose largest face is
                taken.
            strengths: Strengths by direction: 1 is a clear change, negative values reverse it.
            keep: Directions whose attributes should not change.
            layers: Layers to change, such as coarse or 0-3; None for each direction's own.
            mask: Part of the face that is pasted into the photo.
            directions: Further strengths as keywords, as in `edit(photo, smile=1.5, age=-1)`; they are added.

        Raises:
            UserError: A direction does not exist, or the photo cannot be used.
            TypeError: No direction is given.
            ValueError: A strength is not finite.
        """
        total = added(strengths or {}, directions)
        if not total:
            raise TypeError("name at least one direction, such as smile=1")
        keep = (keep,) if isinstance(keep, str) else keep
        given = self._given(photo)
        edits = resolve(total, self.networks, keep=keep, layers=layers)
        faces = [self.invert(photo)] if given is None else given  # type: ignore[arg-type] # None only for a photo
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
        """The faces among the argument, which were inverted before; None if it is a photo.

        Raises:
            ValueError: The faces are from several photos, or their codes belong to another latent space.
        """
        if not isinstance(photo, Inverted | list | tuple):
            return None
        faces = [photo] if isinstance(photo, Inverted) else list(photo)
        if not faces or not all(isinstance(one, Inverted) for one in faces):
            raise ValueError("photo must be a photo, or one or more faces that invert found")
        if any(one.photo is not faces[0].photo for one in faces):
            raise ValueError("faces must be from one photo; edit those of other photos separately")
        if any(one.fingerprint != self.networks.fingerprint for one in faces):
            raise ValueError(f"the code of {faces[0].name} belongs to another generator than {self.networks.generator}")
        return faces

    def draw(self, w_plus: Floats) -> Floats:
        """Draw codes (N, num_ws, w_dim) as images (N, 3, R, R) in [-1, 1].

        Raises:
            ValueError: The codes have another shape.
        """
        expected = (self.networks.num_ws, self.networks.w_dim)
        if w_plus.ndim != 3 or w_plus.shape[1:] != expected:
            raise ValueError(f"w_plus must be (N, {expected[0]}, {expected[1]}), got {w_plus.shape}")
        return np.concatenate([self._draw(one[None]) for one in w_plus])

    def sample(self, seed: int, *, truncation_psi: float = SAMPLE_PSI) -> Inverted:
        """Draw a random face from the generator's latent space.

        Args:
            seed: Seed of NumPy's random generator; PyTorch draws other faces from the same seed.
            truncation_psi: Truncation, from 1 (all of W) to 0 (the average face).

        Raises:
            UserError: The bundle has no mapping network.
        """
        networks = self.networks
        if networks.sample is None:
            raise UserError("the bundle has no mapping network (mapping.onnx), which draws random faces")
        z = np.random.default_rng(seed).standard_normal((1, networks.z_dim), np.float32)
        return self._alone(f"seed-{seed}", networks.sample(z, truncation_psi)[0])

    def open_code(self, code: PlainCode, name: str) -> Inverted:
        """Draw the code of a file, without its photo; edits of it are of the face alone.

        Args:
            code: Code that `load_plain_code` read.
            name: Name of the code.

        Raises:
            UserError: The code belongs to another generator.
        """
        networks = self.networks
        if code.fingerprint != networks.fingerprint:
            raise UserError(
                f"{name}: made for {code.generator} (latent space {code.fingerprint}), "
                f"not for {networks.generator} (latent space {networks.fingerprint})"
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
