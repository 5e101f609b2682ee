"""Rendered edits: edited codes with their pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentloop.faces import full_image_quad
from latentloop.generators import Generator
from latentloop.latents.code_file import Code
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.subjects import EDIT, Subject


@dataclass(frozen=True)
class RenderedEdit:
    """Edited faces of a subject, drawn and pasted into its photo."""

    w_plus: Tensor
    """Edited codes, (F, num_ws, w_dim)."""
    faces: Sequence[Tensor]
    """Images of the edited faces, each (1, 3, S, S) in [-1, 1], on the CPU."""
    picture: Tensor
    """Photo with the edited faces, (1, 3, H, W) in [-1, 1]; the first face if there is no photo."""
    generator: Generator
    """Generator that the codes belong to."""
    details: Mapping[str, Any]
    """Record of the edit, as JSON values."""

    def code(self, subject: Subject, i: int) -> Code:
        """Assemble the code file of the i-th face; its photo and its position there are kept."""
        w_plus, details = self.w_plus[i].cpu(), {EDIT: dict(self.details)}
        if subject.codes:
            source = subject.codes[i]
            details |= {"photo": source.details["photo"]} if "photo" in source.details else {}
            return replace(source, w_plus=w_plus, space="w+", losses=torch.zeros(0), steps=0, details=details)
        size = self.faces[i].shape[-1]
        return Code(
            w_plus=w_plus,
            space="w+",
            generator=self.generator.name,
            fingerprint=self.generator.fingerprint,
            quad=full_image_quad(size),
            original_size=(size, size),
            losses=torch.zeros(0),
            steps=0,
            details=details,
        )


def render_edit(
    editor: Editor,
    subject: Subject,
    w_plus: Tensor,
    generator: Generator,
    details: Mapping[str, Any],
    *,
    before: Sequence[Tensor] | None = None,
) -> RenderedEdit:
    """Draw edited codes of a subject's faces, and paste them into its photo.

    Args:
        editor: Editor that draws and pastes.
        subject: Faces before the edit.
        w_plus: Edited codes, (F, num_ws, w_dim).
        generator: Generator that the codes belong to.
        details: Record of the edit, as JSON values; it goes into the code files.
        before: Result of `editor.before` for the subject; None computes it.
    """
    faces = editor.faces(w_plus, subject.drawn_by)
    return RenderedEdit(w_plus, faces, editor.into_photo(subject, faces, before=before), generator, details)
