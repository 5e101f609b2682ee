"""Opening photos, code files and random faces in a session."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.embedding.record import photo_entry
from latentloop.encoders import predict
from latentloop.errors import UserError
from latentloop.faces import AlignedFace, align_faces, full_image_quad
from latentloop.images import read_image, resample, write_png
from latentloop.latents import Code, mean_code, save_code
from latentloop.photo_editing.subjects import Subject
from latentloop.studio.session import NO_FACE, OpenFace, OpenPhoto, Session
from latentloop.studio.workbench import Workbench

SEEDS = 1_000_000
"""Number of random faces to choose from."""
SMALLEST = 6
"""Faces smaller than the largest divided by this are not shown: passers-by, or false detections."""
LONGEST_NAME = 60
"""Largest number of characters of a photo's name that its copy keeps."""


def open_photo(bench: Workbench, session: Session, upload: Path, name: str) -> OpenFace:
    """Open a photo, and predict the code of its largest face in one pass.

    Args:
        bench: Workbench of all sessions.
        session: Session that switches to the face.
        upload: Uploaded file.
        name: Name of the file on the user's machine.

    Raises:
        UserError: The photo cannot be used or has no face; the session is then unchanged.
    """
    image = _read(bench, upload, name)
    faces = _faces(bench, image, "all")
    path = session.new_place() / plain_name(name)
    if bench.for_faces:
        shutil.copyfile(upload, path)
    else:
        path, image = path.with_suffix(".png"), _middle(image)
        write_png(path, image)
    shown = [face for face in faces if face.side * SMALLEST >= faces[0].side]
    photo = OpenPhoto(path, (image.shape[-1], image.shape[-2]), tuple(shown), aligned=not bench.for_faces)
    return open_face(bench, session, photo, 0)


def open_face(bench: Workbench, session: Session, photo: OpenPhoto, number: int) -> OpenFace:
    """Predict the code of a face in one pass of the network, and switch to it.

    Args:
        bench: Workbench of all sessions.
        session: Session that switches to the face.
        photo: Photo with the face.
        number: Number of the face in the photo, from 0.

    Raises:
        UserError: The photo has no such face.
    """
    if not 0 <= number < len(photo.faces):
        raise UserError(NO_FACE)
    w_plus = _first_code(bench, photo.faces[number])
    argument = save(photo, code_of(bench, photo, photo.faces[number], w_plus))
    face = OpenFace(photo.path.parent, argument, w_plus, photo, number)
    session.begin(face)
    return face


def code_in_photo(bench: Workbench, upload: Path, name: str) -> Tensor:
    """Predict the code of the largest face of a photo in one pass, (1, num_ws, w_dim).

    Args:
        bench: Workbench of all sessions.
        upload: Uploaded file.
        name: Name of the file on the user's machine.

    Raises:
        UserError: The photo cannot be used or has no face.
    """
    image = _read(bench, upload, name)
    (face,) = _faces(bench, image, "largest")
    return _first_code(bench, face)


def open_code(bench: Workbench, session: Session, upload: Path, name: str) -> OpenFace:
    """Open a code file; its face is pasted into the open photo, if it comes from there.

    Args:
        bench: Workbench of all sessions.
        session: Session that switches to the face.
        upload: Uploaded file.
        name: Name of the file on the user's machine.

    Raises:
        UserError: The file is not a code, or belongs to another generator; the session is then unchanged.
    """
    path, opened = session.new_place() / plain_name(name), session.face
    photo = opened.photo if opened else None
    shutil.copyfile(upload, path)
    with called(path, name):
        subject = _fitting(bench, path, photo) if photo else None
        if subject is None:
            subject, photo = bench.read(str(path), None), None
    place = photo.path.parent if photo else path.parent
    number = _nearest(photo, subject.codes[0]) if photo and subject.codes else 0
    face = OpenFace(place, str(path), subject.w_plus, photo, number, found=True, subject=subject)
    session.begin(face)
    return face


def open_random(bench: Workbench, session: Session, seed: int) -> OpenFace:
    """Open a random face.

    Raises:
        UserError: The seed is invalid.
    """
    subject = bench.read(f"seed:{seed}", None)
    face = OpenFace(session.new_place(), f"seed:{seed}", subject.w_plus)
    session.begin(face)
    return face


def code_of(bench: Workbench, photo: OpenPhoto, face: AlignedFace, w_plus: Tensor) -> Code:
    """Assemble the code file of a code (1, num_ws, w_dim) that was found on the page."""
    generator = bench.model.components.generator
    return Code(
        w_plus=w_plus[0].cpu(),
        space="w+",
        generator=generator.name,
        fingerprint=generator.fingerprint,
        quad=face.quad,
        original_size=photo.size,
        losses=torch.zeros(0),
        steps=0,
        details={"photo": photo_entry(photo.path)},
    )


def save(photo: OpenPhoto, code: Code) -> str:
    """Save a code beside its photo, under the photo's name; returns the path."""
    path = photo.path.with_suffix(".npz")
    save_code(path, code)
    return str(path)


@contextmanager
def called(path: Path, name: str) -> Iterator[None]:
    """Make error messages call a file by the name that the user knows."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(path), name)) from error


def plain_name(name: str) -> str:
    """Reduce a file's name to characters that every file system and command accepts, for the session's copy."""
    stem, suffix = Path(Path(name).name).stem, Path(name).suffix.lower()
    plain = re.sub(r"[^\w.-]+", "_", stem)[:LONGEST_NAME].strip("._") or "photo"
    return plain + re.sub(r"[^a-z0-9.]", "", suffix)[:8]


def _fitting(bench: Workbench, path: Path, photo: OpenPhoto) -> Subject | None:
    """Read the face of a code in a photo; None if the code comes from another one."""
    try:
        return bench.read(str(path), photo.path)
    except UserError:
        return None


def _nearest(photo: OpenPhoto, code: Code) -> int:
    """Return the number of the photo's face that a code belongs to."""
    middle = code.quad.mean(dim=0)
    away = [float((face.quad.mean(dim=0) - middle).norm()) for face in photo.faces]
    return away.index(min(away))


def _read(bench: Workbench, upload: Path, name: str) -> Tensor:
    """Read an uploaded image; error messages call it by the name that the user knows."""
    with called(upload, name):
        return read_image(upload, max_pixels=bench.max_pixels)


def _faces(bench: Workbench, image: Tensor, face: str) -> list[AlignedFace]:
    """Find the faces of a photo; for other generators, take the centre of the image."""
    size = min(WORKING_SIZE, bench.model.components.renderer().resolution)
    if bench.for_faces:
        return align_faces(image, bench.model.components.detector, size, face=face)
    middle = _middle(image)
    side = middle.shape[-1]
    return [AlignedFace(resample(middle, min(size, side)), full_image_quad(side))]


def _first_code(bench: Workbench, face: AlignedFace) -> Tensor:
    """Predict the code in one pass, (1, num_ws, w_dim); the mean latent without a network."""
    parts = bench.model.components
    if not parts.embedder:
        return mean_code(parts.generator)
    return predict(parts.encoder, face.image.to(parts.device))


def _middle(image: Tensor) -> Tensor:
    """Crop the central square of an image (1, 3, H, W)."""
    height, width = image.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[..., top : top + side, left : left + side]
