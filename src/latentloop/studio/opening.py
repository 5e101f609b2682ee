"""Opening photos, code files and random faces in a session."""

import re
import shutil
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.embedding.record import photo_entry
from latentloop.errors import UserError
from latentloop.faces import AlignedFace, align_faces, full_image_quad
from latentloop.images import read_image, resample, write_png
from latentloop.latents import Code, mean_code, save_code
from latentloop.studio.session import OpenPhoto, Session
from latentloop.studio.workbench import NO_FACE, Workbench

SEEDS = 1_000_000
"""Number of random faces to choose from."""
SMALLEST = 6
"""Faces are shown down to this fraction of the largest; smaller ones are passers-by, or none."""
LONGEST_NAME = 60
"""Most characters of a photo's name that its copy keeps."""


def open_photo(bench: Workbench, session: Session, upload: Path, name: str) -> OpenPhoto:
    """Read a photo into a session, and find its faces; nothing of an earlier photo stays.

    Args:
        bench: The workbench.
        session: The session.
        upload: The file as it came.
        name: Name of the file on the user's machine.

    Raises:
        UserError: It cannot be used, or shows no face. The session stays as it was.
    """
    image = _read(bench, upload, name)
    path = session.folder / plain_name(name)
    with bench.turns.quick():
        faces = _faces(bench, image, "all")
    if bench.for_faces:
        shutil.copyfile(upload, path)
    else:
        path = path.with_suffix(".png")
        write_png(path, _middle(image))
        image = read_image(path, max_pixels=bench.max_pixels)  # rounded, as it will be read again
    shown = [face for face in faces if face.side * SMALLEST >= faces[0].side]
    photo = OpenPhoto(path, image, tuple(shown), aligned=not bench.for_faces)
    session.begin(photo)
    return photo


def look(bench: Workbench, session: Session, face: int = 0) -> Tensor:
    """Find the code of a face in one pass of the network, which the session takes; gives the face that it draws.

    Args:
        bench: The workbench.
        session: A session with a photo.
        face: Number of the face in the photo, from 0.

    Returns:
        Image (1, 3, S, S) in [-1, 1].

    Raises:
        UserError: There is no such face.
    """
    photo = session.photo
    if photo is None or not 0 <= face < len(photo.faces):
        raise UserError(NO_FACE)
    chosen = photo.faces[face]
    session.begin(photo)
    session.face = face
    with bench.turns.quick():
        take(session, photo, code_of(bench, photo, chosen, _first_code(bench, chosen)))
        return bench.preview(session, session.shown)


def code_in_photo(bench: Workbench, upload: Path, name: str) -> Tensor:
    """Find the code of the largest face of a photo in one pass, (1, num_ws, w_dim).

    Args:
        bench: The workbench.
        upload: The file as it came.
        name: Name of the file on the user's machine.

    Raises:
        UserError: It cannot be used, or shows no face.
    """
    image = _read(bench, upload, name)
    with bench.turns.quick():
        (face,) = _faces(bench, image, "largest")
        return _first_code(bench, face)


def open_code(bench: Workbench, session: Session, upload: Path, name: str) -> bool:
    """Open a code file; its face goes back into the photo that is open, if it is of that. Returns whether it is.

    Args:
        bench: The workbench.
        session: The session.
        upload: The file as it came.
        name: Name of the file on the user's machine.

    Raises:
        UserError: It is no code, or another generator's. The session stays as it was.
    """
    path, photo = session.folder / plain_name(name), session.photo
    shutil.copyfile(upload, path)
    subject, fits = bench.read(str(path), None), False
    if photo:
        try:
            subject, fits = bench.read(str(path), photo.path), True
        except UserError:
            photo = None
    session.begin(photo)
    session.take(str(path), subject.w_plus)
    session.subject = subject
    return fits


def open_random(bench: Workbench, session: Session, seed: int) -> Tensor:
    """Open a random face; gives it, (1, 3, S, S) in [-1, 1].

    Raises:
        UserError: The seed is none.
    """
    subject = bench.read(f"seed:{seed}", None)
    session.begin(None)
    session.take(f"seed:{seed}", subject.w_plus)
    with bench.turns.quick():
        return bench.preview(session, session.shown)


def code_of(bench: Workbench, photo: OpenPhoto, face: AlignedFace, w_plus: Tensor) -> Code:
    """Make the code file of a code (1, num_ws, w_dim) that was found on the page."""
    generator = bench.model.components.generator
    return Code(
        w_plus=w_plus[0].cpu(),
        space="w+",
        generator=generator.name,
        fingerprint=generator.fingerprint,
        quad=face.quad,
        original_size=(photo.image.shape[-1], photo.image.shape[-2]),
        losses=torch.zeros(0),
        steps=0,
        details={"photo": photo_entry(photo.path)},
    )


def take(session: Session, photo: OpenPhoto, code: Code) -> None:
    """Save a code of a photo's face, and go on to it."""
    path = photo.path.with_suffix(".npz")
    save_code(path, code)
    session.take(str(path), code.w_plus[None])


def plain_name(name: str) -> str:
    """Make the name of a session's copy of a file: the user's own, as far as every file system and command takes it."""
    stem, suffix = Path(Path(name).name).stem, Path(name).suffix.lower()
    plain = re.sub(r"[^\w.-]+", "_", stem)[:LONGEST_NAME].strip("._") or "photo"
    return plain + re.sub(r"[^a-z0-9.]", "", suffix)[:8]


def _read(bench: Workbench, upload: Path, name: str) -> Tensor:
    """Read an uploaded image; errors call it by the name that the user knows."""
    try:
        return read_image(upload, max_pixels=bench.max_pixels)
    except UserError as error:
        raise UserError(str(error).replace(f"{upload}: ", f"{name}: ", 1)) from error


def _faces(bench: Workbench, image: Tensor, face: str) -> list[AlignedFace]:
    """Faces of a photo; of one that shows none by the generator's nature, its middle."""
    if bench.for_faces:
        return align_faces(image, bench.model.components.detector, _size(bench), face=face)
    middle = _middle(image)
    side = middle.shape[-1]
    return [AlignedFace(resample(middle, min(_size(bench), side)), full_image_quad(side))]


@torch.no_grad()
def _first_code(bench: Workbench, face: AlignedFace) -> Tensor:
    """The code that the network finds in one pass, (1, num_ws, w_dim); the mean without a network."""
    parts = bench.model.components
    if not parts.embedder:
        return mean_code(parts.generator)
    return parts.encoder(resample(face.image.to(parts.device), parts.encoder.resolution))


def _size(bench: Workbench) -> int:
    """Size at which faces are looked at, in pixels."""
    return min(WORKING_SIZE, bench.model.components.renderer().resolution)


def _middle(image: Tensor) -> Tensor:
    """The square in the middle of an image (1, 3, H, W)."""
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[..., top : top + side, left : left + side]
