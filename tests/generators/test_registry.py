import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import Generator, MobileStyleGAN, list_generators, load_generator, load_renderer, registry
from latentloop.generators.generator_file import latent_fingerprint
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.mobilestylegan_file import to_tensors
from latentloop.generators.registry import save_generator
from latentloop.latents import mean_code, sample_codes
from latentloop.weights import ASSETS, WeightsFile, read_weights

SHIPPED = ASSETS / "mobile-ffhq-1024.safetensors"


def test_a_generator_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, copy)
    by_name, by_path = load_generator("mobile-ffhq-1024"), load_generator(copy)
    assert (by_name.name, by_path.name) == ("mobile-ffhq-1024", "mine")
    assert by_name.fingerprint == by_path.fingerprint == load_generator("mobile-ffhq-1024-v1").fingerprint


def test_what_is_listed_is_what_loading_gives() -> None:
    listed = list_generators()
    assert [info.name for info in listed] == ["mobile-ffhq-256", "mobile-ffhq-1024", "mobile-ffhq-1024-v1"]
    for info in listed:
        generator = load_generator(info.name)
        assert (generator.name, generator.resolution) == (info.name, info.resolution)
        assert generator.fingerprint == info.latent_space


@pytest.mark.parametrize("copied", [False, True])
def test_a_file_on_a_trunk_works_by_path(tmp_path: Path, copied: bool) -> None:
    path = ASSETS / "mobile-ffhq-256.safetensors"
    if copied:
        path = Path(shutil.copy(path, tmp_path / "mine.safetensors"))
    by_name, by_path = load_generator("mobile-ffhq-256"), load_generator(path)
    assert by_path.name == path.stem
    assert registry.weights_checksum(path) == registry.weights_checksum("mobile-ffhq-256")
    w_plus = mean_code(by_name)
    assert torch.equal(by_path.synthesis(w_plus), by_name.synthesis(w_plus))


def test_a_renderer_is_found_without_loading_others(float_toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = load_generator("mobile-ffhq-256")
    loaded: list[str] = []

    def load(name: str, *, device: torch.device) -> Generator:
        loaded.append(f"{name} on {device}")
        return quick

    monkeypatch.setattr(registry, "load_generator", load)
    load_renderer(float_toy)
    load_renderer(quick, 256)
    assert loaded == []
    load_renderer(quick)
    assert loaded == ["mobile-ffhq-1024 on cpu"]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="stylegan9: neither a file nor one of the bundled generators: mobile-ffhq"):
        load_generator("stylegan9")


def test_a_truncated_shipped_file_is_refused_with_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(SHIPPED.read_bytes()[:-1000])
    whole = registry.SHIPPED["mobile-ffhq-1024-v1"]
    expected = whole.file.sha256
    monkeypatch.setitem(registry.SHIPPED, "mobile-ffhq-1024-v1", replace(whole, file=WeightsFile(cut, expected)))
    with pytest.raises(UserError, match=f"sha256 is {sha256_of(cut)}, not {expected}"):
        load_generator("mobile-ffhq-1024-v1")


def test_weights_of_something_else_are_refused() -> None:
    with pytest.raises(UserError, match=r"not a generator \(kind: mtcnn\); known kinds: mobilestylegan"):
        load_generator(ASSETS / "mtcnn.safetensors")


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    weights = read_weights(WeightsFile(SHIPPED))
    some = {name: tensor for name, tensor in weights.tensors.items() if name != "synthesis.const"}
    path = tmp_path / "partial.safetensors"
    save_file(some, path, dict(weights.metadata))
    with pytest.raises(UserError, match=r"partial.safetensors: its tensors do not fit a mobilestylegan: .*const"):
        load_generator(path)


