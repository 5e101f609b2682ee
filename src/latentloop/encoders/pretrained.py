"""Loading of encoders from files of any kind: ours, and those of pSp, e4e and ReStyle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from latentloop.checkpoints.pickle_machine import Record
from latentloop.checkpoints.reading import reading, refuse_other_files
from latentloop.checkpoints.torch_files import NAMESPACE, is_torch_file, read_torch_file
from latentloop.encoders.embedder_file import embedder_weights, load_embedder
from latentloop.encoders.psp import PretrainedEncoder, restyle
from latentloop.encoders.psp_file import from_checkpoint
from latentloop.errors import UserError, in_one_line
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.latents import broadcast, mean_code
from latentloop.weights import is_safetensors

STEPS = 5
"""Number of ReStyle's steps, as in its paper."""
MAX_DISTANCE = 0.3
"""Largest relative distance between the `latent_avg` of an encoder and a generator that counts as a match."""


class Encoder(Protocol):
    """A network that predicts codes of images."""

    @property
    def resolution(self) -> int:
        """Side of the input images, in pixels."""
        ...

    def __call__(self, image: Tensor, /) -> Tensor:
        """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1]."""
        ...


@torch.no_grad()
def predict(encoder: Encoder, image: Tensor) -> Tensor:
    """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, S, S) in [-1, 1] of any size, without gradients."""
    return encoder(resample(image, encoder.resolution))


@dataclass(frozen=True)
class ReStyle:
    """An encoder that improves codes over several passes, with the generator of their images (arXiv:2104.02699)."""

    encoder: PretrainedEncoder
    """Encoder of six channels: the target and the image of the current code."""
    generator: Generator
    """Generator that draws the current code."""
    steps: int = STEPS
    """Number of passes through the encoder."""

    @property
    def resolution(self) -> int:
        """Side of the input images, in pixels."""
        return self.encoder.resolution

    def __call__(self, image: Tensor, /) -> Tensor:
        """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1]."""
        return restyle(self.encoder, self.generator, image, steps=self.steps)


def load_encoder(name_or_path: str | Path, generator: Generator) -> Encoder:
    """Load a frozen encoder onto the device of its generator.

    Args:
        name_or_path: Name or file of an embedding network, as in `load_embedder`, or a checkpoint of pSp
            (arXiv:2008.00951), e4e (arXiv:2102.02766) or ReStyle (arXiv:2104.02699).
        generator: Generator whose codes the encoder predicts.

    Raises:
        UserError: The file is missing, damaged, not a supported encoder, or holds more than data; or its codes belong
            to another generator.
    """
    file = embedder_weights(name_or_path)
    path = file.path
    if file.sha256 or not path.is_file() or is_safetensors(path):
        return load_embedder(name_or_path, generator)
    with reading(path):
        refuse_other_files(path)
        if not is_torch_file(path):
            raise UserError("neither a network of latentloop train nor a checkpoint of pSp, e4e or ReStyle")
        encoder = _of_checkpoint(read_torch_file(path), generator)
    encoder.to(generator.device)
    return ReStyle(encoder, generator) if encoder.iterative else encoder


def _of_checkpoint(content: object, generator: Generator) -> PretrainedEncoder:
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise UserError("not an encoder of pSp, e4e or ReStyle: it has no state_dict")
    mean = content.get("latent_avg")
    if mean is not None and not isinstance(mean, Tensor):
        raise ValueError(f"latent_avg must be a tensor, got {type(mean).__name__}")
    latent_avg = mean_code(generator)[0].cpu()  # (num_ws, w_dim), in place of one that the file lacks
    try:
        opts = _options(content.get("opts"))
        encoder = from_checkpoint(content["state_dict"], opts, latent_avg if mean is None else mean)
    except RuntimeError as error:
        raise UserError(in_one_line(error)) from error
    _check_space(encoder, generator)
    return encoder


def _options(opts: object) -> dict[str, Any]:
    """The options that an encoder was trained with; old files store them as a Namespace."""
    opts = opts.state if isinstance(opts, Record) and opts.name == NAMESPACE else opts
    return dict(opts) if isinstance(opts, Mapping) else {}


def _check_space(encoder: PretrainedEncoder, generator: Generator) -> None:
    """Raise a UserError unless the encoder's codes belong to the generator: same size and about the same mean."""
    ours, theirs = (generator.num_ws, generator.w_dim), (encoder.num_ws, encoder.w_dim)
    if ours != theirs:
        raise UserError(
            f"predicts codes of {theirs[0]} x {theirs[1]} numbers, {generator.name} takes {ours[0]} x {ours[1]}"
        )
    latent_avg = mean_code(generator)[0].cpu()
    mean = (
        encoder.latent_avg if encoder.latent_avg.ndim == 2 else broadcast(encoder.latent_avg[None], encoder.num_ws)[0]
    )
    # Means estimated from different samples differ a little, those of different generators by far more.
    if torch.linalg.vector_norm(mean - latent_avg) > MAX_DISTANCE * torch.linalg.vector_norm(latent_avg):
        raise UserError(f"its latent_avg differs from that of {generator.name}: its codes belong to another generator")
    if not all(tensor.isfinite().all() for tensor in encoder.state_dict().values()):
        raise UserError("has numbers that are not finite")
