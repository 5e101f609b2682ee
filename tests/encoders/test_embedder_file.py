import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from latentloop.encoders import Embedder, EmbedderConfig, make_embedder
from latentloop.encoders.embedder_file import load_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.weights import ASSETS, KIND, WeightsFile, read_weights

TINY = EmbedderConfig(
    resolution=64, channels=(8, 16, 16), depths=(1, 2, 1), fusion_blocks=1, identity="none", head_channels=4
)


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def saved(folder: Path, generator: Generator, config: EmbedderConfig = TINY) -> tuple[Path, Embedder]:
    embedder = make_embedder(config, generator, seed=0)
    save_embedder(folder / "embedder.safetensors", embedder)
    return folder / "embedder.safetensors", embedder


@pytest.mark.parametrize("identity", ["none", "mobilefacenet"])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_network_comes_back_from_its_file(tmp_path: Path, float_toy: Generator, identity: str, frozen: bool) -> None:
    config = replace(TINY, identity=identity, frozen_identity=frozen)  # type: ignore[arg-type]
    file, embedder = saved(tmp_path, float_toy, config)
    again = load_embedder(file, float_toy)
    assert again.config == config
    torch.testing.assert_close(again(images(2)), embedder(images(2)).detach(), atol=2e-3, rtol=0)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    has_network = any(name.startswith("identity.") for name in load_file(file))
    assert has_network is (identity != "none" and not frozen)


def test_an_identity_encoder_that_learned_is_the_one_that_comes_back(tmp_path: Path, float_toy: Generator) -> None:
    embedder = make_embedder(replace(TINY, identity="mobilefacenet", frozen_identity=False), float_toy, seed=0)
    assert embedder.identity is not None
    for parameter in embedder.identity.parameters():
        parameter.data.mul_(0.9)
    save_embedder(tmp_path / "embedder.safetensors", embedder)
    again = load_embedder(tmp_path / "embedder.safetensors", float_toy)
    torch.testing.assert_close(again(images(2)), embedder(images(2)).detach(), atol=2e-3, rtol=0)


def test_another_generators_network_is_refused(tmp_path: Path, float_toy: Generator) -> None:
    file, _ = saved(tmp_path, float_toy)
    float_toy.fingerprint = "f" * 16
    problem = r"predicts codes of latent space 0123456789abcdef with 4 styles, toy-32 has ffffffffffffffff with 4"
    with pytest.raises(UserError, match=problem):
        load_embedder(file, float_toy)


def test_weights_of_something_else_are_refused(float_toy: Generator) -> None:
    with pytest.raises(UserError, match=r"not an embedding network \(kind: mtcnn\)"):
        load_embedder(ASSETS / "mtcnn.safetensors", float_toy)


def test_every_missing_tensor_is_told(tmp_path: Path, float_toy: Generator) -> None:
    file, _ = saved(tmp_path, float_toy)
    whole = read_weights(WeightsFile(file))
    for missing in whole.tensors:
        save_file({n: t for n, t in whole.tensors.items() if n != missing}, file, dict(whole.metadata))
        with pytest.raises(UserError, match=rf"embedder\.safetensors: damaged, .*{missing}"):
            load_embedder(file, float_toy)


DAMAGED = [
    "",
    "{}",
    "[]",
    "{",
    *(f'{{"config": {part}}}' for part in ("3", "null", '{"size": 3}', '{"resolution": 0}')),
]


@pytest.mark.parametrize("about", DAMAGED)
def test_a_damaged_configuration_is_refused(tmp_path: Path, float_toy: Generator, about: str) -> None:
    file, _ = saved(tmp_path, float_toy)
    save_file(load_file(file), file, {KIND: f"embedder {about}"})
    with pytest.raises(UserError, match="damaged"):
        load_embedder(file, float_toy)


def test_a_tensor_of_another_shape_is_refused(tmp_path: Path, float_toy: Generator) -> None:
    file, _ = saved(tmp_path, float_toy)
    whole = read_weights(WeightsFile(file))
    save_file({**whole.tensors, "narrow.bias": torch.zeros(5)}, file, dict(whole.metadata))
    with pytest.raises(UserError, match=r"narrow\.bias"):
        load_embedder(file, float_toy)


@pytest.mark.parametrize(
    "claim",
    [
        {"num_ws": 10**6},
        {"num_ws": True},
        {"fusion_blocks": 10**7},
        {"head_channels": 10**8},
        {"resolution": 1 << 40},
        {"depths": [10**7] * len(TINY.depths)},
        {"channels": [8000] * len(TINY.channels)},
        {"channels": [4.5] * len(TINY.channels)},
        {"frozen_identity": "no"},
    ],
)
def test_a_huge_or_odd_claim_is_refused_before_anything_is_built(
    tmp_path: Path, float_toy: Generator, claim: dict[str, Any]
) -> None:
    file, embedder = saved(tmp_path, float_toy)
    about: dict[str, Any] = {"config": asdict(TINY), "num_ws": embedder.num_ws, "fingerprint": embedder.fingerprint}
    (about if "num_ws" in claim else about["config"]).update(claim)
    save_file(load_file(file), file, {KIND: f"embedder {json.dumps(about)}"})
    with pytest.raises(UserError, match=r"damaged|predicts codes of"):
        load_embedder(file, float_toy)
