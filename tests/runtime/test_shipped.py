"""The networks in the package, as graphs of ONNX on the package's own weights files, against PyTorch."""

import hashlib
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop import runtime
from latentloop.encoders import Embedder, load_embedder
from latentloop.encoders.second_look import Look
from latentloop.faces.mtcnn import load_mtcnn
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.generators import Generator, load_generator
from latentloop.latents import broadcast
from latentloop.runtime import Networks
from latentloop.weights import ASSETS

CLOSE = 1e-4


@pytest.fixture(scope="module")
def networks() -> Networks:
    return runtime.load(threads=1).networks


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("mobile-ffhq-1024")


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def same(ours: object, theirs: Tensor) -> None:
    torch.testing.assert_close(torch.from_numpy(np.asarray(ours)), theirs, atol=CLOSE, rtol=CLOSE)


def test_the_graphs_belong_to_the_weights_beside_them() -> None:
    # If this fails: python scripts/make_shipped_graphs.py
    sums = json.loads((ASSETS / "bundle.json").read_text())["files"]
    assert {"generator.onnx", "embedder.onnx", "base-ffhq.safetensors"} < sums.keys()
    found = {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() for name in sums}
    assert found == {name: one["sha256"] for name, one in sums.items()}


def test_the_generator_draws_what_pytorch_draws(networks: Networks, generator: Generator) -> None:
    w_plus = generator.latent_avg + 0.2 * numbers(1, generator.num_ws, generator.w_dim)
    same(networks.draw(w_plus.numpy()), generator.synthesis(w_plus))
    assert (networks.resolution, networks.fingerprint) == (generator.resolution, generator.fingerprint)


def test_the_mapping_truncates_as_pytorch_does(networks: Networks, generator: Generator) -> None:
    z = numbers(2, generator.z_dim)
    w_plus = broadcast(generator.mapping(z), generator.num_ws)
    assert networks.sample
    same(networks.sample(z.numpy(), 0.6), generator.latent_avg + 0.6 * (w_plus - generator.latent_avg))


def test_the_embedding_network_looks_twice_as_in_pytorch(networks: Networks, generator: Generator) -> None:
    embedder = load_embedder("base-ffhq", generator)
    assert isinstance(embedder, Embedder)
    image, drawn = numbers(2, 1, 3, 256, 256).clamp(-1, 1)
    w_plus = embedder(image)
    same(networks.embed(image.numpy()), w_plus)
    assert networks.look_again
    found = networks.look_again(image.numpy(), drawn.numpy(), w_plus.numpy())
    same(found, embedder(image, Look(w_plus, drawn)))


def test_faces_are_found_and_known_as_in_pytorch(networks: Networks) -> None:
    mtcnn = load_mtcnn()
    image, small, large, face = (numbers(2, 3, size, size).clamp(-1, 1) for size in (64, 24, 48, 112))
    assert networks.embed_identity
    same(networks.embed_identity(face.numpy()), load_mobilefacenet()(face))
    for ours, theirs in (
        (networks.propose(image.numpy()), mtcnn.propose(image)),
        (networks.refine(small.numpy()), mtcnn.refine(small)),
        (networks.output(large.numpy()), mtcnn.output(large)),
    ):
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
