"""Metrics of one code: its quality, and how well it withstands edits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.benchmark.edit_figures import code_distance, strengths_of_change, there_and_back
from latentloop.benchmark.editability_options import MOST
from latentloop.defaults import WORKING_SIZE
from latentloop.editing import find_direction
from latentloop.encoders import Encoder, predict
from latentloop.evaluation.measure import Evaluator
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.latents import StyleAlignment, layer_spread
from latentloop.metrics import identity_similarity

COLUMNS: Mapping[str, str] = {
    "mse": "MSE",
    "lpips": "LPIPS",
    "id": "ID",
    "distance": "distance",
    "style_cosine": "style cosine",
    "spread": "spread",
    "lec": "LEC",
    "lec_unedited": "LEC, no edit",
    "cycle_lpips": "cycle LPIPS",
    "id_edited": "ID, edited",
    "strength": "strength",
}
"""Headings of the metrics, by name."""
EDITS = ("lec", "cycle_lpips", "id_edited", "strength")
"""Metrics that need edits."""


@dataclass(frozen=True)
class EditMeter:
    """Measures codes of photos at 256 pixels."""

    generator: Generator
    encoder: Encoder
    """Embedding network that predicts the codes of edited images in one pass."""
    evaluator: Evaluator
    """Metrics of reconstructions, on the CPU."""
    alignment: StyleAlignment
    changes: Tensor
    """Change of a code by each edit at strength 1, (K, num_ws, w_dim): both ways along each direction."""
    strength: float
    """Strength of the edits that are drawn, embedded and undone."""
    change: float
    """LPIPS that edits cause before identity is measured."""

    @torch.inference_mode()
    def measure(self, w_plus: Tensor, photo: Tensor) -> dict[str, float]:
        """Compute the metrics of a code, by the names of `COLUMNS`.

        Args:
            w_plus: Code, (1, num_ws, w_dim).
            photo: Aligned photo, (1, 3, S, S) in [-1, 1].
        """
        photo, drawn = resample(photo, self._size), self._draw(w_plus)
        (quality,) = self.evaluator.measure(drawn, photo)
        figures = {
            "mse": quality["mse"],
            "lpips": quality["lpips_alex"],
            "id": quality["id"],
            "distance": float(code_distance(w_plus, self._embed(photo))),
            "style_cosine": float(self.alignment(w_plus)),
            "spread": float(layer_spread(w_plus, w_std=self.alignment.w_std)),
        }
        return figures | self._consistency(w_plus, drawn) | self._identity(w_plus, drawn, photo)

    def _consistency(self, w_plus: Tensor, drawn: Tensor) -> dict[str, float]:
        """Measure the loss when edits are drawn, embedded and undone."""
        back = there_and_back(w_plus, self.strength * self.changes, self._draw, self._embed)
        unedited, again = self._embed(drawn), self._draw(back)
        return {
            "lec": float(code_distance(w_plus, back).mean()) / self.alignment.w_std,
            "lec_unedited": float(code_distance(w_plus, unedited)) / self.alignment.w_std,
            "cycle_lpips": float(self.evaluator.lpips(again, drawn.expand_as(again)).mean()),
        }

    def _identity(self, w_plus: Tensor, drawn: Tensor, photo: Tensor) -> dict[str, float]:
        """Measure the identity once all edits have changed the picture equally."""
        count, distance = len(self.changes), self.evaluator.lpips.toward(drawn)

        def edited(strengths: Tensor) -> Tensor:
            return self._draw(w_plus + strengths[:, None, None].to(w_plus) * self.changes)

        def change_at(strengths: Tensor) -> Tensor:
            return distance(edited(strengths))

        strengths = strengths_of_change(change_at, self.change, count=count, most=MOST)
        photos = photo.expand(count, -1, -1, -1)
        similarity = identity_similarity(edited(strengths), photos, self.evaluator.face_embedder)
        return {"id_edited": float(similarity.mean()), "strength": float(strengths.mean())}

    def edits(self, w_plus: Tensor, photo: Tensor) -> dict[str, float]:
        """Compute the metrics of a code by the names of `EDITS`, as `measure` does."""
        figures = self.measure(w_plus, photo)
        return {name: figures[name] for name in EDITS}

    @property
    def _size(self) -> int:
        return min(WORKING_SIZE, self.generator.resolution)

    def _draw(self, w_plus: Tensor) -> Tensor:
        """Draw codes as images for measuring, (N, 3, R, R) in [-1, 1], on the CPU."""
        # One by one: on a CPU a batch's features are allocated anew by the system for each layer, which is slower.
        images = [self.generator.synthesis(one, resolution=self._size).clamp(-1, 1).cpu() for one in w_plus.split(1)]
        return torch.cat(images)

    def _embed(self, image: Tensor) -> Tensor:
        return predict(self.encoder, image.to(self.generator.device))


def both_ways(directions: Sequence[str], generator: Generator) -> Tensor:
    """Return the change of a code by each edit, (K, num_ws, w_dim): both ways along each direction, at strength 1.

    Args:
        directions: Names, as `find_direction` accepts them.
        generator: Generator whose codes are edited.

    Raises:
        UserError: A direction is unknown.
    """
    found = [find_direction(name, generator).change() for name in directions]
    return torch.stack([sign * change for change in found for sign in (1, -1)]).float()
