import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.irse import IRSE50, STAGES
from latentloop.encoders.psp import (
    Heads,
    LastLayerIntoW,
    LastLayerIntoWPlus,
    PretrainedEncoder,
    StyleHead,
    StyleHeads,
    add_up,
    restyle,
    upsample_add,
)
from latentloop.generators import Generator

CHANNELS = (64, 128, 256, 512)


def randomised(module: nn.Module) -> nn.Module:
    """The module in float64 and evaluation mode, with random weights and statistics."""
    randomness = torch.Generator().manual_seed(0)
    for name, tensor in module.double().state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=randomness)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.3, generator=randomness)
    return module.requires_grad_(False).eval()


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tiny(
    latent_avg: Tensor, in_channels: int = 3, stages: int = 4, *, from_latent_avg: bool = True
) -> PretrainedEncoder:
    """For the toy generator, of 2 ** (stages + 1) pixels."""
    trunk = IRSE50(in_channels, stages=((16, 1), (32, 1), (48, 1), (64, 1), (80, 1))[:stages])
    heads = StyleHeads(trunk.channels, w_dim=8, num_ws=4, size=2, pyramid=False, progressive=False)
    encoder = PretrainedEncoder(trunk, heads, latent_avg=latent_avg, from_latent_avg=from_latent_avg)
    randomised(encoder).get_buffer("latent_avg").copy_(latent_avg)
    return encoder


def size_of(heads: Heads, in_channels: int = 3) -> int:
    return sum(p.numel() for p in [*IRSE50(in_channels).parameters(), *heads.parameters()])


def test_a_style_head_is_its_formula() -> None:
    head, x = randomised(StyleHead(3, 5, 4)), randn(2, 3, 4, 4)
    state, y = head.state_dict(), x.numpy()
    for layer in ("convs.0", "convs.2"):
        weight, bias = state[f"{layer}.weight"].numpy(), state[f"{layer}.bias"].numpy()
        padded, half = np.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1))), y.shape[-1] // 2
        y = (
            np.stack(
                [
                    [
                        np.einsum("ncij,ocij->no", padded[:, :, i : i + 3, j : j + 3], weight)
                        for j in range(0, 2 * half, 2)
                    ]
                    for i in range(0, 2 * half, 2)
                ]
            ).transpose(2, 3, 0, 1)
            + bias[:, None, None]
        )
        y = np.where(y > 0, y, 0.01 * y)
    expected = y[:, :, 0, 0] @ state["linear.weight"].numpy().T + state["linear.bias"].numpy()
    np.testing.assert_allclose(head(x).numpy(), expected, rtol=0, atol=1e-12)


