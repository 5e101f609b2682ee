import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.encoders import ReStyle, load_encoder, predict
from latentloop.encoders.psp import restyle
from latentloop.encoders.psp_file import from_checkpoint
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents import mean_code
from latentloop.latents.code_file import load_code
from psp_checkpoints import INTO_W, INTO_W_PLUS, LAST, PYRAMID, checkpoint

Save = Callable[..., Path]
QUICK = ["--aligned", "--lambda-lpips", "0", "--device", "cpu", "--precision", "float32"]


@pytest.fixture
def save(tmp_path: Path, float_toy: Generator) -> Save:
    """Writes a checkpoint for the toy generator; changes of None leave an entry out."""

    def write(kind: str, *, in_channels: int = 3, opts: object = None, **changes: object) -> Path:
        content: dict[str, Any] = {
            "state_dict": checkpoint(kind, num_ws=4, in_channels=in_channels),
            "opts": opts or {"encoder_type": kind},
            "latent_avg": mean_code(float_toy)[0],
        }
        torch.save({n: v for n, v in (content | changes).items() if v is not None}, tmp_path / "encoder.pt")
        return tmp_path / "encoder.pt"

    return write


def images(size: int = 32) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_images_of_any_size_are_predicted_at_the_networks_own(save: Save, float_toy: Generator) -> None:
    encoder = load_encoder(save(PYRAMID[0]), float_toy)
    image = images(2 * encoder.resolution).requires_grad_()
    w_plus = predict(encoder, image)
    assert torch.equal(w_plus, encoder(torch.nn.functional.avg_pool2d(image, 2)))
    assert not w_plus.requires_grad


@pytest.mark.parametrize("kind", [*PYRAMID, *LAST, INTO_W[0], INTO_W_PLUS])
def test_a_checkpoints_encoder_finds_codes_of_the_generator(kind: str, save: Save, float_toy: Generator) -> None:
    encoder = load_encoder(save(kind), float_toy)
    wanted = from_checkpoint(checkpoint(kind, num_ws=4), {"encoder_type": kind}, mean_code(float_toy)[0])
    assert encoder.resolution == (256 if kind in (INTO_W[0], INTO_W_PLUS) else 32)
    assert torch.equal(encoder(images(encoder.resolution)), wanted(images(encoder.resolution)))


def test_options_may_be_a_namespace(save: Save, float_toy: Generator) -> None:
    told = load_encoder(save(PYRAMID[1], opts=argparse.Namespace(encoder_type=PYRAMID[1])), float_toy)(images())
    assert torch.equal(told, load_encoder(save(PYRAMID[1]), float_toy)(images()))


def test_an_encoder_without_a_mean_latent_takes_the_generators(save: Save, float_toy: Generator) -> None:
    without = load_encoder(save(LAST[0], latent_avg=None), float_toy)(images())
    torch.testing.assert_close(without, load_encoder(save(LAST[0]), float_toy)(images()))


def test_restyle_looks_at_what_the_generator_draws(save: Save, float_toy: Generator) -> None:
    encoder = load_encoder(save(LAST[1], in_channels=6), float_toy)
    assert isinstance(encoder, ReStyle)
    assert torch.equal(encoder(images()), restyle(encoder.encoder, float_toy, images(), steps=5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"state_dict": checkpoint(LAST[0], num_ws=5), "latent_avg": torch.zeros(8)},
            "predicts codes of 5 x 8 numbers, toy-32 takes 4 x 8",
        ),
        ({"latent_avg": torch.ones(8)}, "its latent_avg differs from that of toy-32"),
        ({"latent_avg": [1, 2]}, "latent_avg must be a tensor, got list"),
        ({"state_dict": None}, "not an encoder of pSp, e4e or ReStyle: it has no state_dict"),
        ({"state_dict": {"hypernet.x": torch.zeros(1)}}, "not an encoder on IR-SE50"),
        ({"opts": print}, "refused, it asks for the global __builtin__.print"),
    ],
    ids=["styles", "mean", "no mean", "no state", "hyperstyle", "code"],
)
def test_what_is_not_the_generators_encoder_is_refused_in_one_line(
    changes: dict[str, Any], message: str, save: Save, float_toy: Generator
) -> None:
    opts = changes.pop("opts", None)
    path = save(LAST[0], opts=opts, **changes)
    with pytest.raises(UserError, match=message) as caught:
        load_encoder(path, float_toy)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_another_file_is_no_encoder(float_toy: Generator, tmp_path: Path) -> None:
    (tmp_path / "file.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(UserError, match="neither a network of latentloop train nor a checkpoint of pSp"):
        load_encoder(tmp_path / "file.pkl", float_toy)


def test_numbers_that_are_not_finite_are_refused(save: Save, float_toy: Generator) -> None:
    state = checkpoint(LAST[0], num_ws=4)
    state["encoder.body.0.res_layer.1.weight"][0] = float("nan")
    with pytest.raises(UserError, match="has numbers that are not finite"):
        load_encoder(save(LAST[0], state_dict=state), float_toy)


@pytest.mark.usefixtures("process", "toy_shipped")
@pytest.mark.parametrize("in_channels", [3, 6])
def test_embed_takes_a_checkpoint_as_its_network(
    run: Callable[..., tuple[int, list[str], list[str]]],
    toy_photos: Callable[..., list[Path]],
    float_toy: Generator,
    save: Save,
    tmp_path: Path,
    in_channels: int,
) -> None:
    (photo,), path = toy_photos(1), save(LAST[0], in_channels=in_channels)
    command = ["embed", photo, "--method", "embed", "--embedder", path, "--out", tmp_path / "out"]
    code, _, errors = run(*command, *QUICK)
    assert (code, errors) == (0, [])
    found = load_code(tmp_path / "out" / f"{photo.stem}.npz").w_plus
    torch.testing.assert_close(found, load_encoder(path, float_toy)(read_image(photo))[0], rtol=0, atol=1e-5)
