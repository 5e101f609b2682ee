"""VGG16 features (Simonyan and Zisserman, arXiv:1409.1556), and LPIPS on VGG16.

The weights are too large to bundle; `latentloop fetch vgg16` downloads torchvision's and LPIPS's and converts them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from latentloop.checkpoints.reading import reading
from latentloop.checkpoints.torch_files import read_torch_file
from latentloop.errors import UserError, in_one_line
from latentloop.features.lpips import MEAN, STD, VGG_BLOCKS, Lpips, vgg_stages
from latentloop.files import cache_folder, replacing, sha256_of
from latentloop.weights import WeightsFile, read_weights, with_weights

Shape = tuple[int, ...]

VGG16_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
"""SHA-256 of torchvision's vgg16-397923af.pth."""
LINEAR_SHA256 = "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"
"""SHA-256 of lpips/weights/v0.1/vgg.pth of richzhang/PerceptualSimilarity."""

LAYERS = tuple(f"conv{block}_{i}" for block, (_, convs) in enumerate(VGG_BLOCKS, 1) for i in range(1, convs + 1))
"""Names of the convolutions, conv1_1 to conv5_3."""
CONVS = list(pairwise((3, *(channels for channels, convs in VGG_BLOCKS for _ in range(convs)))))
"""Input and output channels of each convolution."""
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Index of each convolution in torchvision's `features`."""

# By their name: our name, and the tensor's shape in their file.
VGG16_TENSORS: dict[str, tuple[str, Shape]] = {
    f"features.{place}.{kind}": (f"conv.{i}.{kind}", shape)
    for i, (place, (taken, made)) in enumerate(zip(PLACES, CONVS, strict=True))
    for kind, shape in (("weight", (made, taken, 3, 3)), ("bias", (made,)))
}
LINEAR_TENSORS: dict[str, tuple[str, Shape]] = {
    f"lin{i}.model.1.weight": (f"linear.{i}", (1, channels, 1, 1)) for i, (channels, _) in enumerate(VGG_BLOCKS)
}
# By our name: the tensor's shape in our file.
SHAPES = dict(VGG16_TENSORS.values()) | {f"linear.{i}": (channels,) for i, (channels, _) in enumerate(VGG_BLOCKS)}


