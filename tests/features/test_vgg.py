from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from conftest import randn
from latentloop.errors import UserError
from latentloop.features import vgg
from latentloop.features.vgg import VGG16, load_lpips_vgg, load_vgg16, make_vgg16_file, vgg16_path
from latentloop.files import sha256_of
from vgg_tensors import FEATURES, expect, linear_tensors, save_both, vgg16_tensors

NAMES = [f"conv1_{i}" for i in (1, 2)] + [f"conv2_{i}" for i in (1, 2)]
NAMES += [f"conv{block}_{i}" for block in (3, 4, 5) for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files like torchvision's and LPIPS's."""
    return save_both(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def made(sources: tuple[Path, Path]) -> Path:
    """What is made of them."""
    path = sources[0].with_name("vgg16.safetensors")
    with pytest.MonkeyPatch.context() as monkeypatch:
        expect(monkeypatch, *sources)
        make_vgg16_file(*sources, path)
    return path


def images(count: int = 2, seed: int = 0) -> Tensor:
    """(N, 3, 32, 32) in [-1, 1], float64."""
    return randn(count, 3, 32, 32, seed=seed).tanh()


def written_out(image: Tensor) -> dict[str, Tensor]:
    """The features of every layer, from torchvision's tensors and its statistics of images in [0, 1]."""
    tensors = {name: tensor.double() for name, tensor in vgg16_tensors().items()}
    mean, std = torch.tensor([0.485, 0.456, 0.406]).double(), torch.tensor([0.229, 0.224, 0.225]).double()
    x = ((image + 1) / 2 - mean[:, None, None]) / std[:, None, None]
    found, place, names = {}, 0, iter(NAMES)
    for layer in FEATURES[:-1]:
        if layer == "M":
            corners = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
            x = torch.stack(corners).amax(dim=0)
            place += 1
            continue
        weight, bias = tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"]
        columns = F.unfold(x, 3, padding=1)
        x = (weight.flatten(1) @ columns + bias[:, None]).clamp(min=0).unflatten(2, x.shape[2:])
        found[next(names)], place = x, place + 2
    return found


def test_features_are_those_of_the_network_written_out(made: Path) -> None:
    image = images()
    expected = written_out(image)
    found = load_vgg16(made, dtype=torch.float64).features(image, NAMES)
    assert len(expected) == 13
    torch.testing.assert_close(dict(zip(NAMES, found, strict=True)), expected, rtol=1e-5, atol=1e-6)


def test_features_come_in_the_order_asked_for_and_nothing_beyond_is_computed(made: Path) -> None:
    network, image, computed = load_vgg16(made), images().float(), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            module.register_forward_hook(lambda *_: computed.append(1))
    late, early, again = network.features(image, ["conv4_2", "conv1_1", "conv4_2"])
    assert (late.shape, early.shape) == ((2, 512, 4, 4), (2, 64, 32, 32))
    assert again is late
    assert len(computed) == 9 + 3
    assert network.features(image, []) == []
    assert len(computed) == 9 + 3


def test_in_few_bits_features_are_nearly_the_same_and_of_the_images_type(made: Path) -> None:
    image = images().float()
    (exact,), (found,) = (
        load_vgg16(made, dtype=t).features(image, ["conv3_1"]) for t in (torch.float32, torch.bfloat16)
    )
    assert found.dtype == torch.float32
    assert 0 < (found - exact).norm() / exact.norm() < 0.02


def test_the_networks_are_frozen_and_the_image_is_not(made: Path) -> None:
    image = images().float().requires_grad_()
    network, lpips = load_vgg16(made), load_lpips_vgg(made)
    assert not any(tensor.requires_grad for module in (network, lpips) for tensor in module.parameters())
    for value in (network.features(image, ["conv2_1"])[0].sum(), lpips(image, images(seed=1).float()).sum()):
        (gradient,) = torch.autograd.grad(value, image)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        (
            (1, 3, 32, 32),
            ["conv1_1", "conv1_3", "relu2_2"],
            "layers must be of conv1_1 to conv5_3, got conv1_3, relu2_2",
        ),
        ((1, 1, 32, 32), ["conv1_1"], r"image must be \(N, 3, H, W\), got \(1, 1, 32, 32\)"),
        ((3, 32, 32), ["conv1_1"], r"image must be \(N, 3, H, W\), got \(3, 32, 32\)"),
    ],
)
def test_wrong_arguments_are_told(shape: tuple[int, ...], layers: list[str], message: str) -> None:
    with torch.device("meta"):
        network, image = VGG16(), torch.zeros(shape)
    with pytest.raises(ValueError, match=message):
        network.features(image, layers)


