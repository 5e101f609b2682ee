"""A small StyleGAN2 is written in every layout, read back, and draws the same."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators import StyleGAN2, load_generator
from latentloop.generators.stylegan2 import Shape
from stylegan2_tensors import genforce, nvidia, random_stylegan2, rosinality, tensorflow


@pytest.fixture
def tiny() -> StyleGAN2:
    """All its numbers at random; channels differ from block to block."""
    return random_stylegan2(Shape(mapping=(8, 7, 6), channels=(5, 4, 3)))


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    def write(content: object) -> Path:
        torch.save(content, tmp_path / "file.bin")
        return tmp_path / "file.bin"

    return write


def check(path: Path, tiny: StyleGAN2) -> None:
    """The file's network draws as this one does, whatever the style of each layer."""
    loaded = load_generator(path)
    w_plus = torch.randn(2, 6, 6, generator=torch.Generator().manual_seed(1))
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(loaded.synthesis(w_plus), tiny.synthesis(w_plus), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loaded.mapping(z), tiny.mapping(z), rtol=1e-5, atol=1e-5)
    assert (loaded.resolution, loaded.num_ws, loaded.z_dim, loaded.c_dim, loaded.w_dim) == (16, 6, 8, 0, 6)


@pytest.mark.parametrize("protocol", [2, 4])
def test_nvidia_in_pytorch(tiny: StyleGAN2, write_nvidia: Callable[..., Path], protocol: int) -> None:
    path = write_nvidia(nvidia(tiny), {"z_dim": 8}, protocol=protocol)
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


def test_nvidia_in_tensorflow(tiny: StyleGAN2, write_tensorflow: Callable[..., Path]) -> None:
    path = write_tensorflow(tensorflow(nvidia(tiny)), {"resolution": 16})
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


@pytest.mark.parametrize("shape", [(6,), (1, 6), (3, 6)])
def test_rosinality_converted(tiny: StyleGAN2, save: Callable[[object], Path], shape: tuple[int, ...]) -> None:
    path = save({"g_ema": rosinality(nvidia(tiny)), "latent_avg": tiny.latent_avg.expand(shape)})
    check(path, tiny)
    torch.testing.assert_close(load_generator(path).latent_avg, tiny.latent_avg)


def test_rosinality_in_training_has_its_mean_latent_estimated(
    tiny: StyleGAN2, save: Callable[[object], Path], run: Callable[..., tuple[int, list[str], list[str]]]
) -> None:
    path = save({"g": {}, "d": {}, "g_ema": rosinality(nvidia(tiny)), "g_optim": {"state": {}}, "args": None})
    check(path, tiny)
    loaded = load_generator(path)
    samples = tiny.mapping(torch.randn(100_000, 8, generator=torch.Generator().manual_seed(7)))
    error = samples.std(dim=0) / math.sqrt(32768)
    assert ((loaded.latent_avg - samples.mean(dim=0)).abs() < 6 * error).all()
    assert torch.equal(loaded.latent_avg, load_generator(path).latent_avg)
    told = "latent_avg  estimated from samples (missing from the file)  "
    assert any(line.startswith(told) for line in run("inspect", path)[1])


def test_genforce(tiny: StyleGAN2, save: Callable[[object], Path]) -> None:
    check(save({"generator": {}, "discriminator": {}, "generator_smooth": genforce(nvidia(tiny))}), tiny)


@pytest.mark.parametrize("other", ["encoder.x", "hypernet.refinement_blocks.0.x"], ids=["pSp", "HyperStyle"])
def test_an_encoder_with_its_generator(tiny: StyleGAN2, save: Callable[[object], Path], other: str) -> None:
    decoder = {f"decoder.{name}": tensor for name, tensor in rosinality(nvidia(tiny)).items()}
    path = save({"state_dict": decoder | {other: torch.zeros(1)}, "latent_avg": tiny.latent_avg, "opts": {}})
    check(path, tiny)


def test_all_layouts_of_one_network_share_its_latent_space(
    tiny: StyleGAN2, save: Callable[[object], Path], write_nvidia: Callable[..., Path]
) -> None:
    theirs = nvidia(tiny)
    converted = save({"g_ema": rosinality(theirs), "latent_avg": tiny.latent_avg})
    assert load_generator(write_nvidia(theirs, {})).fingerprint == load_generator(converted).fingerprint