class VGG16(nn.Module):
    """The convolutional layers of VGG16."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(vgg_stages())
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("std", torch.ones(3, 1, 1))

    def features(self, image: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Compute the outputs of some layers after their ReLU; deeper layers are not run.

        Args:
            image: Images (N, 3, H, W) in [-1, 1], at least 16 x 16 pixels for the fifth block.
            layers: Names from `LAYERS`, such as "conv1_1" and "conv4_2".

        Returns:
            Features in the order of `layers`, (N, C, h, w), in the image's type. Each block halves the resolution.

        Raises:
            ValueError: A layer does not exist, or the image has another shape.
        """
        if unknown := sorted(set(layers) - set(LAYERS)):
            raise ValueError(f"layers must be of {LAYERS[0]} to {LAYERS[-1]}, got {', '.join(unknown)}")
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"image must be (N, 3, H, W), got {tuple(image.shape)}")
        count = max((LAYERS.index(layer) + 1 for layer in layers), default=0)  # layers to run
        seen = {name: found for name, found in islice(self._walk(image), count) if name in layers}
        return [seen[layer] for layer in layers]

    def _walk(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Names and features of all layers, one after the other."""
        x, names = ((image - self.mean) / self.std).to(next(self.parameters()).dtype), iter(LAYERS)
        for stage in self.stages:
            for module in stage.children():
                x = module(x)
                if isinstance(module, nn.ReLU):
                    yield next(names), x.to(image.dtype)


def vgg16_path() -> Path:
    """Return the path of the file that `latentloop fetch vgg16` writes, in `cache_folder()`."""
    return cache_folder() / "vgg16.safetensors"


def make_vgg16_file(vgg16: Path, linear: Path, target: Path) -> None:
    """Write the float32 file that `load_vgg16` and `load_lpips_vgg` read, atomically.

    Args:
        vgg16: torchvision's vgg16-397923af.pth.
        linear: The linear layers of LPIPS 0.1, vgg.pth.
        target: Safetensors file to write, with conv.0.weight to conv.12.bias and linear.0 to linear.4.

    Raises:
        UserError: A source is missing or a different file, or the target cannot be written.
    """
    convs = _read_theirs(vgg16, VGG16_SHA256, VGG16_TENSORS)
    weights = _read_theirs(linear, LINEAR_SHA256, LINEAR_TENSORS)
    tensors = convs | {name: weight.flatten() for name, weight in weights.items()}
    with replacing(target) as part:
        part.write_bytes(save(tensors, {"latentloop": "vgg16"}))


def load_vgg16(
    path: Path | None = None, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> VGG16:
    """Load frozen VGG16, trained on ImageNet by torchvision.

    Args:
        path: File that `make_vgg16_file` wrote; None for `vgg16_path()`.
        device: Device of the weights.
        dtype: Precision of the layers; features are returned in the images' type.

    Raises:
        UserError: The file is missing or damaged.
    """
    with torch.device("meta"):
        module = VGG16()
    module = with_weights(module, _state(_read_ours(path))).to(device)
    module.stages.to(dtype)
    return module


def load_lpips_vgg(
    path: Path | None = None, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Lpips:
    """Load frozen LPIPS 0.1 on VGG16 (relu1_2 to relu5_3) with the official weights (arXiv:1801.03924).

    Args:
        path: File that `make_vgg16_file` wrote; None for `vgg16_path()`.
        device: Device of the weights.
        dtype: Precision of the backbone; distances are computed in the images' type.

    Raises:
        UserError: The file is missing or damaged.
    """
    with torch.device("meta"):
        module = Lpips("vgg")
    tensors = _read_ours(path)
    linear = {name: tensors[name] for name in tensors if name.startswith("linear.")}
    module = with_weights(module, _state(tensors) | linear).to(device)
    module.stages.to(dtype)
    return module


def _read_theirs(path: Path, sha256: str, wanted: Mapping[str, tuple[str, Shape]]) -> dict[str, Tensor]:
    """The wanted tensors of a `torch.save` file with a known checksum, under our names."""
    with reading(path):
        if not path.is_file():
            raise UserError("no such file")
        if (found := sha256_of(path)) != sha256:
            raise UserError(f"a different or damaged file: its sha256 is {found}, expected {sha256}")
        theirs = read_torch_file(path)
        return {ours: _fitting(theirs, name, shape) for name, (ours, shape) in wanted.items()}


def _read_ours(path: Path | None) -> dict[str, Tensor]:
    path = path or vgg16_path()
    if not path.is_file():
        raise UserError(f"{path}: VGG16's weights are missing; get them with: latentloop fetch vgg16")
    tensors = read_weights(WeightsFile(path)).tensors
    try:
        return {name: _fitting(tensors, name, shape) for name, shape in SHAPES.items()}
    except (LookupError, ValueError) as error:
        again = "delete it, then get them again with: latentloop fetch vgg16"
        raise UserError(f"{path}: not VGG16's weights ({in_one_line(error)}); {again}") from error


def _fitting(tensors: Mapping[str, Tensor], name: str, shape: Shape) -> Tensor:
    """A tensor by its name, checked to have the given shape."""
    if tensors[name].shape != shape:
        raise ValueError(f"{name} must be {shape}, got {tuple(tensors[name].shape)}")
    return tensors[name]


def _state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their names in a network of `vgg_stages`, with the mean and std of images."""
    places = [f"stages.{i}.{2 * n + (i > 0)}" for i, (_, convs) in enumerate(VGG_BLOCKS) for n in range(convs)]
    renamed = {f"{place}.{kind}": f"conv.{i}.{kind}" for i, place in enumerate(places) for kind in ("weight", "bias")}
    state = {name: tensors[ours] for name, ours in renamed.items()}
    return state | {"mean": torch.tensor(MEAN).view(3, 1, 1), "std": torch.tensor(STD).view(3, 1, 1)}
