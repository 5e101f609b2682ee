"""The converter on the original files, where they are: LATENTLOOP_ORIGINALS names their folder."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.files import sha256_of
from latentloop.generators.registry import SHIPPED

ROOT = Path(__file__).parents[2]
ORIGINALS = os.environ.get("LATENTLOOP_ORIGINALS")


@pytest.fixture(scope="module")
def converter(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("convert_mobilestylegan")


@pytest.mark.skipif(ORIGINALS is None, reason="LATENTLOOP_ORIGINALS is not set")
def test_the_original_weights_agree_with_openvino_and_give_the_shipped_file(
    converter: ModuleType, tmp_path: Path
) -> None:
    source = Path(ORIGINALS or "")
    found = converter.errors(converter.read_tensors(source), ROOT / "tests" / "golden" / "mobilestylegan.npz")
    assert found["mapping"] < 1e-4
    assert found["image"] < 2e-4
    converter.Convert(source, tmp_path).run()
    assert sha256_of(tmp_path / "mobile-ffhq-1024.safetensors") == SHIPPED["mobile-ffhq-1024-v1"].file.sha256


def test_storage_spares_only_what_matters_little(converter: ModuleType) -> None:
    import torch

    dtype = converter.storage_dtype
    assert dtype("latent_avg", torch.zeros(512)) == torch.float32
    assert dtype("synthesis.blocks.6.conv1.noise", torch.zeros(512, 512)) == torch.float8_e5m2
    assert dtype("synthesis.blocks.5.conv1.noise", torch.zeros(256, 256)) == torch.float16
    assert dtype("mapping.fc.0.weight", torch.zeros(512, 512)) == torch.float16
