import numpy as np
import numpy.typing as npt
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn

from latentloop.encoders.irse import IRSE50, Bottleneck

Array = npt.NDArray[np.float64]
TINY = ((16, 1), (32, 2), (48, 1))


def randomised(module: nn.Module) -> nn.Module:
    """The module in float64 and evaluation mode, with random weights and statistics."""
    randomness = torch.Generator().manual_seed(0)
    for name, tensor in module.double().state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=randomness)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.3, generator=randomness)
    return module.eval()


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def convolved(x: Array, weight: Tensor, stride: int = 1) -> Array:
    size = weight.shape[-1]
    pad = size // 2
    windows = sliding_window_view(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), (size, size), axis=(2, 3))
    out: Array = np.einsum("nchwij,ocij->nohw", windows[:, :, ::stride, ::stride], weight.numpy())
    return out


def normalised(x: Array, state: dict[str, Tensor], layer: str) -> Array:
    mean, variance, weight, bias = (
        state[f"{layer}.{part}"].numpy()[:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    out: Array = (x - mean) / np.sqrt(variance + 1e-5) * weight + bias
    return out


@pytest.mark.parametrize(("channels", "stride"), [(32, 1), (32, 2), (48, 2)])
def test_a_bottleneck_is_its_formula(channels: int, stride: int) -> None:
    block, x = randomised(Bottleneck(32, channels, stride)), randn(2, 32, 6, 6)
    state, pixels = block.state_dict(), x.numpy()
    y = convolved(normalised(pixels, state, "res_layer.0"), state["res_layer.1.weight"])
    y = np.where(y > 0, y, state["res_layer.2.weight"].numpy()[:, None, None] * y)
    y = normalised(convolved(y, state["res_layer.3.weight"], stride), state, "res_layer.4")
    hidden = np.maximum(state["res_layer.5.fc1.weight"].numpy()[:, :, 0, 0] @ y.mean((2, 3))[..., None], 0)
    logits = state["res_layer.5.fc2.weight"].numpy()[:, :, 0, 0] @ hidden
    y = y / (1 + np.exp(-logits[..., None]))
    if channels == 32:
        shortcut = pixels[:, :, ::stride, ::stride]
    else:
        shortcut = normalised(convolved(pixels, state["shortcut_layer.0.weight"], stride), state, "shortcut_layer.1")
    np.testing.assert_allclose(block(x).detach().numpy(), shortcut + y, rtol=0, atol=1e-12)


def test_stages_give_what_their_last_blocks_make() -> None:
    trunk, image = randomised(IRSE50(6, stages=TINY)), randn(2, 6, 16, 16)
    state = trunk.state_dict()
    stem = normalised(convolved(image.numpy(), state["input_layer.0.weight"]), state, "input_layer.1")
    x = torch.from_numpy(np.where(stem > 0, stem, state["input_layer.2.weight"].numpy()[:, None, None] * stem))
    expected = []
    for block in trunk.get_submodule("body").children():
        x = block(x)
        expected.append(x)
    del expected[1]
    assert [tuple(x.shape) for x in expected] == [(2, 16, 8, 8), (2, 32, 4, 4), (2, 48, 2, 2)]
    torch.testing.assert_close(list(trunk(image)), expected, rtol=0, atol=1e-12)


def test_an_image_has_the_same_features_alone_and_in_a_batch() -> None:
    trunk, images = randomised(IRSE50(3, stages=TINY)), randn(3, 3, 16, 16)
    alone = [torch.cat(parts) for parts in zip(*(trunk(image[None]) for image in images), strict=True)]
    torch.testing.assert_close(list(trunk(images)), alone, rtol=0, atol=1e-12)


def test_the_trunk_has_the_published_size() -> None:
    with torch.device("meta"):
        trunk = IRSE50()
        features = trunk(torch.empty(1, 3, 256, 256))
    assert sum(p.numel() for p in trunk.parameters()) == 30_950_080
    assert trunk.stages == ((0, 3), (3, 7), (7, 21), (21, 24))
    expected = [(1, 64, 128, 128), (1, 128, 64, 64), (1, 256, 32, 32), (1, 512, 16, 16)]
    assert [tuple(x.shape) for x in features] == expected
