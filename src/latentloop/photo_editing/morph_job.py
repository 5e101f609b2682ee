"""Morphing job of `latentloop morph`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latentloop.editing import layer_weights, morph
from latentloop.embedding import Components
from latentloop.errors import UserError
from latentloop.generators import Generator, Refinement
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.frames import check_animation, check_length, write_frames
from latentloop.photo_editing.job_options import MorphOptions
from latentloop.photo_editing.refined_subjects import checksum_of_codes, refine_renderer
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.signatures import signature_in, signature_of
from latentloop.photo_editing.subjects import is_coded
from latentloop.stamps import stamp_of
from latentloop.video.files import pyav


def morph_pictures(
    arguments: Sequence[str],
    out: Path,
    options: MorphOptions,
    finder: SubjectFinder,
) -> Path:
    """Turn each face into the next one; returns the path of the animation.

    Args:
        arguments: Two or more faces, as `expand_arguments` returns them.
        out: A .gif or .mp4 file, or a folder for the frames; an earlier morph there is replaced.
        options: Settings of the morph.
        finder: Finder of the faces.

    Raises:
        UserError: There are fewer than two faces, one cannot be used, or the animation cannot be written or would
            replace a foreign file.
    """
    too_few = UserError("a morph takes two faces or more; name at least two photos or codes")
    if len(arguments) == 1 and not is_coded(arguments[0]) and finder.options.faces.face != "all":
        raise too_few
    generator = finder.components.generator
    weights = layer_weights(options.layers, generator.num_ws)
    if out.suffix.lower() == ".mp4":
        pyav()
    check_animation(out, arguments, ours=lambda file: signature_in(file, "morph") is not None)
    subjects = finder.all_subjects(arguments)
    codes = torch.cat([one.w_plus for one in subjects])
    refinements = [one for subject in subjects for one in subject.refinements]
    if len(codes) < 2:
        raise too_few
    if there := [one for one in refinements if one]:
        refine_renderer(there, finder.components, "morph")  # raises before anything is drawn if they cannot be mixed
    between = morph(codes, options.frames, weights=weights, ease=options.ease, loop=options.loop)
    editor = Editor(finder.components.renderer())
    renderers = _renderers(refinements, options, weights, finder.components)
    drawn = (editor.faces(w[None], [by], size=options.size)[0] for w, by in zip(between, renderers, strict=True))
    check_length(out, len(between))
    stamp = stamp_of(options, codes=checksum_of_codes(codes, refinements), renderer=editor.renderer.name)
    frames = finder.listener.track(drawn, len(between), "frames")
    return write_frames(out, frames, rate=options.rate, comment=signature_of(stamp, "morph"))


def _renderers(
    refinements: Sequence[Refinement | None], options: MorphOptions, weights: Tensor, components: Components
) -> Iterator[Generator | None]:
    """Yield the generator of each frame, with the faces' refinements in the proportions of the morph."""
    # One-hot shares stand for the faces, and are morphed as codes are. Layer weights below 1 leave the first face in
    # each frame; its refinement stays in the same proportion.
    faces = torch.eye(len(refinements), dtype=torch.float64)
    faces = faces[:1].lerp(faces, float(weights.min()))
    for shares in morph(faces[:, None], options.frames, ease=options.ease, loop=options.loop)[:, 0].tolist():
        mixed = [one.scaled(share) for one, share in zip(refinements, shares, strict=True) if one and share]
        yield refine_renderer(mixed, components, "morph") if mixed else None
