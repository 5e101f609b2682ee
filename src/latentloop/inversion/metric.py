"""The perceptual metric of a generator, which makes the iterator's steps equally visible in all directions."""

from dataclasses import dataclass

from torch import Tensor

DAMPING = 0.5
"""Share of the unit metric in the one that is inverted, in units of a layer's mean energy: directions of less than
about a tenth of it are all treated alike."""


@dataclass(frozen=True)
class PerceptualMetric:
    """How much each direction of a code changes the image, as the loss sees it (Wang and Ponce, arXiv:2101.06006).

    For each layer l the Gauss-Newton matrix of the loss, averaged over random codes: M_l = E[J_l^T J_l], with the
    Jacobian J_l of the loss's features. It is nearly the same for all codes of a generator, and very anisotropic.
    """

    axes: Tensor
    """Eigenvectors of M_l of the largest eigenvalues, of unit length, (num_ws, k, w_dim)."""
    energies: Tensor
    """Their eigenvalues, divided by the mean of all eigenvalues of M_l, (num_ws, k)."""
    fingerprint: str
    """Fingerprint of the latent space."""
    sha256: str | None = None
    """SHA-256 of the file that the metric was read from, in hexadecimal."""

    def natural(self, gradient: Tensor) -> Tensor:
        """Turn gradients into damped natural ones (Amari, 1998), both (N, num_ws, w_dim), up to a common factor.

        That is (M_l / t_l + DAMPING)^-1 g_l with t_l, the mean eigenvalue of M_l; eigenvalues beyond the largest k
        count as 0.
        """
        axes, energies = self.axes.to(gradient), self.energies.to(gradient)
        along = (axes @ gradient[..., None]).squeeze(-1)
        shrunk = along * energies / (energies + DAMPING)
        return gradient - (shrunk[..., None, :] @ axes).squeeze(-2)

    def squared_distance(self, w_plus: Tensor, other: Tensor) -> Tensor:
        """Compute the squared distance of codes, both (N, num_ws, w_dim), as far as the image shows it; (N,).

        The mean over layers and numbers of d_l (M_l / t_l + DAMPING) d_l, with the differences d_l of the codes: in a
        direction of mean energy it is (1 + DAMPING) times the mean squared difference.
        """
        difference = w_plus - other
        along = (self.axes.to(difference) @ difference[..., None]).squeeze(-1)
        seen = (along.square() * self.energies.to(difference)).sum(dim=-1)
        return (seen + DAMPING * difference.square().sum(dim=-1)).mean(dim=-1) / difference.shape[-1]
