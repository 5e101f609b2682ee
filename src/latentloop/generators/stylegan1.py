"""StyleGAN1 in plain PyTorch, learning-rate gains folded into the weights (Karras et al., arXiv:1812.04948)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from latentloop.generators.affine import Affine, affines_of
from latentloop.generators.arguments import check_code, check_seam, find_resolution
from latentloop.generators.mapping import Mapping
from latentloop.generators.midway import Midway, level_of
from latentloop.generators.noise import Maps, Noise, noise_maps
from latentloop.generators.resampling import area_average
from latentloop.generators.stylegan1_layers import StyledConstant, StyledConv, StyledUpConv


@dataclass(frozen=True)
class Shape:
    """Sizes and switches that determine the architecture of a StyleGAN1."""

    mapping: tuple[int, ...]
    """Widths of the mapping network: z, then each layer's output, w last."""
    channels: tuple[int, ...]
    """Channels of the features at 4, 8, 16 ... pixels."""
    layerwise: bool = False
    """True if the mapping network returns one style per layer, as in IDInvert (Zhu et al., arXiv:2004.00049)."""
    tanh: bool = False
    """True if a final tanh bounds the image to [-1, 1]."""

    def __post_init__(self) -> None:
        if len(self.mapping) < 2 or not self.channels or min(*self.mapping, *self.channels) < 1:
            raise ValueError(f"sizes that no StyleGAN1 can have: {self}")
        if self.layerwise and self.mapping[-1] % self.num_ws:
            raise ValueError(f"{self.mapping[-1]} outputs must divide into {self.num_ws} styles: {self}")

    @property
    def num_ws(self) -> int:
        """Number of styles: two for each resolution."""
        return 2 * len(self.channels)

    @property
    def resolution(self) -> int:
        """Side of the image, in pixels."""
        return 4 << (len(self.channels) - 1)

    @property
    def z_dim(self) -> int:
        """Length of z, the input of the mapping network."""
        return self.mapping[0]

    @property
    def w_dim(self) -> int:
        """Length of a style vector."""
        return self.mapping[-1] // (self.num_ws if self.layerwise else 1)