def test_a_fingerprint_tells_latent_spaces_apart_and_nothing_else() -> None:
    tensors = {"mapping.fc.0.weight": torch.ones(2, 2), "latent_avg": torch.zeros(2), "synthesis.const": torch.ones(1)}
    print_of = latent_fingerprint
    assert print_of(tensors) == print_of({**tensors, "synthesis.const": torch.zeros(1)})
    assert print_of(tensors) != print_of({**tensors, "mapping.fc.0.weight": torch.zeros(2, 2)})
    assert print_of(tensors) != print_of({**tensors, "latent_avg": torch.ones(2)})


def test_the_largest_of_a_family_draws_unless_a_size_is_named() -> None:
    quick, large = (load_generator(f"mobile-ffhq-{size}") for size in (256, 1024))
    assert load_renderer(quick).name == load_renderer(large).name == large.name
    assert load_renderer(quick, 256) is quick
    assert load_renderer(large, 256).name == quick.name
    published = load_generator("mobile-ffhq-1024-v1")
    assert load_renderer(published) is published


def test_a_generator_of_its_own_latent_space_draws_itself(float_toy: Generator) -> None:
    assert load_renderer(float_toy) is float_toy
    with pytest.raises(UserError, match=r"no generator of 256 pixels .* of toy-32; available: 32") as error:
        load_renderer(float_toy, 256)
    assert error.value.arguments == ("render",)


def test_a_saved_generator_keeps_its_latent_space_to_the_last_bit(tmp_path: Path) -> None:
    teacher = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)), name="t", fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    for tensor in teacher.state_dict().values():
        tensor.normal_(generator=randomness)
    save_generator(tmp_path / "saved.safetensors", teacher)
    saved = read_weights(WeightsFile(tmp_path / "saved.safetensors")).tensors
    assert latent_fingerprint(saved) == latent_fingerprint(to_tensors(teacher))
    assert torch.equal(saved["synthesis.const"], teacher.synthesis.const.half().float())


def test_a_saved_generator_is_descreened_as_it_was(tmp_path: Path) -> None:
    for descreened in (True, False):
        generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)), name="t", fingerprint="")
        generator.synthesis.descreened = descreened
        save_generator(tmp_path / "saved.safetensors", generator)
        loaded = load_generator(tmp_path / "saved.safetensors")
        assert isinstance(loaded, MobileStyleGAN)
        assert loaded.synthesis.descreened == descreened


def test_the_repaired_generator_has_all_weights_of_the_published_one() -> None:
    repaired, published = (load_generator(name) for name in ("mobile-ffhq-1024", "mobile-ffhq-1024-v1"))
    assert isinstance(repaired, MobileStyleGAN)
    assert isinstance(published, MobileStyleGAN)
    assert (repaired.synthesis.descreened, published.synthesis.descreened) == (True, False)
    theirs = published.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in repaired.state_dict().items())
    assert registry.weights_checksum("mobile-ffhq-1024") != registry.weights_checksum("mobile-ffhq-1024-v1")


def test_a_checksum_covers_the_file_that_the_rest_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, large = registry.SHIPPED["mobile-ffhq-256"], registry.SHIPPED["mobile-ffhq-1024-v1"]
    before = registry.weights_checksum("mobile-ffhq-256")
    assert registry.weights_checksum("mobile-ffhq-1024-v1") == large.file.sha256
    assert before not in (quick.file.sha256, large.file.sha256)
    other = replace(large, file=replace(large.file, sha256="0" * 64))
    monkeypatch.setitem(registry.SHIPPED, "mobile-ffhq-1024-v1", other)
    assert registry.weights_checksum("mobile-ffhq-256") != before


def test_the_shipped_generators_draw_the_same_faces() -> None:
    quick, large = (load_generator(f"mobile-ffhq-{size}") for size in (256, 1024))
    w_plus = sample_codes(large, 2, randomness=torch.Generator().manual_seed(5), truncation_psi=0.7)
    with torch.inference_mode():
        image, target = quick.synthesis(w_plus), large.synthesis(w_plus, resolution=256)
    assert (10 * torch.log10(4 / (image - target).square().mean((1, 2, 3)))).min() > 26
