"""All mixtures of a style mixing in one table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentloop.photo_editing.editor import TILE, Editor
from latentloop.photo_editing.subjects import Subject
from latentloop.pictures.labelled import labelled_grid


@dataclass(frozen=True)
class MixingTable:
    """Faces down the left, styles along the top, mixtures in between, as in StyleGAN's paper (arXiv:1812.04948)."""

    editor: Editor
    styles: Sequence[Subject]
    rows: dict[str, list[Tensor]] = field(default_factory=dict)
    """The face of each name, and its mixtures so far, (1, 3, S, S)."""

    def add(self, subject: Subject, w_plus: Tensor) -> None:
        """Add a subject's next mixture, of codes (F, num_ws, w_dim)."""
        row = self.rows.setdefault(subject.name, [self._face(subject.w_plus)])
        row.append(self._face(w_plus))

    def image(self) -> Tensor:
        """The table, (1, 3, H, W)."""
        top = [torch.ones(1, 3, TILE, TILE), *(self._face(style.w_plus) for style in self.styles)]
        columns = ["", *(style.name for style in self.styles)]
        return labelled_grid([top, *self.rows.values()], columns, ["", *self.rows], tile=TILE)

    def _face(self, w_plus: Tensor) -> Tensor:
        return self.editor.faces(w_plus[:1], size=TILE)[0]
