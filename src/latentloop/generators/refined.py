"""Refinements of a code beyond W+: features and weights of one photo, and generators that draw with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor

from latentloop.errors import NotFiniteError, UserError
from latentloop.generators.drawn_by import DrawnBy
from latentloop.generators.fingerprint import weights_fingerprint
from latentloop.generators.low_rank import LowRank, with_deltas
from latentloop.generators.midway import seamed
from latentloop.generators.protocol import Generator
from latentloop.generators.residual import Residual, ResidualDraw


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
        """Give what is left of it in a file: on the CPU, rounded to float16 but for the pivot, in float32.

        What is drawn with that is drawn again, to the bit, by who reads the file.

        Raises:
            NotFiniteError: It has numbers that are no finite ones in float16.
        """
        residual = self.residual and replace(
            self.residual,
            features=_stored(self.residual.features),
            pivot=self.residual.pivot.detach().cpu().float(),
        )
        deltas = {name: LowRank(_stored(delta.u), _stored(delta.v)) for name, delta in self.deltas.items()}
        return replace(self, residual=residual, deltas=deltas)

    def scaled(self, share: float) -> "Refinement":
        """Give a share of it, for a mixture."""
        residual = self.residual and replace(self.residual, features=share * self.residual.features)
        deltas = {name: LowRank(share * delta.u, delta.v) for name, delta in self.deltas.items()}
        return replace(self, residual=residual, deltas=deltas)


def refined(generator: Generator, *refinements: Refinement, path: Path | str = "refinement") -> Generator:
    """Make a generator draw with a refinement, or with several that add up.

    A code w is drawn from the features G(w) + a(w) R at the seam, by the changed weights. At the code w0 that the
    residual R was found with, a is 1, and G(w0) + R are the features F that were found. For an edited code they are
    F + G(w) - G(w0), the edit of the Feature-Style Encoder (Yao et al., arXiv:2202.02183), except that R fades where
    the edit changes the features, see `fade`. So no residual is left of a face that the code has gone away from.

    Args:
        generator: The generator; it stays as it is.
        refinements: The refinements: one, or the shares of a mixture, see `Refinement.scaled`.
        path: Their file, for error messages.

    Raises:
        UserError: A refinement is of other weights, or damaged, or they change features at different seams.
        TypeError: The generator draws in one piece, as one whose drawing is replaced does.
    """
    seams, own = seamed(generator).seams, weights_fingerprint(generator)
    for refinement in refinements:
        if refinement.weights != own:
            wanted = f"{refinement.generator} (weights {refinement.weights})"
            raise UserError(f"{path}: refined for {wanted}, not for {generator.name} ({own})")
    residuals = [one.residual for one in refinements if one.residual]
    for one in residuals:
        features, code = tuple(one.features.shape), tuple(one.pivot.shape)
        if seams.get(one.seam) != features or code != (generator.num_ws, generator.w_dim):
            what = f"a residual of {features} at {one.seam} for a code {code}"
            raise UserError(f"{path}: {what} does not fit {generator.name}")
    if len({residual.seam for residual in residuals}) > 1:
        raise UserError(f"{path}: faces whose features were refined at different resolutions cannot be mixed")
    deltas = [one.deltas for one in refinements if one.deltas]
    try:
        changed = with_deltas(generator, *deltas) if deltas else generator
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    if not residuals:
        return DrawnBy(generator, changed.synthesis)
    return DrawnBy(generator, ResidualDraw(seamed(changed), residuals, like=generator.latent_avg))


def _stored(tensor: Tensor) -> Tensor:
    halves = tensor.detach().cpu().half()
    if not halves.isfinite().all():
        raise NotFiniteError("a refinement has numbers that are no finite ones in float16")
    return halves.float()
