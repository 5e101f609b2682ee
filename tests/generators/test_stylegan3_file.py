from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import load_generator
from latentloop.generators.stylegan3 import Shape, StyleGAN3
from stylegan3_tensors import nvidia_tensors

Run = Callable[..., tuple[int, list[str], list[str]]]
SHAPE = Shape(mapping=(8, 7, 6), channels=(5, 4, 3, 4), resolution=16)
ROTATABLE = replace(SHAPE, kernel=1, radial=True)
UNUSUAL = replace(
    ROTATABLE,
    kernel=3,
    num_critical=1,
    first_cutoff=1.5,
    first_stopband=2.5,
    last_stopband_rel=1.5,
    margin=6,
    filter_size=4,
    oversampling=4,
    clamp=0.5,
    output_scale=0.5,
)
SETTINGS = {
    "img_resolution": 16,
    "use_radial_filters": True,
    "num_critical": 1,
    "first_cutoff": 1.5,
    "first_stopband": 2.5,
    "last_stopband_rel": 1.5,
    "margin_size": 6,
    "filter_size": 4,
    "lrelu_upsampling": 4,
    "conv_clamp": 0.5,
    "output_scale": 0.5,
    "channel_max": 5,
    "mapping_kwargs": {"num_layers": 2},
}


def make(shape: Shape = SHAPE) -> StyleGAN3:
    """All its numbers at random."""
    generator = StyleGAN3(shape, name="tiny", fingerprint="0").requires_grad_(False)
    randomness = torch.Generator().manual_seed(0)
    for name, tensor in generator.state_dict().items():
        values = 0.7 * torch.randn(tensor.shape, generator=randomness)
        tensor.copy_(0.5 + values.abs() if name.endswith("input_gain") else values)
    return generator


def check(path: Path, generator: StyleGAN3) -> None:
    """The file's network draws as this one does."""
    loaded, shape = load_generator(path), generator.shape
    w_plus, z = (torch.randn(2, *size, generator=torch.Generator().manual_seed(1)) for size in ((6, 6), (8,)))
    labels = torch.eye(shape.c_dim)[:2] if shape.c_dim else None
    torch.testing.assert_close(loaded.synthesis(w_plus), generator.synthesis(w_plus), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loaded.mapping(z, labels), generator.mapping(z, labels), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loaded.latent_avg, generator.latent_avg)
    assert (loaded.resolution, loaded.num_ws, loaded.z_dim, loaded.c_dim) == (16, 6, 8, shape.c_dim)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [(SHAPE, {}), (ROTATABLE, {}), (replace(SHAPE, c_dim=3, mapping=(8, 7, 6)), {}), (UNUSUAL, SETTINGS)],
    ids=["T", "R", "classes", "unusual"],
)
@pytest.mark.parametrize("kind", ["pickle", "tensors", "ours"])
def test_what_is_read_draws_the_same(
    write_nvidia: Callable[..., Path], run: Run, tmp_path: Path, shape: Shape, settings: dict[str, Any], kind: str
) -> None:
    generator = make(shape)
    path = write_nvidia(nvidia_tensors(generator), settings)
    if kind == "tensors":
        if settings:
            pytest.skip("tensors alone do not tell unusual settings")
        path = tmp_path / "tensors.pt"
        torch.save(nvidia_tensors(generator), path)
    if kind == "ours":
        layout, kind_line = run("convert", path, tmp_path / "ours.safetensors")[1][:2]
        assert layout.startswith("layout      StyleGAN3 of NVIDIA  ")
        assert kind_line.startswith("kind        stylegan3 ")
        path = tmp_path / "ours.safetensors"
    check(path, generator)


def test_without_its_transform_it_draws_upright(write_nvidia: Callable[..., Path]) -> None:
    generator = make()
    tensors = {n: t for n, t in nvidia_tensors(generator).items() if n != "synthesis.input.transform"}
    generator.synthesis.input.transform.copy_(torch.eye(3))
    check(write_nvidia(tensors, {}), generator)


def test_a_transform_repeated_for_a_batch_is_the_one(write_nvidia: Callable[..., Path]) -> None:
    generator, name = make(), "synthesis.input.transform"
    tensors = nvidia_tensors(generator)
    check(write_nvidia(tensors | {name: tensors[name].expand(4, 3, 3)}, {}), generator)
    with pytest.raises(UserError, match=r"input\.transform"):
        load_generator(write_nvidia(tensors | {name: torch.randn(2, 3, 3)}, {}))


def test_grey_images_get_three_equal_channels(write_nvidia: Callable[..., Path]) -> None:
    generator = make()
    tensors = nvidia_tensors(generator)
    last = {name: tensor for name, tensor in tensors.items() if name.startswith("synthesis.L4_16_3.")}
    grey = {name.replace("L4_16_3", "L4_16_1"): t[:1] if t.shape[:1] == (3,) else t for name, t in last.items()}
    # The affine layer has as many outputs as the layer before has channels, four.
    path = write_nvidia({name: tensor for name, tensor in tensors.items() if name not in last} | grey, {})
    image = load_generator(path).synthesis(torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(
        image,
        generator.synthesis(torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1)))[:, :1].expand_as(image),
    )


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"synthesis.L1_36_4.weight": None}, {}, "layers 0, 2, 3, 4"),
        ({"synthesis.L1_36_4.bias": None}, {}, "but synthesis.L1_36_4.bias is missing"),
        ({"synthesis.L1_36_4.skip.weight": torch.zeros(1)}, {}, "skip.weight: a tensor that StyleGAN3 does not have"),
        ({"synthesis.L4_16_3.weight": torch.zeros(4, 4, 1, 1)}, {}, "must draw 3 colours or 1, draws 4"),
        (
            {"synthesis.L0_36_5.up_filter": torch.ones(12)},
            {},
            "up_filter: not the filter that follows from the settings",
        ),
        ({}, {"first_cutoff": 1.5}, r"L\d+_\d+_\d+.*(the settings give|not the filter that follows)"),
        ({}, {"img_resolution": 32}, "L4_16_3: the settings give 32 pixels"),
        ({}, {"first_cutoff": None}, "a StyleGAN3 of NVIDIA, but"),
        ({}, {"filter_size": 10**9}, "sizes that no StyleGAN3 can have"),
        ({}, {"conv_clamp": float("nan")}, "clamp must be above 0 and finite"),
        ({"synthesis.input.freqs": torch.zeros(5)}, {}, "its tensors do not fit a stylegan3: .*input.freqs"),
        ({"synthesis.L0_36_5.bias": torch.full((5,), torch.nan)}, {}, "convs.0.bias has numbers that are not finite"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    write_nvidia: Callable[..., Path], change: dict[str, Tensor | None], settings: dict[str, Any], message: str
) -> None:
    tensors = {n: t for n, t in (nvidia_tensors(make()) | change).items() if t is not None}
    path = write_nvidia(tensors, settings)
    with pytest.raises(UserError, match=message) as caught:
        load_generator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
