"""Make `mobile-ffhq-1024.safetensors` from the OpenVINO files of the random-face 2021.7.21.1 package.

    pip download --no-deps random-face==2021.7.21.1
    unzip random_face-*.whl -d random-face
    python scripts/convert_mobilestylegan.py random-face/random_face/data src/latentloop/assets

prints the checksum of what it wrote, and with `--reference FILE.npz` how far float32 and float16 weights are from
the values in that file, which OpenVINO itself computed: tests/golden/mobilestylegan.npz.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import tyro
from safetensors.torch import save_file
from torch import Tensor

from latentloop.checkpoints.openvino import Constant, read_constants
from latentloop.files import sha256_of
from latentloop.generators.mobilestylegan import MobileStyleGAN
from latentloop.generators.mobilestylegan_file import from_tensors

Array = npt.NDArray[np.generic]
LATENT_AVG_SAMPLES, LATENT_AVG_SEED = 4096, 0


@dataclass(frozen=True)
class Convert:
    """Convert the OpenVINO MobileStyleGAN of random-face to safetensors."""

    source: tyro.conf.Positional[Path]
    """Folder with {Mapping,Synthesis}Network.{xml,bin}."""
    out: tyro.conf.Positional[Path]
    """Folder for mobile-ffhq-1024.safetensors."""
    reference: Path | None = None
    """Values to compare with, computed by OpenVINO."""

    def run(self) -> None:
        """Read, compare, write."""
        tensors = read_tensors(self.source)
        stored = {name: tensor.to(storage_dtype(name, tensor)).contiguous() for name, tensor in tensors.items()}
        if self.reference:
            print("float32:", errors(tensors, self.reference))
            print("as shipped:", errors({name: tensor.float() for name, tensor in stored.items()}, self.reference))
        target = self.out / "mobile-ffhq-1024.safetensors"
        save_file(stored, target, {"latentloop": "mobilestylegan"})
        print(f"{target}: {target.stat().st_size:,} bytes, sha256 {sha256_of(target)}")


def read_tensors(source: Path) -> dict[str, Tensor]:
    """The generator's tensors under our names, float32."""
    arrays = dict(mapping_tensors(read_constants(source / "MappingNetwork.xml")))
    arrays |= dict(synthesis_tensors(read_constants(source / "SynthesisNetwork.xml")))
    tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
    tensors["latent_avg"] = mean_latent(tensors)
    return tensors


def storage_dtype(name: str, tensor: Tensor) -> torch.dtype:
    """How a tensor is stored: float16, but for what is small or matters little."""
    if name == "latent_avg":
        return torch.float32
    # The noise maps of the last block have a standard deviation below 0.001: eight bits keep the image as it is.
    return torch.float8_e5m2 if name.endswith("noise") and tensor.shape[0] == 512 else torch.float16


def mapping_tensors(constants: list[Constant]) -> Iterator[tuple[str, Array]]:
    """Weights and biases of the mapping network: the only constants of 512 or 512x512 numbers, in order."""
    weights = [c.value for c in constants if c.value.shape == (512, 512)]
    biases = [c.value for c in constants if c.value.shape == (512,)]
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        yield f"mapping.fc.{i}.weight", weight
        yield f"mapping.fc.{i}.bias", bias


def synthesis_tensors(constants: list[Constant]) -> Iterator[tuple[str, Array]]:
    """Constants of the synthesis network under our names."""
    named = {c.name: c.value for c in constants}
    noises = [c.value for c in constants if c.value.ndim == 4 and c.value.shape[:2] == (1, 1) and c.value.shape[2] > 3]
    # The pointwise (first: full) weights with the demodulation folded in, layer by layer.
    folded = [c.value for c in constants if re.fullmatch(r"Mul_\d+_copy", c.name)]
    layers = ["conv1", *(f"layers.{i}.conv{j}" for i in range(7) for j in (1, 2))]
    yield "synthesis.const", named["m.input.input"][0]
    for layer, weight, noise in zip(layers, folded, noises, strict=True):
        ours = f"synthesis.{layer.replace('layers', 'blocks')}"
        separable = f"m.{layer}.conv.weight_dw" in named
        yield from affine_tensors(named, f"m.{layer}.conv", f"{ours}.affine")
        if separable:
            yield f"{ours}.conv.depthwise.weight", named[f"m.{layer}.conv.weight_dw"][:, 0]
        pointwise = f"{ours}.conv.pointwise" if separable else f"{ours}.conv"
        yield f"{pointwise}.weight", weight
        yield f"{pointwise}.bias", named[f"m.{layer}.bias"].reshape(-1)
        yield f"{ours}.noise", noise[0, 0]
    for i in range(7):
        yield from affine_tensors(named, f"m.layers.{i}.up", f"synthesis.blocks.{i}.up")
    yield from affine_tensors(named, "m.layers.6.to_img.conv", "synthesis.to_rgb.affine")
    yield "synthesis.to_rgb.conv.weight", named["m.layers.6.to_img.conv.weight"]
    yield "synthesis.to_rgb.conv.bias", named["m.layers.6.to_img.bias"].reshape(-1)


def affine_tensors(named: Mapping[str, Array], theirs: str, ours: str) -> Iterator[tuple[str, Array]]:
    """Weight and bias of one affine layer."""
    yield f"{ours}.weight", named[f"{theirs}.modulation.weight"]
    yield f"{ours}.bias", named[f"{theirs}.modulation.bias"].reshape(-1)


def build(tensors: Mapping[str, Tensor]) -> MobileStyleGAN:
    """Build the generator around its tensors."""
    return from_tensors(tensors, {}, name="mobile-ffhq-1024", fingerprint="")


@torch.no_grad()
def mean_latent(tensors: Mapping[str, Tensor]) -> Tensor:
    """Mean of W over random z, (512,)."""
    z = np.random.RandomState(LATENT_AVG_SEED).standard_normal((LATENT_AVG_SAMPLES, 512))
    mapping = build({**tensors, "latent_avg": torch.zeros(512)}).mapping
    w: Tensor = mapping(torch.from_numpy(z).float())
    return w.mean(dim=0)


@torch.no_grad()
def errors(tensors: Mapping[str, Tensor], reference: Path) -> dict[str, float]:
    """Largest absolute differences from the reference values."""
    generator, values = build(tensors), np.load(reference)
    given = {name: torch.from_numpy(values[name].astype(np.float32)) for name in values}
    w_plus = given["w_rendered"][:, None].expand(-1, generator.num_ws, -1)
    faces = generator.synthesis(w_plus, resolution=256)[:, :, 64:192, 64:192]
    difference = (faces - given["faces"]).abs()
    return {
        "mapping": (generator.mapping(given["z"]) - given["w"]).abs().max().item(),
        "latent_avg": (tensors["latent_avg"] - given["latent_avg"]).abs().max().item(),
        "image": difference.max().item(),
        "image, mean": difference.mean().item(),
    }


if __name__ == "__main__":
    tyro.cli(Convert).run()