def test_settings_that_no_tensor_tells_are_kept(
    tiny: StyleGAN2,
    write_nvidia: Callable[..., Path],
    tmp_path: Path,
    run: Callable[..., tuple[int, list[str], list[str]]],
) -> None:
    path = write_nvidia(nvidia(tiny), {"synthesis_kwargs": {"conv_clamp": 0.5}})
    ours = tmp_path / "ours.safetensors"
    code, said, _ = run("convert", path, ours)
    assert code == 0
    assert said[0].startswith("layout      StyleGAN2 of NVIDIA in PyTorch  ")
    w_plus = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(load_generator(ours).synthesis(w_plus), load_generator(path).synthesis(w_plus))
    assert not torch.allclose(load_generator(ours).synthesis(w_plus), tiny.synthesis(w_plus))


def test_a_converted_file_in_half_precision_keeps_the_latent_space(
    tiny: StyleGAN2,
    write_nvidia: Callable[..., Path],
    tmp_path: Path,
    run: Callable[..., tuple[int, list[str], list[str]]],
) -> None:
    path, whole, half = write_nvidia(nvidia(tiny), {}), tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    assert run("convert", path, whole)[0] == run("convert", path, half, "--half")[0] == 0
    w_plus = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1))
    exact, rough = load_generator(whole), load_generator(half)
    assert exact.fingerprint == rough.fingerprint == load_generator(path).fingerprint
    torch.testing.assert_close(exact.synthesis(w_plus), load_generator(path).synthesis(w_plus))
    difference = rough.synthesis(w_plus) - exact.synthesis(w_plus)
    assert 0 < difference.abs().max() < 0.01 * exact.synthesis(w_plus).abs().max()
    assert half.stat().st_size < whole.stat().st_size


def test_our_own_file_has_one_generator(
    tiny: StyleGAN2, tmp_path: Path, run: Callable[..., tuple[int, list[str], list[str]]]
) -> None:
    path = tmp_path / "ours.safetensors"
    save_file(dict(tiny.state_dict()), path, {"latentloop": "stylegan2"})
    assert run("inspect", path)[0] == 0
    assert run("inspect", path, "--which", "g")[2] == [
        f"latentloop: {path}: has one generator alone, no g; see --which"
    ]


@pytest.mark.parametrize("settings", ["[]", "3", "{", "[" * 100_000, '{"clamp": NaN}', '{"clamp": -1}'])
def test_damaged_settings_of_our_own_files_are_told(tiny: StyleGAN2, tmp_path: Path, settings: str) -> None:
    path = tmp_path / "ours.safetensors"
    save_file(dict(tiny.state_dict()), path, {"latentloop": f"stylegan2 {settings}"})
    with pytest.raises(UserError, match=r"ours\.safetensors: its (settings are damaged|tensors do not fit)") as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"synthesis.b8.conv1.weight": None}, "but synthesis.b8.conv1.weight is missing"),
        (
            {"synthesis.b8.conv1.bias": torch.full((4,), math.nan)},
            "synthesis.convs.2.bias has numbers that are not finite",
        ),
        ({"synthesis.b8.conv0.resample_filter": torch.ones(2, 2)}, r"filter of \(2, 2\) that is not \[1, 3, 3, 1\]"),
        ({"synthesis.b8.skip.weight": torch.zeros(1)}, "residual connections is not supported"),
        ({"synthesis.b16.torgb.weight": torch.zeros(4, 3, 1, 1)}, "must draw 3 colours or 1, draws 4"),
        (
            {"synthesis.b8.conv1.weight": torch.zeros(4, 9, 3, 3)},
            "its tensors do not fit a stylegan2: .*convs.2.weight",
        ),
        ({"synthesis.b4.const": torch.zeros(6, 4, 4)}, "its tensors do not fit a stylegan2: .*const"),
        ({"synthesis.b4.conv1.affine.weight": None}, r"not a generator of a supported layout, but tensors \(mapping"),
    ],
)
def test_what_we_cannot_draw_is_refused_in_one_line(
    tiny: StyleGAN2, save: Callable[[object], Path], change: dict[str, Tensor | None], message: str
) -> None:
    tensors = {n: t for n, t in (nvidia(tiny) | change).items() if t is not None}
    path = save({"g_ema": tensors})
    with pytest.raises(UserError, match=message) as caught:
        load_generator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_discriminator_is_called_one(save: Callable[[object], Path]) -> None:
    tensors = {"b4.out.weight": torch.zeros(1), "b4.conv.weight": torch.zeros(1)}
    with pytest.raises(UserError, match=r"but a discriminator \(b4.conv.weight, b4.out.weight\)"):
        load_generator(save(tensors))
