"""Refinements beyond W+: per-photo changes of features and weights, and generators that draw with them."""

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
    """A refinement of one photo's code: a change of features, of weights, or both, valid for one generator."""

    generator: str
    """Name of the generator."""
    weights: str
    """Fingerprint of the generator's weights, see `weights_fingerprint`."""
    residual: Residual | None = None
    """The change of features; None for none."""
    deltas: Mapping[str, LowRank] = field(default_factory=dict)
    """Low-rank changes of weights, by the names that `convolution_matrices` lists."""

    def stored(self) -> "Refinement":
        """Return the refinement as a file stores it: on the CPU, rounded to float16 except for the float32 pivot.

        Images drawn with the result are identical, to the bit, to those drawn from the file.

        Raises:
            NotFiniteError: A value is not finite in float16.
        """
        residual = self.residual and replace(
            self.residual,
            features=_stored(self.residual.features),
            pivot=self.residual.pivot.detach().cpu().float(),
        )
        deltas = {name: LowRank(_stored(delta.u), _stored(delta.v)) for name, delta in self.deltas.items()}
        return replace(self, residual=residual, deltas=deltas)

    def scaled(self, share: float) -> "Refinement":
        """Return the refinement scaled by `share`, for a mixture of several faces."""
        residual = self.residual and replace(self.residual, features=share * self.residual.features)
        # Scaling one factor scales the product u v^T once.
        deltas = {name: LowRank(share * delta.u, delta.v) for name, delta in self.deltas.items()}
        return replace(self, residual=residual, deltas=deltas)


def refined(generator: Generator, *refinements: Refinement, path: Path | str = "refinement") -> Generator:
    """Wrap a generator to draw with one refinement, or with the sum of several.

    A code w is drawn from the features G(w) + a(w) R at the seam, with the changed weights. At the code w0 for which
    the residual R was optimized, a = 1, so the features are F = G(w0) + R. For an edited code they are
    F + G(w) - G(w0), the edit of the Feature-Style Encoder (Yao et al., arXiv:2202.02183), except that R fades where
    the edit changes the features (see `fade`): details of the original face do not stay as ghosts.

    Args:
        generator: The generator, which stays as it is.
        refinements: One refinement, or the scaled ones of a mixture, see `Refinement.scaled`.
        path: File of the refinements, for error messages.

    Raises:
        UserError: A refinement belongs to other weights or is damaged, or residuals are at different seams.
        TypeError: The generator's synthesis has no seams.
    """
    # By weights, not by latent space: another generator of the space has other features at the seam.
    seams, own = seamed(generator).seams, weights_fingerprint(generator)
    for refinement in refinements:
        if refinement.weights != own:
            wanted = f"{refinement.generator} (weights {refinement.weights})"
            raise UserError(f"{path}: refined for generator {wanted}, not for {generator.name} (weights {own})")
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
        return DrawnBy(generator, changed.synthesis)  # mapping and mean stay those of the original
    return DrawnBy(generator, ResidualDraw(seamed(changed), residuals, like=generator.latent_avg))


def _stored(tensor: Tensor) -> Tensor:
    halves = tensor.detach().cpu().half()
    if not halves.isfinite().all():
        raise NotFiniteError("a refinement has values that are not finite in float16")
    return halves.float()