def test_coarse_features_are_added_with_their_corners_in_place() -> None:
    coarse, fine = randn(2, 3, 4, 3), randn(2, 3, 8, 6, seed=2)
    rows, columns = np.linspace(0, 3, 8), np.linspace(0, 2, 6)
    tall = np.apply_along_axis(lambda line: np.interp(rows, range(4), line), 2, coarse.numpy())
    wide = np.apply_along_axis(lambda line: np.interp(columns, range(3), line), 3, tall)
    np.testing.assert_allclose(upsample_add(coarse, fine).numpy(), wide + fine.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("progressive", [True, False])
def test_finer_styles_see_finer_features(progressive: bool) -> None:
    heads = StyleHeads((4, 6, 8), w_dim=5, num_ws=9, size=2, pyramid=True, progressive=progressive)
    state = randomised(heads).state_dict()
    fine, middle, coarse = randn(2, 4, 8, 8), randn(2, 6, 4, 4, seed=2), randn(2, 8, 2, 2, seed=3)
    levels = [coarse]
    for layer, features in (("latlayer1", middle), ("latlayer2", fine)):
        across = torch.einsum("nchw,oc->nohw", features, state[f"{layer}.weight"][:, :, 0, 0])
        grown = F.interpolate(levels[-1], scale_factor=2, mode="bilinear", align_corners=True)
        levels.append(grown + across + state[f"{layer}.bias"][:, None, None])
    seen = [levels[0]] * 3 + [levels[1]] * 4 + [levels[2]] * 2
    expected = [head(x) for head, x in zip(heads.styles, seen, strict=True)]
    if progressive:
        expected = [expected[0]] + [expected[0] + offset for offset in expected[1:]]
    torch.testing.assert_close(heads((fine, middle, coarse)), torch.stack(expected, dim=1), rtol=0, atol=1e-12)


def test_a_progressive_code_is_its_first_style_and_offsets_from_it() -> None:
    codes = torch.tensor([[[1.0, 2.0], [10.0, 20.0], [-1.0, 0.0]]])
    torch.testing.assert_close(add_up(codes), torch.tensor([[[1.0, 2.0], [11.0, 22.0], [0.0, 2.0]]]))


def test_one_style_stands_for_all_layers() -> None:
    heads, features = LastLayerIntoW(6, w_dim=5, num_ws=3), randn(2, 6, 4, 4)
    state = randomised(heads).state_dict()
    style = features.numpy().mean((2, 3)) @ state["linear.weight"].numpy().T + state["linear.bias"].numpy()
    np.testing.assert_allclose(heads((features,)).numpy(), np.stack([style] * 3, axis=1), rtol=0, atol=1e-12)


def test_all_styles_come_of_two_layers_on_the_pooled_features() -> None:
    heads, features = LastLayerIntoWPlus(2, w_dim=5, num_ws=3), randn(2, 2, 14, 14)
    state = {name: tensor.numpy() for name, tensor in randomised(heads).state_dict().items()}
    mean, variance, weight, bias = (
        state[f"output_layer_2.0.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    x = (features.numpy() - mean) / np.sqrt(variance + 1e-5) * weight + bias
    pooled = x.reshape(2, 2, 7, 2, 7, 2).mean((3, 5)).reshape(2, -1)
    hidden = pooled @ state["output_layer_2.3.weight"].T + state["output_layer_2.3.bias"]
    codes = hidden @ state["linear.weight"].T + state["linear.bias"]
    np.testing.assert_allclose(heads((features,)).numpy(), codes.reshape(2, 3, 5), rtol=0, atol=1e-12)


@pytest.mark.parametrize("from_latent_avg", [True, False])
@pytest.mark.parametrize("shape", [(8,), (4, 8)])
def test_what_the_heads_say_is_an_offset_or_the_code(shape: tuple[int, ...], from_latent_avg: bool) -> None:
    latent_avg, image = randn(*shape), randn(2, 3, 32, 32)
    encoder = tiny(latent_avg, from_latent_avg=from_latent_avg)
    said = encoder.heads(encoder.trunk(image))
    expected = said + latent_avg if from_latent_avg else said
    torch.testing.assert_close(encoder(image), expected, rtol=0, atol=1e-12)


def test_an_image_has_the_same_code_alone_and_in_a_batch() -> None:
    encoder, images = tiny(randn(8)), randn(3, 3, 32, 32)
    alone = torch.cat([encoder(image[None]) for image in images])
    torch.testing.assert_close(encoder(images), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("stages", [3, 4, 5])
def test_restyle_adds_what_it_says_of_the_photo_and_of_what_its_code_draws(toy: Generator, stages: int) -> None:
    encoder, size = tiny(randn(4, 8), 6, stages), 2 << stages
    image = randn(2, 3, size, size)
    w_plus = torch.stack([encoder.latent_avg] * 2)
    for _ in range(3):
        drawn = toy.synthesis(w_plus)
        if size == 16:
            drawn = drawn.reshape(2, 3, 16, 2, 16, 2).mean((3, 5))
        elif size == 64:
            drawn = drawn.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        w_plus = w_plus + encoder.heads(encoder.trunk(torch.cat([image, drawn], dim=1)))
    torch.testing.assert_close(restyle(encoder, toy, image, steps=3), w_plus, rtol=0, atol=1e-12)


def test_without_a_step_restyle_gives_the_mean(toy: Generator) -> None:
    encoder = tiny(randn(4, 8), 6)
    found = restyle(encoder, toy, randn(2, 3, 32, 32), steps=0)
    torch.testing.assert_close(found, torch.stack([encoder.latent_avg] * 2))


@pytest.mark.parametrize(("num_ws", "size"), [(18, 267_136_704), (16, 238_293_696), (14, 209_450_688)])
def test_encoders_on_a_pyramid_have_the_published_size(num_ws: int, size: int) -> None:
    with torch.device("meta"):
        heads = StyleHeads(CHANNELS, w_dim=512, num_ws=num_ws, size=16, pyramid=True, progressive=True)
        assert size_of(heads) == size


def test_encoders_on_the_last_features_have_the_published_size() -> None:
    assert tuple(channels for channels, _ in STAGES) == CHANNELS
    with torch.device("meta"):
        heads = StyleHeads(CHANNELS, w_dim=512, num_ws=18, size=16, pyramid=False, progressive=False)
        assert size_of(heads, in_channels=6) == 205_585_792
        assert size_of(LastLayerIntoW(512, w_dim=512, num_ws=18)) == 31_212_736
        assert size_of(LastLayerIntoWPlus(512, w_dim=512, num_ws=18)) == 48_524_480


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"latent_avg must be \(8,\) or \(4, 8\), got \(5, 8\)"):
        tiny(randn(5, 8))
    with pytest.raises(ValueError, match=r"image must be \(N, 3, 32, 32\), got \(1, 3, 16, 16\)"):
        tiny(randn(8))(randn(1, 3, 16, 16))
    with pytest.raises(ValueError, match=r"image must be \(N, 3, 32, 32\), got \(1, 3, 64, 64\)"):
        tiny(randn(8), 6).refine(randn(1, 3, 32, 32), randn(1, 3, 64, 64), randn(1, 4, 8))


def test_an_encoder_of_one_kind_is_not_taken_for_the_other() -> None:
    image = randn(1, 3, 32, 32)
    with pytest.raises(ValueError, match="needs a generator; use restyle"):
        tiny(randn(8), 6)(image)
    with pytest.raises(ValueError, match="an encoder of one pass has no steps"):
        tiny(randn(8)).refine(image, image, randn(1, 4, 8))
