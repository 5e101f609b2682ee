"""Generators are found in checkpoints of all shapes that people have, built small; the rest of a file is left alone."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foreign_files import WholeModule, nvidia_module, tensorflow_network
from latentloop.checkpoints import finding
from latentloop.checkpoints.network_pickles import Network, plain_tensor
from latentloop.checkpoints.reading import read_checkpoint
from latentloop.defaults import Which
from latentloop.errors import UserError
from latentloop.generators import Generator, StyleGAN2, generator_file, load_generator, random_inputs
from latentloop.generators.layouts import find_layout
from latentloop.generators.stylegan2 import Shape
from stylegan2_tensors import nvidia, random_stylegan2, rosinality, tensorflow

TINY = random_stylegan2(Shape(mapping=(8, 7, 6), channels=(5, 4, 3)))
OTHER = random_stylegan2(Shape(mapping=(8, 7, 6), channels=(3, 3)))
NVIDIA, ROSINALITY = nvidia(TINY), rosinality(nvidia(TINY))
MEAN = {"latent_avg": TINY.latent_avg}
TRAINING = {"g": rosinality(nvidia(OTHER)), "d": {"x": torch.ones(1)}, "g_ema": ROSINALITY, "ada_aug_p": torch.ones(1)}
TRAINING |= MEAN
VARIABLES = tensorflow(NVIDIA)


def before(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def check(path: Path, generator: StyleGAN2 = TINY, which: Which = "g_ema") -> None:
    w_plus = torch.randn(2, generator.num_ws, 6, generator=torch.Generator().manual_seed(1))
    loaded = load_generator(path, which=which)
    torch.testing.assert_close(loaded.synthesis(w_plus), generator.synthesis(w_plus), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loaded.latent_avg, generator.latent_avg)


class ProjectedDiscriminator(nn.Module):
    """A class that no reader knows."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU6())


