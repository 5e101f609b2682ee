import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.encoders.psp_file import find_kind, find_stages, from_checkpoint
from psp_checkpoints import INTO_W, INTO_W_PLUS, KINDS, LAST, PYRAMID, STAGES, W_DIM, Tensors, checkpoint


class Reference:
    """An encoder as the papers and the files describe it, in float64, written out layer by layer."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = {n.removeprefix("encoder."): t.double() for n, t in tensors.items() if n.startswith("encoder.")}

    def norm(self, x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            self.tensors[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.tensors[f"{name}.weight"]
        return F.conv2d(x, weight, self.tensors.get(f"{name}.bias"), stride, padding=weight.shape[-1] // 2)

    def equalised(self, x: Tensor, name: str) -> Tensor:
        weight = self.tensors[f"{name}.weight"]
        return x @ weight.T / math.sqrt(weight.shape[1]) + self.tensors[f"{name}.bias"]

    def block(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = self.conv(self.norm(x, f"{name}.res_layer.0"), f"{name}.res_layer.1")
        y = F.prelu(y, self.tensors[f"{name}.res_layer.2.weight"])
        y = self.norm(self.conv(y, f"{name}.res_layer.3", stride), f"{name}.res_layer.4")
        squeezed = self.conv(y.mean((2, 3), keepdim=True), f"{name}.res_layer.5.fc1").relu()
        y = y * self.conv(squeezed, f"{name}.res_layer.5.fc2").sigmoid()
        if f"{name}.shortcut_layer.0.weight" not in self.tensors:
            return x[:, :, ::stride, ::stride] + y
        return self.norm(self.conv(x, f"{name}.shortcut_layer.0", stride), f"{name}.shortcut_layer.1") + y

    def features(self, image: Tensor) -> list[Tensor]:
        x = F.prelu(self.norm(self.conv(image, "input_layer.0"), "input_layer.1"), self.tensors["input_layer.2.weight"])
        made = []
        for i, stride in enumerate((2, 2, 1, 2, 2)):
            x = self.block(x, f"body.{i}", stride)
            made.append(x)
        return made

    def style(self, x: Tensor, j: int) -> Tensor:
        k = 0
        while f"styles.{j}.convs.{k}.weight" in self.tensors:
            x, k = F.leaky_relu(self.conv(x, f"styles.{j}.convs.{k}", stride=2), 0.01), k + 2
        assert x.shape[2:] == (1, 1)
        return self.equalised(x[:, :, 0, 0], f"styles.{j}.linear")

    def heads(self, image: Tensor, kind: str, num_ws: int) -> Tensor:
        _, _, fine, middle, coarse = self.features(image)
        if kind in INTO_W:
            return torch.stack([self.equalised(coarse.mean((2, 3)), "linear")] * num_ws, dim=1)
        if kind == INTO_W_PLUS:
            pooled = F.adaptive_avg_pool2d(self.norm(coarse, "output_layer_2.0"), 7).flatten(1)
            hidden = pooled @ self.tensors["output_layer_2.3.weight"].T + self.tensors["output_layer_2.3.bias"]
            return self.equalised(hidden, "linear").reshape(-1, num_ws, W_DIM)
        levels = [coarse] * 3
        if kind in PYRAMID:
            for i, (layer, lateral) in enumerate((("latlayer1", middle), ("latlayer2", fine))):
                grown = F.interpolate(levels[i], scale_factor=2, mode="bilinear", align_corners=True)
                levels[i + 1] = grown + self.conv(lateral, layer)
        styles = [self.style(levels[(j > 2) + (j > 6)], j) for j in range(num_ws)]
        if kind in (PYRAMID[1], LAST[1]):
            styles = styles[:1] + [styles[0] + offset for offset in styles[1:]]
        return torch.stack(styles, dim=1)


def images(count: int, size: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def mean(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoints_codes_are_the_papers(kind: str) -> None:
    tensors, latent_avg = checkpoint(kind), mean(8, W_DIM)
    encoder = from_checkpoint(tensors, {"encoder_type": kind, "start_from_latent_avg": True}, latent_avg)
    image = images(1, encoder.resolution)
    expected = latent_avg + Reference(tensors).heads(image, kind, 8)
    # The gain is folded into the weights in float32.
    torch.testing.assert_close(encoder.double()(image), expected, rtol=1e-6, atol=1e-6)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(module.training for module in encoder.modules())


@pytest.mark.parametrize("kind", [*PYRAMID, *LAST])
def test_an_encoder_of_two_images_refines(kind: str) -> None:
    tensors, latent_avg = checkpoint(kind, in_channels=6), mean(8, W_DIM)
    encoder = from_checkpoint(
        tensors, {"encoder_type": kind, "input_nc": 6, "start_from_latent_avg": False}, latent_avg
    )
    image, previous, w_plus = images(2, 32), images(2, 32, seed=3), mean(2, 8, W_DIM).double()
    expected = w_plus + Reference(tensors).heads(torch.cat([image, previous], dim=1), kind, 8)
    encoder.double()
    torch.testing.assert_close(encoder.refine(image, previous, w_plus), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(encoder.start(2), torch.stack([latent_avg.double()] * 2))


def test_sizes_are_those_of_the_tensors() -> None:
    encoder = from_checkpoint(checkpoint(LAST[0], num_ws=5), {"encoder_type": LAST[0]}, mean(W_DIM))
    assert (encoder.num_ws, encoder.w_dim, encoder.resolution, encoder.iterative) == (5, W_DIM, 32, False)
    assert from_checkpoint(checkpoint(LAST[0], in_channels=6), {"encoder_type": LAST[0]}, mean(W_DIM)).iterative
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in checkpoint(LAST[0]).items()}
    assert tuple(find_stages(tensors)) == STAGES


KNOWN_BY: list[tuple[str, dict[str, Any]]] = [
    ("Encoder4Editing", {"stylegan_size": 1024}),
    ("ProgressiveBackboneEncoder", {"output_size": 1024, "progressive_steps": None}),
    (INTO_W[0], {}),
    (INTO_W_PLUS, {"encoder_type": None}),
    ("GradualStyleEncoder", {"encoder_type": "GradualStyleEncoder", "stylegan_size": 1024}),
]


@pytest.mark.parametrize(("kind", "opts"), KNOWN_BY)
def test_its_kind_is_known_by_its_tensors_and_options(kind: str, opts: dict[str, Any]) -> None:
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in checkpoint(kind).items()}
    assert find_kind(tensors, opts) == kind


@pytest.mark.parametrize("kinds", [PYRAMID, LAST])
def test_kinds_with_the_same_tensors_are_not_guessed(kinds: tuple[str, str]) -> None:
    problem = f"{kinds[0]} and {kinds[1]} have the same tensors; set encoder_type in opts"
    with pytest.raises(RuntimeError, match=problem):
        from_checkpoint(checkpoint(kinds[0]), {"output_size": 1024, "learn_in_w": False}, mean(W_DIM))


@pytest.mark.parametrize(
    ("opts", "latent_avg", "num_ws"),
    [
        ({"output_size": 1024}, mean(1, W_DIM), 18),
        ({"stylegan_size": 256}, mean(W_DIM), 14),
        ({"output_size": 1024}, mean(16, W_DIM), 16),
    ],
)
def test_one_style_is_given_to_as_many_layers_as_the_generator_has(
    opts: dict[str, Any], latent_avg: Tensor, num_ws: int
) -> None:
    encoder = from_checkpoint(checkpoint(INTO_W[0]), opts, latent_avg)
    assert encoder.num_ws == num_ws
    assert encoder.start(2).shape == (2, num_ws, W_DIM)


def test_codes_may_be_no_offsets() -> None:
    opts = {"encoder_type": LAST[0], "start_from_latent_avg": False}
    tensors, image = checkpoint(LAST[0]), images(1, 32)
    expected = Reference(tensors).heads(image, LAST[0], 8)
    for latent_avg in (mean(W_DIM), None):
        encoder = from_checkpoint(tensors, opts, latent_avg).double()
        torch.testing.assert_close(encoder(image), expected, rtol=1e-6, atol=1e-6)


def test_halves_and_files_without_counters_are_read() -> None:
    tensors, opts = checkpoint(LAST[0]), {"encoder_type": LAST[0]}
    halves = {n: t.half() for n, t in tensors.items() if not n.endswith("num_batches_tracked")}
    image = images(1, 32).float()
    found = from_checkpoint(halves, opts, mean(W_DIM).half())(image)
    torch.testing.assert_close(found, from_checkpoint(tensors, opts, mean(W_DIM))(image), rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", [PYRAMID[1], LAST[0], INTO_W[0], INTO_W_PLUS])
def test_every_missing_tensor_is_told(kind: str) -> None:
    tensors = checkpoint(kind, num_ws=4)
    for name in tensors:
        layer, _, part = name.partition("encoder.")[2].rpartition(".")
        if layer and part != "num_batches_tracked":
            damaged = {n: t for n, t in tensors.items() if n != name}
            with pytest.raises(RuntimeError, match=rf"{layer}\."):
                from_checkpoint(damaged, {"encoder_type": kind}, mean(4, W_DIM))


REFUSED: list[tuple[str, dict[str, Any], Tensor | None, str]] = [
    (
        LAST[0],
        {"encoder_type": "ResNetBackboneEncoder"},
        mean(W_DIM),
        "encoder_type must be one of .*, got 'ResNetBackboneEncoder'",
    ),
    (LAST[0], {"encoder_type": PYRAMID[0]}, mean(W_DIM), r"latlayer1\.\w+"),
    (PYRAMID[0], {"encoder_type": LAST[0]}, mean(W_DIM), r"encoder\.latlayer1\.\w+ belongs to another kind of encoder"),
    (LAST[0], {"encoder_type": LAST[0]}, mean(W_DIM + 1), r"latent_avg must be \(8,\) or \(8, 8\), got \(9,\)"),
    (LAST[0], {"encoder_type": LAST[0]}, mean(6, W_DIM), r"latent_avg must be \(8,\) or \(8, 8\), got \(6, 8\)"),
    (LAST[0], {"encoder_type": LAST[0]}, None, "offsets from latent_avg, which is missing"),
    (INTO_W[0], {}, mean(1, W_DIM), "set output_size in opts"),
]


@pytest.mark.parametrize(("kind", "opts", "latent_avg", "problem"), REFUSED)
def test_what_does_not_go_together_is_refused(
    kind: str, opts: dict[str, Any], latent_avg: Tensor | None, problem: str
) -> None:
    with pytest.raises(RuntimeError, match=problem):
        from_checkpoint(checkpoint(kind), opts, latent_avg)


def test_tensors_of_another_shape_are_refused() -> None:
    tensors, opts = checkpoint(LAST[0]), {"encoder_type": LAST[0]}
    for name in ("body.2.res_layer.3.weight", "styles.3.linear.weight", "input_layer.2.weight"):
        with pytest.raises(RuntimeError, match=name):
            from_checkpoint(tensors | {f"encoder.{name}": torch.zeros(3, 3)}, opts, mean(W_DIM))


def test_what_is_no_encoder_for_photos_is_refused() -> None:
    tensors = checkpoint(LAST[0], in_channels=19)
    with pytest.raises(RuntimeError, match="the encoder must take 3 or 6 channels, takes 19"):
        from_checkpoint(tensors, {"encoder_type": LAST[0]}, mean(W_DIM))
    with pytest.raises(RuntimeError, match=r"not an encoder on IR-SE50: encoder\.input_layer\.0\.weight is missing"):
        from_checkpoint({"encoder.conv1.weight": torch.zeros(64, 3, 7, 7)}, {}, mean(W_DIM))


def test_a_layers_number_does_not_make_layers() -> None:
    tensors = checkpoint(LAST[0]) | {"encoder.styles.999999999.linear.bias": torch.zeros(W_DIM)}
    with pytest.raises(RuntimeError, match=r"missing or misshapen encoder\.styles: layers"):
        from_checkpoint(tensors, {"encoder_type": LAST[0]}, mean(W_DIM))
