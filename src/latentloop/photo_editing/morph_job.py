"""Morphing: what `latentloop morph` does."""

from collections.abc import Sequence
from pathlib import Path

import torch

from latentloop.editing import layer_weights, morph
from latentloop.errors import UserError
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.frames import check_animation, check_length, write_frames
from latentloop.photo_editing.job_options import MorphOptions
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.signatures import checksum_of, signature_in, signature_of
from latentloop.photo_editing.subjects import is_coded
from latentloop.stamps import stamp_of
from latentloop.video.files import pyav


def morph_pictures(
    arguments: Sequence[str],
    out: Path,
    options: MorphOptions,
    finder: SubjectFinder,
) -> Path:
    """Turn each face into the next; returns the path of the animation.

    Args:
        arguments: Two faces or more, as `expand_arguments` gives them.
        out: A .gif, an .mp4, or else a folder for the frames; an earlier morph there is replaced.
        options: How.
        finder: Finds the faces.

    Raises:
        UserError: There are fewer faces, one cannot be used, or the animation cannot be written or would replace
            a file that is no earlier morph.
    """
    too_few = UserError("a morph takes two faces or more; name at least two photos or codes")
    if len(arguments) == 1 and not is_coded(arguments[0]) and finder.options.faces.face != "all":
        raise too_few
    generator = finder.components.generator
    weights = layer_weights(options.layers, generator.num_ws)
    if out.suffix.lower() == ".mp4":
        pyav()
    check_animation(out, arguments, ours=lambda file: signature_in(file, "morph") is not None)
    codes = torch.cat([one.w_plus for one in finder.all_subjects(arguments)])
    if len(codes) < 2:
        raise too_few
    between = morph(codes, options.frames, weights=weights, ease=options.ease, loop=options.loop)
    editor = Editor(finder.components.renderer())
    drawn = (editor.faces(one[None], size=options.size)[0] for one in between)
    check_length(out, len(between))
    stamp = stamp_of(options, codes=checksum_of(codes), renderer=editor.renderer.name)
    frames = finder.listener.track(drawn, len(between), "frames")
    return write_frames(out, frames, rate=options.rate, comment=signature_of(stamp, "morph"))