@pytest.mark.parametrize(
    "content",
    [
        before("module.", NVIDIA),
        before("module.", ROSINALITY) | MEAN,
        {"g_ema": before("module.", ROSINALITY)} | MEAN,
        {"state_dict": before("module.decoder.", ROSINALITY) | {"module.encoder.x": torch.zeros(1)}} | MEAN,
        {"state_dict": before("decoder.module.", ROSINALITY)} | MEAN,
        {"state_dict": ROSINALITY} | MEAN,
        {"state_dict": NVIDIA, "epoch": 3},
        {"generator": NVIDIA},
        {"G": NVIDIA},
        {"g": ROSINALITY} | MEAN,
        {"params_ema": NVIDIA, "params": nvidia(OTHER)},
        {"model": {"g_ema": ROSINALITY} | MEAN | {"d": {}}, "step": 5},
        {"state_dict": before("G.", nvidia(OTHER)) | before("G_ema.", NVIDIA) | before("D.", {"b4.x": torch.ones(1)})},
        {"G_ema": {"state_dict": NVIDIA}, "G": {"state_dict": nvidia(OTHER)}},
        [None, nvidia(OTHER), {"b4.out.weight": torch.zeros(1)}, NVIDIA, None],
        [TRAINING],
        (3, [TRAINING, "note"], None),
        [[None, (NVIDIA, [])]],
        {"checkpoint": TRAINING, "step": 3},
        {"ckpt": {"net": ROSINALITY} | MEAN},
        {"G_ema_state_dict": NVIDIA, "G_state_dict": nvidia(OTHER)},
        {"generator_state_dict": ROSINALITY, "step": 3} | MEAN,
        {"model": nvidia(OTHER), "model_ema": NVIDIA},
        {"g_running": ROSINALITY, "generator": rosinality(nvidia(OTHER))} | MEAN,
        {"state_dict": before("ema_model.", NVIDIA) | before("online_model.", nvidia(OTHER))},
    ],
    ids=range(25),
)
def test_tensors_are_found_wherever_they_lie(content: object, tmp_path: Path) -> None:
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content["model"] |= MEAN
    torch.save(content, tmp_path / "file.pt")
    check(tmp_path / "file.pt")


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": before("G.", nvidia(OTHER)) | before("G_ema.", NVIDIA)},
        {"params_ema": NVIDIA, "params": nvidia(OTHER)},
        (nvidia(OTHER), None, NVIDIA),
        {"g": nvidia(OTHER), "d": {}},
        ({"G_state_dict": nvidia(OTHER), "G_ema_state_dict": NVIDIA}, 3),
    ],
    ids=range(5),
)
def test_the_raw_generator_can_be_asked_for(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pt")
    check(tmp_path / "file.pt", OTHER, which="g")


@pytest.mark.parametrize("content", [{"g": ROSINALITY, "d": {}}, {"G": NVIDIA, "G_ema": None}], ids=range(2))
def test_a_training_that_has_the_raw_generator_alone_says_so(
    content: object, tmp_path: Path, run: Callable[..., tuple[int, list[str], list[str]]]
) -> None:
    torch.save(content, tmp_path / "file.pt")
    code, _, errors = run("inspect", tmp_path / "file.pt")
    assert code == 2
    assert errors[0].startswith(f"latentloop: {tmp_path / 'file.pt'}: has no generator g_ema, but ")
    assert errors[0].endswith("; g can be taken instead; see --which")
    assert run("inspect", tmp_path / "file.pt", "--which", "g")[0] == 0


@pytest.mark.parametrize("protocol", range(1, 6))
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_of_any_protocol_are_read(zipped: bool, protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    torch.save(TRAINING, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    check(path)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_numpy_are_tensors_too(protocol: int, tmp_path: Path) -> None:
    arrays = {name: tensor.numpy() for name, tensor in ROSINALITY.items()}
    mean = TINY.latent_avg.numpy()
    for content in ({"g_ema": arrays, "latent_avg": mean}, arrays | {"latent_avg": mean, "note": np.array(["text"])}):
        (tmp_path / "file.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
        check(tmp_path / "file.pkl")
        torch.save({"g_ema": ROSINALITY, "latent_avg": mean}, tmp_path / "file.pt")
        check(tmp_path / "file.pt")


def test_arrays_that_repeat_are_counted_before_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies, one = list[object](), np.zeros(1 << 16, ">f4")

    def counted(value: object) -> Tensor:
        copies.append(value)
        return plain_tensor(value)

    monkeypatch.setattr(finding, "plain_tensor", counted)
    (tmp_path / "file.pkl").write_bytes(pickle.dumps({f"n{i}": one for i in range(1000)}))
    with pytest.raises(UserError, match="more numbers than a file of this size can hold"):
        load_generator(tmp_path / "file.pkl")
    assert len(copies) < 50


def test_lists_that_share_each_other_are_searched_in_little_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content: list[object] = [{}]
    for _ in range(9):
        content = [content] * 30
    seen: list[object] = []
    monkeypatch.setattr(finding, "_has_named", lambda part: seen.append(part))
    (tmp_path / "file.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="no network with a mean latent"):
        load_generator(tmp_path / "file.pkl")
    assert len(seen) < 1000


def test_a_dict_that_others_hold_many_times_is_searched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content: dict[str, object] = dict.fromkeys(map(str, range(100)), 0)
    for _ in range(finding.DEPTH):
        content = dict.fromkeys(finding.PLAIN, content)
    searched, search = list[object](), finding._by_plain_name

    def counted(value: dict[str, object]) -> dict[str, object]:
        searched.append(value)
        return search(value)

    monkeypatch.setattr(finding, "_by_plain_name", counted)
    (tmp_path / "file.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="has no generator g_ema"):
        load_generator(tmp_path / "file.pkl")
    assert len(searched) < 30


def test_a_network_that_a_list_holds_many_times_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = list[object](), finding._network

    def counted(value: object, size: int) -> Network:
        looked.append(value)
        return look(value, size)

    monkeypatch.setattr(finding, "_network", counted)
    (tmp_path / "file.pkl").write_bytes(pickle.dumps([{"weight": torch.zeros(1)}] * 500))
    with pytest.raises(UserError, match="no network with a mean latent"):
        load_generator(tmp_path / "file.pkl")
    assert len(looked) == 1


@pytest.mark.parametrize("zipped", [True, False])
def test_what_else_a_training_keeps_may_be_odd(zipped: bool, tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    more: dict[str, object] = {"optimizer": optimizer, "g_optim": optimizer.state_dict(), "d_optim": None}
    if zipped:  # the older format has no such numbers
        more |= {"phase": torch.ones(2, dtype=torch.complex64), "mask": torch.ones(2, dtype=torch.uint16)}
        more |= {"quarter": torch.ones(2).to(torch.float8_e4m3fn)}
    torch.save(TRAINING | more, tmp_path / "file.pt", _use_new_zipfile_serialization=zipped)
    check(tmp_path / "file.pt")


def test_an_archive_of_other_files_is_called_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "file.zip", "w") as archive:
        archive.writestr("weights.pt", b"weights")
    with pytest.raises(UserError, match=r"file\.zip: a zip archive of other files; unpack it first"):
        load_generator(tmp_path / "file.zip")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.usefixtures("as_published")
def test_a_whole_module_is_read(zipped: bool, parallel: bool, tmp_path: Path) -> None:
    for tensors in (NVIDIA, ROSINALITY | MEAN):
        whole = WholeModule(before("module.", tensors) if parallel else tensors)
        for content in (whole, {"G_ema": whole, "D": ProjectedDiscriminator()}):
            torch.save(content, tmp_path / "file.pt", _use_new_zipfile_serialization=zipped)
            check(tmp_path / "file.pt")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.usefixtures("as_published")
def test_a_whole_module_with_its_source_is_read(zipped: bool, tmp_path: Path) -> None:
    module = nvidia_module(NVIDIA, {"synthesis_kwargs": {"conv_clamp": 0.5}})
    torch.save(module, tmp_path / "file.pt", _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(tmp_path / "file.pt").settings == {"synthesis_kwargs": {"conv_clamp": 0.5}}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.usefixtures("as_published")
def test_networks_are_found_whatever_holds_them(protocol: int, tmp_path: Path) -> None:
    module, discriminator = nvidia_module(NVIDIA, {}), ProjectedDiscriminator()
    other = nvidia_module({"b4.out.weight": torch.zeros(1)}, {})
    network, encoder = tensorflow_network(VARIABLES, {}), tensorflow_network({}, {})
    for content in (
        module,
        {"G": None, "D": discriminator, "G_ema": module, "augment_pipe": discriminator},
        [module, discriminator],
        (other, discriminator, module, None),
        network,
        (encoder, network, encoder, network),
        [network, None],
        {"Gs": network},
    ):
        (tmp_path / "file.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
        check(tmp_path / "file.pkl")


@pytest.mark.parametrize("tensors", [NVIDIA, ROSINALITY | MEAN, before("module.", ROSINALITY) | MEAN])
def test_a_projects_names_in_safetensors(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "file.safetensors")
    check(tmp_path / "file.safetensors")
    with pytest.raises(UserError, match=r"file.safetensors: has only one generator, so g cannot be chosen"):
        load_generator(tmp_path / "file.safetensors", which="g")


def test_modules_that_share_their_children_are_refused_at_once(tmp_path: Path) -> None:
    def text(characters: str) -> bytes:
        return b"X" + len(characters).to_bytes(4, "little") + characters.encode()

    parts = b"}(" + text("_modules") + b"h\x01" + text("_parameters") + b"}" + text("_buffers") + b"}u"
    module = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n(}" + text("state") + parts + b"stRq\x020"
    children = b"h\x01(" + b"".join(text(str(i)) + b"h\x02" for i in range(300)) + b"u0"
    content = b"\x80\x02}q\x010" + module + children + b"}" + text("G_ema") + b"h\x02s."
    (tmp_path / "file.pkl").write_bytes(content)
    with pytest.raises(UserError, match="more than 10000 modules"):
        load_generator(tmp_path / "file.pkl")


class Odd(nn.Module):
    """A module that pickles itself in a way of its own."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return Odd, ()


def test_what_a_generator_does_not_need_may_be_unknown(tmp_path: Path) -> None:
    whole = WholeModule({f"decoder.{name}": tensor for name, tensor in (ROSINALITY | MEAN).items()})
    whole.perceptual, whole.encoder = Odd(), ProjectedDiscriminator()
    torch.save({"net": whole, "model": whole}, tmp_path / "file.pt")
    check(tmp_path / "file.pt")


def test_a_program_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "file.pt").write_bytes(b"\x80\x02c__torch__.networks\nGenerator\n)\x81}b.")
    with pytest.raises(UserError, match=r"file\.pt: .*TorchScript program"):
        load_generator(tmp_path / "file.pt")


def test_projects_are_known_by_the_names_of_their_classes() -> None:
    with pytest.raises(UserError, match=r"of StyleGAN-XL's super-resolution, which is not supported"):
        find_layout(Network(NVIDIA, {}, "SuperresGenerator"))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (NVIDIA | {"mapping.embed_proj.weight": torch.zeros(1)}, "of StyleGAN-XL with classes, which is not supported"),
        ({"generator.progression.0.adain1.style.linear.bias": torch.zeros(1)}, "of rosinality's StyleGAN1"),
        (ROSINALITY | {"to_rgbs.0.iwt.ll": torch.zeros(2, 2)}, "of SWAGAN"),
        (before("module.", {"feat_8.1.weight_orig": torch.zeros(1)}), "of FastGAN"),
        ({"synthesis.se_64.main.1.weight": torch.zeros(1)}, "of FastGAN"),
        ({"G.blocks.0.to_style1.weight": torch.zeros(1)}, "of lucidrains' StyleGAN2"),
        (NVIDIA | {"synthesis.b4.const": torch.zeros(5, 4, 2)}, "its images of 16 x 8 pixels .* are not square"),
        (NVIDIA | {"synthesis.b4.const": torch.zeros(5, 7, 4)}, "its images of 28 x 16 pixels .* are not square"),
        (ROSINALITY | {"input.input": torch.zeros(1, 5, 5, 5)}, "grow from 5 x 5 instead of 4 x 4"),
    ],
)
def test_what_is_not_drawn_is_refused_by_its_projects_name(
    tensors: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    torch.save({"g_ema": tensors}, tmp_path / "file.pt")
    with pytest.raises(UserError, match=rf"file\.pt: .*{message}") as caught:
        load_generator(tmp_path / "file.pt")
    assert "\n" not in str(caught.value)


def of_classes(count: int) -> dict[str, Tensor]:
    """A network with so many classes and no mean latent, whose labels all have the same effect."""
    generator = random_stylegan2(Shape(mapping=(3, 3, 3), channels=(2, 2), c_dim=1))
    tensors = {name: tensor for name, tensor in nvidia(generator).items() if name != "mapping.w_avg"}
    return tensors | {"mapping.embed.weight": torch.ones(3, 1).expand(3, count), "mapping.embed.bias": torch.zeros(3)}


def test_the_mean_over_many_classes_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []

    def counted(generator: Generator, count: int, randomness: torch.Generator) -> tuple[Tensor, Tensor | None]:
        numbers.append(count * generator.c_dim)
        return random_inputs(generator, count, randomness)

    monkeypatch.setattr(generator_file, "random_inputs", counted)
    torch.save(of_classes(5000), tmp_path / "file.pt")
    load_generator(tmp_path / "file.pt")
    assert max(numbers) < 2**23
    assert sum(numbers) < 2**27


def test_more_classes_than_any_network_has_are_refused(tmp_path: Path) -> None:
    torch.save(of_classes(100_000), tmp_path / "file.pt")
    with pytest.raises(
        UserError, match=r"file\.pt: a StyleGAN2 .*, but at most 32768 classes are supported, got 100000"
    ):
        load_generator(tmp_path / "file.pt")
