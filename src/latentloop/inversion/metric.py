"""The perceptual metric of a generator's latent space, for natural-gradient steps of the iterator."""

from dataclasses import dataclass

from torch import Tensor

DAMPING = 0.5
"""Multiple of the identity that is added before inversion, in units of a layer's mean eigenvalue: directions with less
than about a tenth of it are all scaled alike."""


@dataclass(frozen=True)
class PerceptualMetric:
    """A measure of how much each direction of a code changes the image (after Wang and Ponce, arXiv:2101.06006).

    It is the Gauss-Newton matrix of the loss for each layer l, averaged over random codes: M_l = E[J_l^T J_l], with the
    Jacobian J_l of the loss's features. It is nearly the same for all codes of a generator, and very anisotropic.
    """

    axes: Tensor
    """Unit eigenvectors of the largest eigenvalues of each M_l, (num_ws, k, w_dim)."""
    energies: Tensor
    """Eigenvalues of these axes, divided by the mean of all eigenvalues of M_l, (num_ws, k)."""
    fingerprint: str
    """Fingerprint of the latent space."""
    sha256: str | None = None
    """SHA-256 of the file that the metric was read from, in hexadecimal."""

    def natural(self, gradient: Tensor) -> Tensor:
        """Compute damped natural gradients (Amari 1998) of gradients (N, num_ws, w_dim), up to a common factor.

        It is (M_l / t_l + DAMPING)^-1 g_l, where t_l is the mean eigenvalue of M_l; eigenvalues beyond the largest k
        count as 0.
        """
        # With the eigenvectors a and eigenvalues e, DAMPING (M + DAMPING)^-1 = 1 - sum of e / (e + DAMPING) a a^T. The
        # common factor DAMPING does not matter, since Muon normalises the step.
        axes, energies = self.axes.to(gradient), self.energies.to(gradient)
        along = (axes @ gradient[..., None]).squeeze(-1)  # (N, num_ws, k), components along the axes
        shrunk = along * energies / (energies + DAMPING)
        return gradient - (shrunk[..., None, :] @ axes).squeeze(-2)

    def squared_distance(self, w_plus: Tensor, other: Tensor) -> Tensor:
        """Compute the squared distance between codes, both (N, num_ws, w_dim), in the metric, (N,).

        It is the mean over layers and numbers of d_l^T (M_l / t_l + DAMPING) d_l, with the codes' differences d_l. In a
        direction of mean eigenvalue it is (1 + DAMPING) times the mean squared difference.
        """
        difference = w_plus - other
        along = (self.axes.to(difference) @ difference[..., None]).squeeze(-1)
        seen = (along.square() * self.energies.to(difference)).sum(dim=-1)
        return (seen + DAMPING * difference.square().sum(dim=-1)).mean(dim=-1) / difference.shape[-1]
