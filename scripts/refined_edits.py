"""Measure what edits do to refined codes, beside the same codes without their refinement, and print a table.

    python scripts/refined_edits.py refined/ --edits smile=1.5 age=1 yaw=0.5

ID: identity similarity of the edited face and the aligned photo. change: how far the network's code of the drawn face
moves along the direction, in strengths. LEC: distance between the code and the network's code of the edited face, the
edit taken back; root mean square over layers and numbers, in standard deviations of W. Means over all codes.
"""

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch import Tensor

from latentloop.editing import find_direction
from latentloop.embedding import Components, components_for
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.result_folder import ResultFolder
from latentloop.encoders import predict
from latentloop.errors import UserError
from latentloop.generators import Generator, refined
from latentloop.images import read_image, resample
from latentloop.latents import load_code
from latentloop.metrics import identity_similarity

SIZE = 256
"""Side at which faces are measured, in pixels."""


@dataclass(frozen=True)
class RefinedEdits:
    """Measure the edits of a folder's codes."""

    folder: tyro.conf.Positional[Path]
    """Folder that latentloop embed --refine filled."""
    edits: tuple[str, ...] = ("smile=1.5", "age=1", "yaw=0.5")
    """Directions and strengths."""

    def run(self) -> None:
        """Print the table."""
        parts = components_for(EmbedOptions())
        figures: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
        for path in sorted(self.folder.glob("*.npz")):
            code = load_code(path)
            photo = resample(read_image(ResultFolder(self.folder).paths(path.stem).aligned), SIZE)
            drawn_by = {"without": parts.renderer()}
            if code.refinement:
                drawn_by["refined"] = refined(parts.renderer(), code.refinement, path=path)
            for how, generator in drawn_by.items():
                for edit in self.edits:
                    figures[edit, how].append(
                        self._measured(parts, generator, code.w_plus[None].to(parts.device), photo, edit)
                    )
        print("| edit | drawn | codes | ID | change | LEC |\n|---|---|---|---|---|---|")
        for (edit, how), rows in figures.items():
            means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
            print(f"| {edit} | {how} | {len(rows)} | {means['id']:.3f} | {means['change']:.3f} | {means['lec']:.3f} |")

    @torch.inference_mode()
    def _measured(
        self, parts: Components, generator: Generator, w_plus: Tensor, photo: Tensor, edit: str
    ) -> dict[str, float]:
        name, _, strength = edit.partition("=")
        direction = find_direction(name, parts.generator).change().to(w_plus)
        change = float(strength) * direction
        drawn = [generator.synthesis(w, resolution=SIZE).clamp(-1, 1) for w in (w_plus, w_plus + change)]
        before, after = (predict(parts.encoder, image) for image in drawn)
        return {
            "id": float(identity_similarity(drawn[1].cpu(), photo, parts.evaluator.face_embedder)),
            "change": float(((after - before) * direction).sum() / direction.square().sum()),
            "lec": float((after - change - w_plus).square().mean().sqrt()) / parts.w_std,
        }


if __name__ == "__main__":
    try:
        tyro.cli(RefinedEdits).run()
    except UserError as error:
        sys.exit(str(error))