class Synthesis(nn.Module):
    """The synthesis network of StyleGAN1: from styles in W+ to an image, which only the last layer draws."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape, self.w_dim = shape, shape.w_dim
        w_dim, channels = shape.w_dim, shape.channels
        self.const = StyledConstant(w_dim, channels[0])
        convs: list[nn.Module] = [StyledConv(w_dim, channels[0], channels[0], 4)]
        for i, (before, after) in enumerate(pairwise(channels)):
            convs.append(StyledUpConv(w_dim, before, after, 8 << i))
            convs.append(StyledConv(w_dim, after, after, 8 << i))
        self.convs = nn.ModuleList(convs)
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)
        self.seams = {4 << i: (wide, 4 << i, 4 << i) for i, wide in enumerate(channels)}
        """Resolutions after whose last layer synthesis can be interrupted, with the features' shape (C, H, W)."""

    @property
    def noise_shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each layer's noise map."""
        sizes = [4 << (i // 2) for i in range(self.shape.num_ws)]  # 4, 4, 8, 8, 16, 16 ... pixels
        return tuple((size, size) for size in sizes)

    def forward(
        self,
        w_plus: Tensor,
        *,
        resolution: int | None = None,
        noise: Noise = "const",
        randomness: torch.Generator | None = None,
    ) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1].

        Args:
            w_plus: Styles in W+.
            resolution: Resolution R to draw, a divisor of the full one; None for the full one.
            noise: "const" for the stored maps, "random", "none", or maps (N or 1, 1, H, W) of the `noise_shapes`.
            randomness: Generator of random noise; None for PyTorch's global generator.
        """
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        maps = noise_maps(noise, self._stored_noise(), batch=w_plus.shape[0], randomness=randomness)
        return self._finish(self._begin(w_plus, maps, seam=4), w_plus, maps, resolution)

    def begin(self, w_plus: Tensor, seam: int) -> Midway:
        """Run the layers up to one of the `seams` on styles (N, num_ws, w_dim)."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        check_seam(seam, self.seams)
        return self._begin(w_plus, self._stored_maps(), seam)

    def finish(self, midway: Midway, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Run the remaining layers on styles (N, num_ws, w_dim), to RGB (N, 3, R, R)."""
        check_code(w_plus, num_ws=self.shape.num_ws, w_dim=self.w_dim)
        return self._finish(midway, w_plus, self._stored_maps(), resolution)

    def _stored_noise(self) -> list[Tensor]:
        return [layer.finish.noise_const for layer in (self.const, *self.convs)]

    def _stored_maps(self) -> Maps:
        return noise_maps("const", self._stored_noise(), batch=1, randomness=None)

    def _begin(self, w_plus: Tensor, maps: Maps, seam: int) -> Midway:
        x = self.const(w_plus[:, 0], maps[0])
        return Midway(seam, self._through(x, w_plus, maps, range(1, _layers(seam))))

    def _finish(self, midway: Midway, w_plus: Tensor, maps: Maps, resolution: int | None) -> Tensor:
        resolution = find_resolution(resolution, self.shape.resolution)
        x = self._through(midway.features, w_plus, maps, range(_layers(midway.seam), self.shape.num_ws))
        image: Tensor = self.to_rgb(x)
        return area_average(image.tanh() if self.shape.tanh else image, resolution)

    def _through(self, x: Tensor, w_plus: Tensor, maps: Maps, layers: range) -> Tensor:
        """Features (N, C, H, W) after the given layers; layer 0 is the constant."""
        for i in layers:
            x = self.convs[i - 1](x, w_plus[:, i], maps[i])
        return x


def _layers(seam: int) -> int:
    """Number of layers up to a seam, two for each resolution, counting the constant."""
    return 2 * level_of(seam) + 2


class LayerwiseMapping(nn.Module):
    """A mapping network that returns one style per layer, as in IDInvert (Zhu et al., arXiv:2004.00049)."""

    def __init__(self, widths: Sequence[int], num_ws: int) -> None:
        super().__init__()
        self.num_ws = num_ws
        self.network = Mapping(widths, gain=1.0)  # the activations' gain is folded into the weights

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to (N, num_ws, w_dim) in W+; `labels` must be None."""
        styles: Tensor = self.network(z, labels)
        return styles.reshape(z.shape[0], self.num_ws, -1)


class StyleGAN1(nn.Module):
    """StyleGAN1, the style-based generator of Karras et al. (arXiv:1812.04948)."""

    latent_avg: Tensor
    """Mean of the mapping network's output: (w_dim,), or (num_ws, w_dim) with one style per layer."""

    def __init__(self, shape: Shape, *, name: str, fingerprint: str) -> None:
        super().__init__()
        self.shape = shape
        self.name = name
        self.fingerprint = fingerprint
        self.z_dim, self.c_dim, self.w_dim = shape.z_dim, 0, shape.w_dim
        self.resolution, self.num_ws = shape.resolution, shape.num_ws
        layerwise = shape.layerwise
        self.mapping = LayerwiseMapping(shape.mapping, self.num_ws) if layerwise else Mapping(shape.mapping, gain=1.0)
        self.synthesis = Synthesis(shape)
        self.register_buffer("latent_avg", torch.zeros((self.num_ws, self.w_dim) if layerwise else self.w_dim))

    @property
    def device(self) -> torch.device:
        """Device of the generator's weights."""
        return self.latent_avg.device

    def affines(self) -> list[list[Affine]]:
        """Return the affine maps of each style, coarsest first: one to a layer's scales and one to its shifts."""
        layers = (self.synthesis.const, *self.synthesis.convs)
        return [_scales_and_shifts(one) for one in affines_of([layer.finish.affine for layer in layers])]


def _scales_and_shifts(affine: Affine) -> list[Affine]:
    (to_scale, to_shift), (scale, shift) = affine.weight.chunk(2), affine.bias.chunk(2)
    return [Affine(to_scale, scale + 1), Affine(to_shift, shift)]  # `Finish` scales by 1 + the affine's output
