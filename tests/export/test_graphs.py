"""Graphs against PyTorch, on other inputs, and on batches of other sizes, than those of the export's own check."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from torch import Tensor

from latentloop.encoders import ReStyle, load_encoder, make_embedder
from latentloop.encoders.second_look import Look
from latentloop.export.graph import export_graph
from latentloop.export.modules import encoder_parts, face_parts, generator_part, lpips_part, mapping_part
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator
from latentloop.latents import mean_code
from psp_checkpoints import LAST, PYRAMID, checkpoint
from random_networks import NETWORKS, random_network
from small_generators import TWO_LOOKS

THREE = 3
"""Images in a batch; the export has looked at two."""


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9))


def computed(model: ModelProto, *inputs: Tensor) -> list[Tensor]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [one.name for one in session.get_inputs()]
    found = session.run(None, {name: one.numpy() for name, one in zip(names, inputs, strict=True)})
    return [torch.from_numpy(np.asarray(one)) for one in found]


def same(model: ModelProto, inputs: tuple[Tensor, ...], *wanted: Tensor) -> None:
    for ours, theirs in zip(computed(model, *inputs), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.fixture
def network() -> Iterator[Generator]:
    with torch.no_grad():
        yield random_network("stylegan2", double=False)


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_a_generators_graph_draws_what_it_draws(kind: str) -> None:
    generator = random_network(kind, double=False)
    w_plus = numbers(THREE, generator.num_ws, generator.w_dim)
    with torch.no_grad():
        same(export_graph(generator_part(generator)), (w_plus,), generator.synthesis(w_plus))


def test_a_mappings_graph_truncates(network: Generator) -> None:
    model = export_graph(mapping_part(network))
    z = numbers(THREE, network.z_dim)
    w = network.mapping(z)[:, None].expand(-1, network.num_ws, -1)
    for psi in (1.0, 0.4):
        same(model, (z, torch.tensor(psi)), network.latent_avg + psi * (w - network.latent_avg))


def test_an_embedding_networks_graphs_look_twice(network: Generator) -> None:
    embedder = make_embedder(TWO_LOOKS, network, seed=0).eval()
    assert embedder.second
    for weight in embedder.second.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    first, second = (export_graph(part) for part in encoder_parts(embedder, network))
    image, drawn = numbers(2, THREE, 3, 32, 32).clamp(-1, 1)
    w_plus = embedder(image)
    same(first, (image,), w_plus)
    same(second, (image, drawn, w_plus), embedder(image, Look(w_plus, drawn)))


@pytest.mark.parametrize("kind", [PYRAMID[1], LAST[0]])
def test_graphs_of_other_projects_encoders_find_their_codes(kind: str, network: Generator, tmp_path: Path) -> None:
    encoder = load_encoder(written(kind, network, tmp_path), network)
    (part,) = encoder_parts(encoder, network)
    image = numbers(THREE, 3, 32, 32).clamp(-1, 1)
    same(export_graph(part), (image,), encoder(image))


def test_restyle_has_a_second_look_alone(network: Generator, tmp_path: Path) -> None:
    encoder = load_encoder(written(LAST[1], network, tmp_path, in_channels=6), network)
    (part,) = encoder_parts(encoder, network)
    assert part.name == "second_look"
    image = numbers(THREE, 3, 32, 32).clamp(-1, 1)
    assert isinstance(encoder, ReStyle)
    w_plus, drawn = numbers(THREE, network.num_ws, network.w_dim), numbers(THREE, 3, 32, 32)
    with torch.no_grad():
        wanted = encoder.encoder.refine(image, drawn, w_plus)
    same(export_graph(part), (image, drawn, w_plus), wanted)


def test_the_detectors_graphs_take_images_of_any_size() -> None:
    for part in face_parts():
        (example,) = part.inputs.values()
        shape = (THREE, 3, 61, 37) if part.free else (THREE, *example.shape[1:])
        x = numbers(*shape).clamp(-1, 1)
        with torch.no_grad():
            same(export_graph(part), (x,), *part.module(x))


def test_lpips_keeps_the_small_number_that_it_divides_by() -> None:
    black = -torch.ones(1, 3, 48, 64)
    image = numbers(1, 3, 48, 64).clamp(-1, 1)
    with torch.no_grad():
        wanted = load_lpips("alex")(black, image)
    (found,) = computed(export_graph(lpips_part()), black, image)
    torch.testing.assert_close(found, wanted)
    assert found.isfinite().all()


def test_inputs_of_any_number_have_names(network: Generator) -> None:
    model = export_graph(generator_part(network))
    (w_plus,), (image,) = model.graph.input, model.graph.output
    assert (w_plus.name, image.name) == ("w_plus", "image")
    sizes = [one.dim_param or one.dim_value for one in w_plus.type.tensor_type.shape.dim]
    assert sizes == ["batch", network.num_ws, network.w_dim]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def written(kind: str, generator: Generator, folder: Path, *, in_channels: int = 3) -> Path:
    """The file of an encoder as its project writes it."""
    content = {
        "state_dict": checkpoint(kind, num_ws=generator.num_ws, in_channels=in_channels),
        "opts": {"encoder_type": kind},
        "latent_avg": mean_code(generator)[0],
    }
    torch.save(content, folder / "encoder.pt")
    return folder / "encoder.pt"
