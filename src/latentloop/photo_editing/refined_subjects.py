"""Subjects with refinements: each face is drawn by the generator that was refined for it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from latentloop.embedding import Components
from latentloop.errors import UserError
from latentloop.generators import Generator, Refinement, refined
from latentloop.generators.registry import renderers_of
from latentloop.latents.refinement_arrays import refinement_arrays
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.subjects import Subject


def with_refinements(subject: Subject, components: Components) -> Subject:
    """Add the refined generators to a subject; without refinements it is returned unchanged.

    Raises:
        UserError: A refinement is damaged, or belongs to a generator of another latent space.
    """
    if not any(subject.refinements):
        return subject
    drawn_by = tuple(refine_renderer([one], components, subject.name) if one else None for one in subject.refinements)
    return replace(subject, drawn_by=drawn_by)


def refine_renderer(refinements: Sequence[Refinement], components: Components, name: str) -> Generator:
    """Refine the generator that refinements were found with.

    Args:
        refinements: A refinement, or the scaled refinements of a mixture.
        components: Components that have this generator as a renderer.
        name: Name of the refined picture for error messages.

    Raises:
        UserError: The refinements are damaged, or belong to another generator or to different ones.
    """
    if len({one.weights for one in refinements}) > 1:
        raise UserError(f"{name}: faces that were refined with different generators cannot be mixed")
    sizes = {renderer: size for size, renderer in renderers_of(components.generator).items()}
    size = sizes.get(refinements[0].generator, components.generator.resolution)  # the file may have been renamed
    return refined(components.renderer(size), *refinements, path=name)


def checksum_of_codes(w_plus: Tensor, refinements: Sequence[Refinement | None] = ()) -> str:
    """Compute the checksum of codes (F, num_ws, w_dim) and their refinements, if any."""
    codes = checksum_of(w_plus)
    if not any(refinements):
        return codes
    digest = hashlib.sha256(codes.encode())
    for refinement in refinements:
        for name, array in refinement_arrays(refinement).items() if refinement else ():
            digest.update(name.encode() + array.tobytes())
        # A separator, also for faces without a refinement: the same arrays on another face give another digest.
        digest.update(b"next")
    return digest.hexdigest()
