"""Choosing faces in a photo, and aligning them, in NumPy, as in `latentloop.faces.choice`."""

from dataclasses import dataclass

from latentloop.errors import UserError
from latentloop.faces.wanted import check_wanted, chosen
from latentloop.pixels import Pixels
from latentloop.runtime.alignment import crop_quad, ffhq_quad, full_quad
from latentloop.runtime.arrays import Doubles, Floats, resample, to_image
from latentloop.runtime.networks import Networks
from latentloop.runtime.upright import find_faces, looked_at_again


@dataclass(frozen=True)
class AlignedFace:
    """An aligned face image and its square in the photo."""

    image: Floats
    """Aligned image, (1, 3, S, S) in [-1, 1]."""
    quad: Doubles
    """Corners of the square in the photo: top left, bottom left, bottom right, top right, (4, 2)."""


def align_faces(photo: Pixels, networks: Networks, *, face: str = "largest") -> list[AlignedFace]:
    """Find faces in a photo, in any orientation, and align them as FFHQ does, largest first.

    Args:
        photo: Pixels (H, W, 3) in 0..255.
        networks: Networks that detect faces; aligned images get the generator's resolution.
        face: "largest", "all", or a rank by size such as "2"; "1" is the largest.

    Raises:
        UserError: There is no face, or fewer faces than the rank asked for.
        ValueError: `face` is not one of these.
    """
    check_wanted(face)
    faces = find_faces(photo, networks)
    quads = [ffhq_quad(looked_at_again(photo, faces.landmarks[i], networks)) for i in chosen(face, len(faces))]
    return [AlignedFace(crop_quad(photo, quad, networks.resolution), quad) for quad in quads]


def already_aligned(photo: Pixels, size: int) -> AlignedFace:
    """Wrap an already aligned photo as an `AlignedFace`, shrunk to (1, 3, size, size) if it is larger.

    Raises:
        UserError: The photo is not square.
    """
    height, width = photo.shape[:2]
    if height != width:
        raise UserError(f"an aligned photo is square, this one is {width} x {height}", arguments="aligned")
    return AlignedFace(resample(to_image(photo), min(size, width)), full_quad(width))
