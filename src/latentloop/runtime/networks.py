"""The networks that the runtime needs, as functions of NumPy arrays."""

from collections.abc import Callable
from dataclasses import dataclass

from latentloop.runtime.arrays import Floats


@dataclass(frozen=True)
class Networks:
    """A generator, its embedding network and the networks that find faces, whatever computes them.

    All take and give float32; N may be any number. `bundle.load_bundle` makes them of ONNX files.
    """

    generator: str
    """Name of the generator."""
    fingerprint: str
    """Fingerprint of its latent space, by which codes and directions are known to fit."""
    resolution: int
    """Pixels of a side of the images that it draws, R."""
    num_ws: int
    """Styles of a code."""
    w_dim: int
    """Numbers of a style."""
    licence: str
    """Terms of the generator's weights."""
    embedder_resolution: int
    """Pixels of a side of the images that the embedding network takes, S."""
    propose: Callable[[Floats], tuple[Floats, Floats]]
    """P-Net: images (N, 3, H, W) to scores (N, h, w) and corrections (N, 4, h, w)."""
    refine: Callable[[Floats], tuple[Floats, Floats]]
    """R-Net: windows (N, 3, 24, 24) to scores (N,) and corrections (N, 4)."""
    output: Callable[[Floats], tuple[Floats, Floats, Floats]]
    """O-Net: windows (N, 3, 48, 48) to scores (N,), corrections (N, 4) and landmarks (N, 5, 2)."""
    draw: Callable[[Floats], Floats]
    """Generator: codes (N, num_ws, w_dim) to images (N, 3, R, R), about [-1, 1]."""
    embed: Callable[[Floats], Floats]
    """Embedding network: aligned images (N, 3, S, S) in [-1, 1] to codes (N, num_ws, w_dim)."""
    look_again: Callable[[Floats, Floats, Floats], Floats] | None = None
    """Its second look: images, what the generator draws of their first codes, both (N, 3, S, S), and these codes, to
    better ones; None if it takes none."""
    sample: Callable[[Floats, float], Floats] | None = None
    """Mapping network: (N, z_dim) in Z and a truncation psi to codes (N, num_ws, w_dim); None if it is not there."""
    z_dim: int = 0
    """Numbers that `sample` takes; 0 without it."""
    embed_identity: Callable[[Floats], Floats] | None = None
    """Face-recognition network: faces (N, 3, 112, 112) to embeddings (N, 128); None if it is not there."""
    prepare: Callable[[], None] = lambda: None
    """Loads the networks that every photo needs, in the background: they are there sooner when they are called."""
