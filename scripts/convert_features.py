"""Make the safetensors files of LPIPS, MobileFaceNet and MTCNN from their authors' files.

    python scripts/convert_features.py lpips lpips_alex_squeeze.npz src/latentloop/assets
    python scripts/convert_features.py mobilefacenet mobilefacenet.pt src/latentloop/assets
    python scripts/convert_features.py mtcnn FOLDER src/latentloop/assets

prints the checksum of each file written. The sources: torchvision's AlexNet and SqueezeNet 1.1 with the linear layers
of richzhang/PerceptualSimilarity 0.1, under torchvision's names in one .npz; the state dict of foamliu/MobileFaceNet;
{p,r,o}net.pt of timesler/facenet-pytorch (they are in its 2.6.0 wheel).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from safetensors.torch import save_file
from torch import Tensor

from latentloop.files import sha256_of

Tensors = dict[str, Tensor]
# Index in torchvision's SqueezeNet 1.1 -> our stage and place in it.
SQUEEZE_PLACES = {0: "0.0", 3: "1.1", 4: "1.2", 6: "2.1", 7: "2.2", 9: "3.1", 10: "4.0", 11: "5.0", 12: "6.0"}


@dataclass(frozen=True)
class Paths:
    """Where to read and where to write."""

    source: tyro.conf.Positional[Path]
    """The authors' file, or for mtcnn the folder of its three files."""
    out: tyro.conf.Positional[Path]
    """Folder for the safetensors files."""


class Lpips(Paths):
    """LPIPS on AlexNet and on SqueezeNet."""

    def run(self) -> None:
        """Convert."""
        arrays = np.load(self.source)
        tensors = {name: torch.from_numpy(arrays[name]) for name in arrays}
        write(self.out / "lpips-alex.safetensors", {alex_name(k): v for k, v in tensors.items() if k[0] == "a"})
        write(self.out / "lpips-squeeze.safetensors", {squeeze_name(k): v for k, v in tensors.items() if k[0] == "s"})


class MobileFaceNet(Paths):
    """MobileFaceNet, with its batch norms folded into the convolutions before them."""

    def run(self) -> None:
        """Convert."""
        write(self.out / "mobilefacenet.safetensors", mobilefacenet(read_state(self.source)))


class Mtcnn(Paths):
    """The three networks of MTCNN."""

    def run(self) -> None:
        """Convert."""
        states = {net: read_state(self.source / f"{net}.pt") for net in ("pnet", "rnet", "onet")}
        write(self.out / "mtcnn.safetensors", {f"{net}.{k}": v for net, s in states.items() for k, v in s.items()})


def alex_name(theirs: str) -> str:
    """alex.conv2.weight -> stages.2.1.weight, alex.lin2.weight -> linear.2."""
    _, layer, kind = theirs.split(".")
    index = int(layer[-1])
    if layer.startswith("lin"):
        return f"linear.{index}"
    return f"stages.{index}.{1 if index in (1, 2) else 0}.{kind}"


def squeeze_name(theirs: str) -> str:
    """squeeze.features.3.squeeze.weight -> stages.1.1.squeeze.weight, squeeze.lin2.weight -> linear.2."""
    if match := re.fullmatch(r"squeeze\.lin(\d)\.weight", theirs):
        return f"linear.{match[1]}"
    _, _, index, rest = theirs.split(".", 3)
    return f"stages.{SQUEEZE_PLACES[int(index)]}.{rest}"


def mobilefacenet(state: Tensors) -> Tensors:
    """Fold every batch norm, and give the layers our names."""
    pairs = {
        "stem": ("conv1.0", "conv1.1"),
        "depthwise": ("dw_conv.depthwise", "dw_conv.bn1"),
        "pointwise": ("dw_conv.pointwise", "dw_conv.bn2"),
        "widen": ("conv2.0", "conv2.1"),
        "pool": ("gdconv.depthwise", "gdconv.bn"),
        "embed": ("conv3", "bn"),
    }
    for i in range(15):
        theirs = f"features.{i}.conv"
        pairs[f"blocks.{i}.widen"] = (f"{theirs}.0.0", f"{theirs}.0.1")
        pairs[f"blocks.{i}.depthwise"] = (f"{theirs}.1.0", f"{theirs}.1.1")
        pairs[f"blocks.{i}.narrow"] = (f"{theirs}.2", f"{theirs}.3")
    tensors = {}
    for ours, (conv, norm) in pairs.items():
        tensors[f"{ours}.weight"], tensors[f"{ours}.bias"] = fold(state, conv, norm)
    return tensors


def fold(state: Tensors, conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what `conv` and then `norm` do."""
    scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-5).sqrt()
    bias = state.get(f"{conv}.bias", torch.zeros_like(scale))
    shifted = (bias - state[f"{norm}.running_mean"]) * scale + state[f"{norm}.bias"]
    return state[f"{conv}.weight"] * scale[:, None, None, None], shifted


def read_state(path: Path) -> Tensors:
    """A state dict, without running what the file may carry."""
    state: Tensors = torch.load(path, map_location="cpu", weights_only=True)
    return state


def write(path: Path, tensors: Tensors) -> None:
    """Write float16 safetensors and say so."""
    tensors = {name: tensor.flatten() if name.startswith("linear.") else tensor for name, tensor in tensors.items()}
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, path, {"latentloop": path.stem})
    print(f"{path}: {path.stat().st_size:,} bytes, sha256 {sha256_of(path)}")


COMMANDS = (
    Annotated[Lpips, tyro.conf.subcommand("lpips")]
    | Annotated[MobileFaceNet, tyro.conf.subcommand("mobilefacenet")]
    | Annotated[Mtcnn, tyro.conf.subcommand("mtcnn")]
)

if __name__ == "__main__":
    tyro.cli(COMMANDS, description=__doc__).run()
