"""Networks as modules with named inputs and outputs, for the exporter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from latentloop.encoders import Embedder
from latentloop.encoders.pretrained import Encoder, ReStyle
from latentloop.encoders.psp import PretrainedEncoder
from latentloop.encoders.second_look import Look
from latentloop.faces.mtcnn import load_mtcnn
from latentloop.features.lpips import load_lpips
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.generators import Generator
from latentloop.latents import broadcast

BATCH = "batch"
"""Name of the first dimension of every input, except scalars."""
FREE = {2: "height", 3: "width"}
"""Further free dimensions, of images of any size."""
Examples = Mapping[str, Tensor]
"""Example inputs by name."""


@dataclass(frozen=True)
class Part:
    """A network to export, with examples of its inputs."""

    name: str
    """Name of the file, without its suffix."""
    module: nn.Module
    """Module that takes the inputs in their order."""
    inputs: Examples
    """Example inputs by name, in a batch of two: the exporter would treat a batch of one as constant."""
    outputs: Sequence[str]
    """Names of the outputs."""
    free: Mapping[int, str] = field(default_factory=dict)
    """Names of free dimensions besides the batch, by axis."""


class Drawing(nn.Module):
    """Synthesis network of a generator as a module."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, w_plus: Tensor) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        return self.generator.synthesis(w_plus)


class TruncatedMapping(nn.Module):
    """Mapping network of a generator with truncation (Karras et al., arXiv:1812.04948, appendix B)."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, truncation_psi: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to styles (N, num_ws, w_dim), truncated by psi, a scalar: 0 gives the mean."""
        generator = self.generator
        w = generator.mapping(z) if labels is None else generator.mapping(z, labels)
        w_plus = w if w.ndim == 3 else broadcast(w, generator.num_ws)
        mean = generator.latent_avg
        return mean + truncation_psi * (w_plus - mean)


class Again(nn.Module):
    """Second pass of an encoder: from the image and the drawing of its first code to a better code."""

    def __init__(self, encoder: Embedder | PretrainedEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor, drawn: Tensor, first: Tensor) -> Tensor:
        """Predict codes (N, num_ws, w_dim) better than `first`, which the generator draws as `drawn`."""
        if isinstance(self.encoder, Embedder):
            found: Tensor = self.encoder(image, Look(first, drawn))
            return found
        return self.encoder.refine(image, drawn, first)


def generator_part(generator: Generator) -> Part:
    """Describe a generator's synthesis network: `w_plus` to `image`."""
    return Part("generator", Drawing(generator).eval(), {"w_plus": _codes(generator)}, ["image"])


def mapping_part(generator: Generator) -> Part:
    """Describe a generator's mapping network: `z` and `truncation_psi` (and `labels`) to `w_plus`."""
    inputs = {"z": _noise(2, generator.z_dim, seed=1), "truncation_psi": torch.tensor(0.7)}
    if generator.c_dim:
        inputs["labels"] = torch.eye(generator.c_dim)[[0, generator.c_dim - 1]]
    return Part("mapping", TruncatedMapping(generator).eval(), inputs, ["w_plus"])


def encoder_parts(encoder: Encoder, generator: Generator) -> list[Part]:
    """Describe an embedding network: `image` to `w_plus`, and its second look, if it has one.

    Raises:
        ValueError: `encoder` is not an encoder that `load_encoder` returns.
    """
    network = encoder.encoder if isinstance(encoder, ReStyle) else encoder
    if not isinstance(network, Embedder | PretrainedEncoder):
        raise ValueError(f"encoder must be a result of load_encoder, got {type(encoder).__name__}")
    image, drawn = (_image(2, network.resolution, seed=i) for i in (2, 3))
    again = isinstance(network, PretrainedEncoder) or network.second is not None
    parts = [] if isinstance(encoder, ReStyle) else [Part("embedder", network, {"image": image}, ["w_plus"])]
    if isinstance(encoder, ReStyle) or (isinstance(network, Embedder) and again):
        inputs = {"image": image, "drawn": drawn, "first": _codes(generator)}
        parts.append(Part("second_look", Again(network).eval(), inputs, ["w_plus"]))
    return parts


def face_parts() -> list[Part]:
    """Describe the three networks of MTCNN's cascade (arXiv:1604.02878)."""
    networks, found = load_mtcnn(), ["scores", "corrections"]
    return [
        # Fully convolutional: any size above its window of 12 pixels serves as an example.
        Part("proposal", networks.propose, {"image": _image(2, 48, seed=4)}, found, free=FREE),
        Part("refinement", networks.refine, {"windows": _image(2, 24, seed=5)}, found),
        Part("output", networks.output, {"windows": _image(2, 48, seed=6)}, [*found, "landmarks"]),
    ]


def identity_part() -> Part:
    """Describe MobileFaceNet (arXiv:1804.07573): `face` to `embedding`."""
    return Part("identity", load_mobilefacenet(), {"face": _image(2, 112, seed=7)}, ["embedding"])


def lpips_part() -> Part:
    """Describe LPIPS on AlexNet (arXiv:1801.03924): `first` and `second` to `distance`."""
    inputs = {"first": _image(2, 64, seed=8), "second": _image(2, 64, seed=9)}
    return Part("lpips-alex", load_lpips("alex"), inputs, ["distance"], free=FREE)


def _codes(generator: Generator) -> Tensor:
    """Sample two codes around the mean, with different styles in each layer."""
    offsets = _noise(2, generator.num_ws, generator.w_dim, seed=0)
    mean = generator.latent_avg.detach().cpu()
    return mean + 0.3 * mean.std() * offsets


def _image(count: int, size: int, *, seed: int) -> Tensor:
    """Sample images of noise in [-1, 1]."""
    return _noise(count, 3, size, size, seed=seed).clamp(-1, 1)


def _noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
