"""Table of style mixing: faces down the left, styles along the top, their mixtures in between."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentloop.photo_editing.editor import STRIP_TILE, Editor
from latentloop.photo_editing.refined_subjects import checksum_of_codes
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.subjects import Subject
from latentloop.pictures.labelled import labelled_grid
from latentloop.stamps import Stamp


@dataclass(frozen=True)
class MixingTable:
    """All mixtures of some faces with some styles, arranged as in the StyleGAN paper (arXiv:1812.04948)."""

    editor: Editor
    styles: Sequence[Subject]
    """Faces whose styles are mixed in, one column each."""
    rows: dict[str, list[Tensor]] = field(default_factory=dict)
    """Face and finished mixtures, (1, 3, S, S) each, by the subject's name."""
    codes: list[tuple[str, str, str]] = field(default_factory=list)
    """Subject of each finished mixture, with checksums of its codes before and after."""

    def add(self, subject: Subject, w_plus: Tensor) -> None:
        """Add a subject's mixture with the next style, from codes (F, num_ws, w_dim)."""
        row = self.rows.setdefault(subject.name, [self._face(subject.w_plus, subject)])
        row.append(self._face(w_plus, subject))
        before = checksum_of_codes(subject.w_plus, subject.refinements)
        self.codes.append((subject.name, before, checksum_of(w_plus)))

    @property
    def stamp(self) -> Stamp:
        """Record of what the table shows: names and checksums of all codes, and the generator that draws them."""
        styles = [(one.name, checksum_of_codes(one.w_plus[:1], one.refinements[:1])) for one in self.styles]
        return {"styles": styles, "mixtures": self.codes, "renderer": self.editor.renderer.name}

    def image(self) -> Tensor:
        """Draw the table with names, (1, 3, H, W)."""
        top = [torch.ones(1, 3, STRIP_TILE, STRIP_TILE), *(self._face(style.w_plus, style) for style in self.styles)]
        columns = ["", *(style.name for style in self.styles)]
        return labelled_grid([top, *self.rows.values()], columns, ["", *self.rows], tile=STRIP_TILE)

    def _face(self, w_plus: Tensor, subject: Subject) -> Tensor:
        """Draw the first face of a subject with other codes (F, num_ws, w_dim)."""
        return self.editor.faces(w_plus[:1], subject.drawn_by[:1], size=STRIP_TILE)[0]