@pytest.mark.parametrize("zipped", [True, False])
def test_the_file_has_the_authors_numbers_under_our_names(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, target = save_both(tmp_path, zipped=zipped), tmp_path / "new" / "vgg16.safetensors"
    expect(monkeypatch, *sources)
    make_vgg16_file(*sources, target)
    found, theirs = load_file(target), vgg16_tensors() | linear_tensors()
    assert len(found) == 13 * 2 + 5
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert list(target.parent.iterdir()) == [target]
    pairs = {"conv.0.weight": "features.0.weight", "conv.4.bias": "features.10.bias"}
    pairs |= {"conv.12.weight": "features.28.weight", "conv.12.bias": "features.28.bias"}
    for ours, name in pairs.items():
        assert torch.equal(found[ours], theirs[name])
    for i in range(5):
        assert torch.equal(found[f"linear.{i}"], theirs[f"lin{i}.model.1.weight"].flatten())


def test_a_write_that_fails_leaves_what_was_there(
    sources: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "vgg16.safetensors"
    target.write_text("old")

    def fill_the_disk(path: Path, _: bytes) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    expect(monkeypatch, *sources)
    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(UserError, match=r"vgg16\.safetensors: cannot write here: No space left on device"):
        make_vgg16_file(*sources, target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("wrong", [0, 1])
def test_another_file_is_refused_with_both_sums(
    wrong: int, sources: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "vgg16.safetensors"
    target.write_text("old")
    name = ("VGG16_SHA256", "LINEAR_SHA256")[wrong]
    real = getattr(vgg, name)
    expect(monkeypatch, *sources)
    monkeypatch.setattr(vgg, name, real)
    with pytest.raises(UserError) as caught:
        make_vgg16_file(*sources, target)
    found = sha256_of(sources[wrong])
    assert str(caught.value) == f"{sources[wrong]}: a different or damaged file: its sha256 is {found}, expected {real}"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "features.0.weight is missing"),
        ({"features.0.weight": torch.zeros(64, 3, 5, 5)}, "features.0.weight must be (64, 3, 3, 3), got (64, 3, 5, 5)"),
        ({"features.0.weight": 7}, "'int' object has no attribute 'shape'"),
        ([1], "list indices must be integers or slices, not str"),
    ],
    ids=["empty", "misshapen", "no tensor", "no dict"],
)
def test_what_is_no_vgg16_is_refused(
    content: object, said: str, sources: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    expect(monkeypatch, path, sources[1])
    with pytest.raises(UserError) as caught:
        make_vgg16_file(path, sources[1], tmp_path / "vgg16.safetensors")
    assert str(caught.value) == f"{path}: damaged, truncated or not a checkpoint ({said})"
    assert list(tmp_path.iterdir()) == [path]


def test_a_linear_layer_of_another_shape_is_refused(
    sources: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vgg.pth"
    torch.save(linear_tensors() | {"lin2.model.1.weight": torch.zeros(1, 128, 1, 1)}, path)
    expect(monkeypatch, sources[0], path)
    with pytest.raises(UserError, match=r"lin2\.model\.1\.weight must be \(1, 256, 1, 1\), got \(1, 128, 1, 1\)"):
        make_vgg16_file(sources[0], path, tmp_path / "vgg16.safetensors")


def test_a_missing_source_is_told(sources: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"here\.pth: no such file"):
        make_vgg16_file(tmp_path / "not here.pth", sources[1], tmp_path / "vgg16.safetensors")


def test_without_the_file_one_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path))
    for load in (load_vgg16, load_lpips_vgg):
        for path in (None, tmp_path / "vgg16.safetensors"):
            with pytest.raises(UserError) as caught:
                load(path)
            advice = "VGG16's weights are missing; get them with: latentloop fetch vgg16"
            assert str(caught.value) == f"{tmp_path / 'vgg16.safetensors'}: {advice}"


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"conv.0.weight": torch.zeros(64, 3, 3)}, "conv.0.weight must be (64, 3, 3, 3), got (64, 3, 3)"),
        ({"conv.0.weight": torch.zeros(64, 3, 3, 3)}, "conv.0.bias is missing"),
    ],
)
def test_a_file_of_something_else_is_refused(tensors: dict[str, Tensor], said: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(tensors, path)
    for load in (load_vgg16, load_lpips_vgg):
        with pytest.raises(UserError) as caught:
            load(path)
        again = "delete it, then get them again with: latentloop fetch vgg16"
        assert str(caught.value) == f"{path}: not VGG16's weights ({said}); {again}"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LATENTLOOP_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own/vgg16.safetensors"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/latentloop/vgg16.safetensors"),
        ({"LATENTLOOP_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/anna/.cache/latentloop/vgg16.safetensors"),
    ],
)
def test_the_environment_says_where_the_file_is(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/anna"))
    for name in ("LATENTLOOP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert vgg16_path() == Path(expected)
