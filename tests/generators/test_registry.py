import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import load_generator, registry
from latentloop.generators.registry import ShippedGenerator
from latentloop.weights import ASSETS, WeightsFile, read_weights

SHIPPED = ASSETS / "mobile-ffhq-1024.safetensors"


def test_a_generator_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, copy)
    by_name, by_path = load_generator("mobile-ffhq-1024"), load_generator(copy)
    assert (by_name.name, by_path.name) == ("mobile-ffhq-1024", "mine")
    assert by_name.fingerprint == by_path.fingerprint


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="stylegan9: neither a file nor one of the generators we ship: mobile-ffhq"):
        load_generator("stylegan9")


def test_a_truncated_shipped_file_is_refused_with_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(SHIPPED.read_bytes()[:-1000])
    expected = registry.SHIPPED["mobile-ffhq-1024"].file.sha256
    monkeypatch.setitem(registry.SHIPPED, "mobile-ffhq-1024", ShippedGenerator(WeightsFile(cut, expected)))
    with pytest.raises(UserError, match=f"sha256 is {sha256_of(cut)}, not {expected}"):
        load_generator("mobile-ffhq-1024")


def test_weights_of_something_else_are_refused() -> None:
    with pytest.raises(UserError, match=r"not a generator \(kind: mtcnn\); known kinds: mobilestylegan"):
        load_generator(ASSETS / "mtcnn.safetensors")


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    weights = read_weights(WeightsFile(SHIPPED))
    del weights.tensors["synthesis.const"]
    path = tmp_path / "partial.safetensors"
    save_file(weights.tensors, path, weights.metadata)
    with pytest.raises(UserError, match=r"partial.safetensors: its tensors do not fit a mobilestylegan: .*const"):
        load_generator(path)


def test_a_fingerprint_tells_latent_spaces_apart_and_nothing_else() -> None:
    tensors = {"mapping.fc.0.weight": torch.ones(2, 2), "latent_avg": torch.zeros(2), "synthesis.const": torch.ones(1)}
    print_of = registry.latent_fingerprint
    assert print_of(tensors) == print_of({**tensors, "synthesis.const": torch.zeros(1)})
    assert print_of(tensors) != print_of({**tensors, "mapping.fc.0.weight": torch.zeros(2, 2)})
    assert print_of(tensors) != print_of({**tensors, "latent_avg": torch.ones(2)})
