"""The networks of the runtime, as functions of NumPy arrays."""

from collections.abc import Callable
from dataclasses import dataclass

from latentloop.runtime.arrays import Floats


@dataclass(frozen=True)
class Networks:
    """A generator, its embedding network and the face-detection networks, independent of what runs them.

    All take and return float32, for any batch size N. `bundle.load_bundle` makes them from ONNX files.
    """

    generator: str
    """Name of the generator."""
    fingerprint: str
    """Fingerprint of its latent space; codes and directions must have the same."""
    resolution: int
    """Side of the images that it draws, R, in pixels."""
    num_ws: int
    """Number of styles of a code."""
    w_dim: int
    """Length of a style vector."""
    licence: str
    """Licence of the generator's weights."""
    embedder_resolution: int
    """Side of the embedding network's input images, S, in pixels."""
    propose: Callable[[Floats], tuple[Floats, Floats]]
    """P-Net: images (N, 3, H, W) to scores (N, h, w) and box corrections (N, 4, h, w)."""
    refine: Callable[[Floats], tuple[Floats, Floats]]
    """R-Net: windows (N, 3, 24, 24) to scores (N,) and box corrections (N, 4)."""
    output: Callable[[Floats], tuple[Floats, Floats, Floats]]
    """O-Net: windows (N, 3, 48, 48) to scores (N,), box corrections (N, 4) and landmarks (N, 5, 2)."""
    draw: Callable[[Floats], Floats]
    """Generator: codes (N, num_ws, w_dim) to images (N, 3, R, R), about [-1, 1]."""
    embed: Callable[[Floats], Floats]
    """Embedding network: aligned images (N, 3, S, S) in [-1, 1] to codes (N, num_ws, w_dim)."""
    look_again: Callable[[Floats, Floats, Floats], Floats] | None = None
    """Second look: images and their first reconstructions, both (N, 3, S, S), and first codes to better codes; None if
    the network has none."""
    sample: Callable[[Floats, float], Floats] | None = None
    """Mapping network: z (N, z_dim) and a truncation psi to codes (N, num_ws, w_dim); None if it is missing."""
    z_dim: int = 0
    """Length of z for `sample`; 0 without it."""
    embed_identity: Callable[[Floats], Floats] | None = None
    """Face-recognition network: faces (N, 3, 112, 112) to embeddings (N, 128); None if it is missing."""
    prepare: Callable[[], None] = lambda: None
    """Function that starts loading the networks that every photo needs, in the background."""
