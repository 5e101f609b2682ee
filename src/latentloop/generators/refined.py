"""Refinements of a code beyond W+: features and weights of one photo, and generators that draw with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators.drawn_by import Draw, DrawnBy
from latentloop.generators.fingerprint import weights_fingerprint
from latentloop.generators.low_rank import LowRank, with_deltas
from latentloop.generators.midway import Seamed, seamed
from latentloop.generators.protocol import Generator


@dataclass(frozen=True)
class Residual:
    """A change of a generator's features at one of its seams."""

    seam: int
    """The seam, a key of `Seamed.seams`."""
    features: Tensor
    """What is added to the features there, (C, H, W)."""


@dataclass(frozen=True)
class Refinement:
    """What a photo has beyond its code: a change of features, changes of weights, or both; for one generator alone."""

    generator: str
    """Name of the generator."""
    weights: str
    """Fingerprint of the generator's weights, see `weights_fingerprint`."""
    residual: Residual | None = None
    """The change of features, if there is one."""
    deltas: Mapping[str, LowRank] = field(default_factory=dict)
    """Changes of weights, by the names that `convolution_matrices` gives."""

    def stored(self) -> "Refinement":
        """Give what is left of it in a file: on the CPU, rounded to float16, in float32.

        What is drawn with that is drawn again, to the bit, by who reads the file.
        """
        residual = self.residual and replace(self.residual, features=_stored(self.residual.features))
        deltas = {name: LowRank(_stored(delta.u), _stored(delta.v)) for name, delta in self.deltas.items()}
        return replace(self, residual=residual, deltas=deltas)


def refined(generator: Generator, refinement: Refinement, path: Path | str = "refinement") -> Generator:
    """Make a generator draw with a refinement.

    A code w is drawn from the features G(w) + R at the seam, by the changed weights. At the code w0 that the refinement
    was found with, G(w0) + R are the features F that were found. For an edited code they are F + G(w) - G(w0), the edit
    of the Feature-Style Encoder (Yao et al., arXiv:2202.02183): what is no code's stays, the rest follows the edit.

    Args:
        generator: The generator; it stays as it is.
        refinement: The refinement.
        path: Its file, for error messages.

    Raises:
        UserError: The refinement is of other weights, or damaged.
        TypeError: The generator draws in one piece, as one whose drawing is replaced does.
    """
    synthesis = seamed(generator)
    if refinement.weights != (own := weights_fingerprint(generator)):
        wanted = f"{refinement.generator} (weights {refinement.weights})"
        raise UserError(f"{path}: refined for {wanted}, not for {generator.name} ({own})")
    residual = refinement.residual
    if residual and synthesis.seams.get(residual.seam) != residual.features.shape:
        shape = f"{tuple(residual.features.shape)} at {residual.seam}"
        raise UserError(f"{path}: a residual of {shape} does not fit {generator.name}")
    try:
        changed = with_deltas(generator, refinement.deltas) if refinement.deltas else generator
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    return DrawnBy(generator, _refined_draw(seamed(changed), residual) if residual else changed.synthesis)


def mix_refinements(refinements: Sequence[Refinement | None], shares: Sequence[float]) -> Refinement | None:
    """Mix refinements of one generator, features and weights alike, linearly.

    Args:
        refinements: The refinements; None changes nothing.
        shares: Share of each.

    Returns:
        The mixture, whose changes have the ranks of those mixed, added up; None of nothing but None.

    Raises:
        UserError: They are of different generators, or change features at different seams.
    """
    mixed = [(one, share) for one, share in zip(refinements, shares, strict=True) if one and share]
    if not mixed:
        return None
    residuals = [(one.residual, share) for one, share in mixed if one.residual]
    if len({one.weights for one, _ in mixed}) > 1 or len({one.seam for one, _ in residuals}) > 1:
        raise UserError("faces that were refined in different ways cannot be mixed: refine them with one generator")
    first = mixed[0][0]
    features = [share * one.features for one, share in residuals]
    residual = Residual(residuals[0][0].seam, torch.stack(features).sum(dim=0)) if residuals else None
    return Refinement(first.generator, first.weights, residual, _mixed_deltas(mixed))


def _mixed_deltas(mixed: Sequence[tuple[Refinement, float]]) -> dict[str, LowRank]:
    """Changes of weights side by side: their ranks add up."""
    found: dict[str, list[LowRank]] = {}
    for one, share in mixed:
        for name, delta in one.deltas.items():
            found.setdefault(name, []).append(LowRank(share * delta.u, delta.v))
    return {
        name: LowRank(torch.cat([delta.u for delta in deltas], dim=1), torch.cat([delta.v for delta in deltas], dim=1))
        for name, deltas in found.items()
    }


def _refined_draw(synthesis: Seamed, residual: Residual) -> Draw:
    features = residual.features[None].contiguous(memory_format=torch.channels_last)

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        midway = synthesis.begin(w_plus, residual.seam)
        changed = replace(midway, features=midway.features + features.to(midway.features))
        return synthesis.finish(changed, w_plus, resolution=resolution)

    return draw


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().half().float()
