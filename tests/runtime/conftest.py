"""Fixtures: the networks of the runtime, computed by PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.defaults import QUICK_GENERATOR
from latentloop.encoders import Embedder, load_embedder
from latentloop.encoders.second_look import Look
from latentloop.faces.mtcnn import load_mtcnn
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.generators import Generator, load_generator
from latentloop.runtime import Networks
from latentloop.runtime.arrays import Floats


def through_torch(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors as one of arrays."""

    @torch.inference_mode()
    def of_arrays(*arrays: Floats) -> Any:  # noqa: ANN401 - one array, or several
        found = function(*(torch.from_numpy(np.ascontiguousarray(one, np.float32)) for one in arrays))
        return found.numpy() if isinstance(found, Tensor) else tuple(one.numpy() for one in found)

    return of_arrays


def networks_of(generator: Generator, embedder: Embedder) -> Networks:
    """The networks of a bundle, computed by PyTorch."""
    faces, identity = load_mtcnn(), load_mobilefacenet()
    return Networks(
        generator=generator.name,
        fingerprint=generator.fingerprint,
        resolution=generator.resolution,
        num_ws=generator.num_ws,
        w_dim=generator.w_dim,
        licence="test",
        embedder_resolution=embedder.resolution,
        propose=through_torch(faces.propose),
        refine=through_torch(faces.refine),
        output=through_torch(faces.output),
        draw=through_torch(generator.synthesis),
        embed=through_torch(embedder),
        look_again=through_torch(lambda image, drawn, first: embedder(image, Look(first, drawn))),
        embed_identity=through_torch(identity),
    )


@pytest.fixture(scope="session")
def generator() -> Generator:
    """The bundled generator of 256 pixels."""
    return load_generator(QUICK_GENERATOR)


@pytest.fixture(scope="session")
def networks(generator: Generator) -> Networks:
    """The bundled networks, computed by PyTorch."""
    embedder = load_embedder("base-ffhq", generator)
    return networks_of(generator, embedder)
