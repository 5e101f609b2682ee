"""What docs/calibration.md compares: metrics, losses and generators beside references from elsewhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from conftest import randn
from latentloop.encoders.irse import IRSE50
from latentloop.encoders.psp import LastLayerIntoW, StyleHeads
from latentloop.features.lpips import LpipsNet
from latentloop.generators import affines, load_generator
from latentloop.inversion.prior import distance_from_start
from latentloop.latents import layer_spread, style_alignment
from metric_cases import LOSSES, METRICS, faces, lpips
from metric_tester import MetricCase
from references import stylegan1, stylegan2, stylegan3

Array = npt.NDArray[np.float64]
Compared = tuple[Array, Array]
"""The reference's numbers, and ours."""
GOLDEN = Path(__file__).parent / "golden"
ADA = Path(__file__).parent / "hostile" / "files" / "ada-cifar-orig-architecture.pkl"
FIXED_POINT = 2**14
"""Factor of the faces in mobilestylegan.npz, which are integers there."""
FLOAT16 = "OpenVINO on the original files; ours are rounded to float16"


@dataclass(frozen=True)
class Entry:
    """Something with a reference."""

    kind: str
    name: str
    on: str
    """What both are computed on."""
    source: str
    """Where the reference comes from."""
    tolerance: float
    """Largest difference of any number that is allowed."""
    compare: Callable[[], Compared]


@dataclass(frozen=True)
class Row:
    """An entry that was measured."""

    entry: Entry
    there: float
    """The reference's value: the mean of values of images, the root mean square of images and vectors."""
    here: float
    difference: float
    """Largest difference of any number."""

    @property
    def cells(self) -> tuple[str, ...]:
        """What the page shows."""
        entry = self.entry
        values = [f"{value:,.0f}" if entry.tolerance == 0 else f"{value:.6g}" for value in (self.there, self.here)]
        difference, tolerance = (f"{value:.0e}" if value else "0" for value in (self.difference, entry.tolerance))
        return (entry.kind, entry.name, entry.on, *values, difference, tolerance, entry.source)


def measured(entry: Entry) -> Row:
    there, here = (np.asarray(values, dtype=np.float64) for values in entry.compare())
    return Row(entry, _shown(there), _shown(here), float(np.abs(there - here).max()))


def _shown(values: Array) -> float:
    return float(values.mean() if values.ndim < 2 else np.sqrt((values**2).mean()))


def _of_case(kind: str, case: MetricCase) -> Entry:
    def compare() -> Compared:
        image, target = case.pair(2)
        return case.expected(image, target).numpy(), case.load(torch.float64)(image, target).detach().numpy()

    wide = case.size if case.square else case.size + 16
    return Entry(kind, case.facts.label, f"2 pictures, {case.size} x {wide}", case.source, case.tolerance, compare)


def _example(name: str) -> Tensor:
    with Image.open(GOLDEN / f"{name}.png") as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def _published_lpips(net: LpipsNet, name: str, value: float) -> Entry:
    def compare() -> Compared:
        return np.array([value]), lpips(net, torch.float32)(_example(name), _example("ex_ref")).numpy()

    source = "official weights, richzhang/PerceptualSimilarity"
    return Entry("metric", f"LPIPS ({net})", f"{name}.png and ex_ref.png", source, 1e-4, compare)


def _mobilefacenet() -> Compared:
    network = faces(torch.float32)
    with np.load(GOLDEN / "mobilefacenet.npz") as values:
        face = 2 * (torch.from_numpy(values["input"]) * network.std + network.mean) - 1
        return values["embedding"], network(face).numpy()


@cache
def _openvino() -> dict[str, Tensor]:
    with np.load(GOLDEN / "mobilestylegan.npz") as values:
        return {name: torch.from_numpy(values[name]) for name in values}


def _mobile_w() -> Compared:
    return _openvino()["w"].numpy(), load_generator("mobile-ffhq-1024").mapping(_openvino()["z"]).numpy()


@torch.inference_mode()
def _mobile_image(name: str) -> Compared:
    generator = load_generator(name)
    w_plus = _openvino()["w_rendered"][:1, None].expand(-1, generator.num_ws, -1)
    found = generator.synthesis(w_plus, resolution=256)[:, :, 64:192, 64:192]
    return _openvino()["faces"][:1].numpy() / FIXED_POINT, found.numpy()


@torch.inference_mode()
def _ada() -> Compared:
    generator = load_generator(ADA)
    with np.load(ADA.with_name(f"{ADA.name}.ref.npz")) as drawn:
        w_plus = generator.mapping(torch.from_numpy(drawn["z"]))[:, None].expand(-1, generator.num_ws, -1)
        return drawn["img"], generator.synthesis(w_plus).numpy()


def _stylegan1() -> Compared:
    generator = stylegan1.random_generator()
    w_plus = stylegan1.codes(generator, 2)
    return stylegan1.slow_draw(generator, w_plus.numpy()), generator.synthesis(w_plus).detach().numpy()


def _one_by_one(reference: Any, generator: Any) -> Compared:  # noqa: ANN401 - modules and networks of several kinds
    w_plus = randn(2, generator.num_ws, generator.w_dim, seed=99)
    expected = np.stack([reference.slow_image(generator, codes.numpy()) for codes in w_plus])
    return expected, generator.synthesis(w_plus).detach().numpy()


def _codes() -> tuple[Tensor, Tensor]:
    return randn(2, 16, 8), randn(2, 16, 8, seed=1)


def _near() -> Compared:
    start, w_plus = _codes()
    there = [np.mean(((b - a) / 0.7) ** 2) for a, b in zip(start.numpy(), w_plus.numpy(), strict=True)]
    return np.array(there), distance_from_start(0.7)(start)(w_plus).numpy()


def _spread() -> Compared:
    w_plus = _codes()[1]
    there = [np.mean(((code - sum(code) / len(code)) / 0.7) ** 2) for code in w_plus.numpy()]
    return np.array(there), layer_spread(w_plus, w_std=0.7).numpy()


def _alignment() -> Compared:
    generator = stylegan2.make()
    maps = [(i, one.weight.numpy(), one.bias.numpy()) for i, of in enumerate(affines(generator) or []) for one in of]
    z = torch.randn(200, generator.z_dim, generator=torch.Generator().manual_seed(0))
    drawn, codes = generator.mapping(z.double()).numpy(), randn(2, generator.num_ws, generator.w_dim)
    there = np.zeros(2)
    for layer, weight, bias in maps:
        styles = [weight @ w + bias for w in drawn]
        anchor = sum(style / np.linalg.norm(style) for style in styles) / len(styles)
        for i, style in enumerate(weight @ code[layer].numpy() + bias for code in codes):
            there[i] += style @ anchor / np.linalg.norm(style) / len(maps)
    return there, style_alignment(generator, samples=200)(codes).numpy()


def _count(name: str, count: int, source: str, build: Callable[[], Iterable[nn.Parameter]], more: int = 0) -> Entry:
    def compare() -> Compared:
        with torch.device("meta"):
            return np.array([count]), np.array([sum(parameter.numel() for parameter in build()) + more])

    return Entry("parameters", name, "the published size", source, 0, compare)


def _stylegan1_parameters() -> Entry:
    generator = stylegan1.published(1024)
    # Training grew the network, so that each resolution once drew images, with a layer that is of no more use.
    unused = sum(3 * channels + 3 for channels in generator.shape.channels[:-1])
    return _count("StyleGAN1, 1024", 26_219_627, "printed by NVIDIA's program", generator.parameters, unused)


def _style_heads(num_ws: int, *, pyramid: bool) -> StyleHeads:
    channels = (64, 128, 256, 512)
    return StyleHeads(channels, w_dim=512, num_ws=num_ws, size=16, pyramid=pyramid, progressive=pyramid)


def _encoder(heads: Callable[[], nn.Module], in_channels: int = 3) -> Callable[[], Iterable[nn.Parameter]]:
    return lambda: [*IRSE50(in_channels).parameters(), *heads().parameters()]


ENTRIES = [
    *(_of_case("metric", case) for case in METRICS),
    _published_lpips("alex", "ex_p0", 0.7219),
    _published_lpips("alex", "ex_p1", 0.1376),
    _published_lpips("squeeze", "ex_p0", 0.7110),
    _published_lpips("squeeze", "ex_p1", 0.1479),
    *(_of_case("loss", case) for case in LOSSES),
    Entry("loss", "distance from the start, of codes", "2 codes", "its definition in NumPy", 1e-9, _near),
    Entry("loss", "spread of the layers, of codes", "2 codes", "its definition in NumPy", 1e-9, _spread),
    Entry("loss", "style alignment (LSAP), of codes", "2 codes", "its definition in NumPy", 1e-9, _alignment),
    Entry(
        "network",
        "MobileFaceNet, embedding",
        "a face",
        "foamliu/MobileFaceNet; ours is rounded to float16",
        0.02,
        _mobilefacenet,
    ),
    Entry("generator", "mobile-ffhq-1024, w of z", "16 z", FLOAT16, 3e-3, _mobile_w),
    *(
        Entry("generator", f"{name}, image", "1 code, 128 x 128 pixels", FLOAT16, 6e-3, partial(_mobile_image, name))
        for name in ("mobile-ffhq-1024", "mobile-ffhq-1024-v1")
    ),
    Entry("generator", "StyleGAN2-ADA, a pickle of 32 pixels", "its z", "NVIDIA's stylegan2-ada-pytorch", 1e-5, _ada),
    Entry("generator", "StyleGAN1", "2 codes, 16 pixels", "the paper in NumPy", 1e-11, _stylegan1),
    Entry(
        "generator",
        "StyleGAN2",
        "2 codes, 16 pixels",
        "the paper in NumPy",
        1e-12,
        lambda: _one_by_one(stylegan2, stylegan2.make()),
    ),
    *(
        Entry(
            "generator",
            f"StyleGAN3-{letter}",
            "2 codes, 16 pixels",
            "the paper in NumPy",
            1e-12,
            partial(lambda shape: _one_by_one(stylegan3, stylegan3.make(shape)), shape),
        )
        for letter, shape in (("T", stylegan3.SHAPE), ("R", stylegan3.ROTATABLE))
    ),
    _stylegan1_parameters(),
    _count(
        "StyleGAN2 F, 1024", 30_370_060, "NVIDIA's own module", lambda: stylegan2.published(2, 1024, 8).parameters()
    ),
    _count("StyleGAN2 F, 256", 30_034_338, "NVIDIA's own module", lambda: stylegan2.published(2, 256, 8).parameters()),
    _count("StyleGAN2 E, 256", 24_767_458, "NVIDIA's own module", lambda: stylegan2.published(1, 256, 8).parameters()),
    *(
        _count(
            f"StyleGAN3-{'R' if rotatable else 'T'}, {resolution}",
            count,
            "printed by NVIDIA's program",
            lambda r=rotatable, n=resolution: stylegan3.published(n, rotatable=r).parameters(),  # type: ignore[misc]
        )
        for (rotatable, resolution), count in stylegan3.COUNTS.items()
    ),
    _count("IR-SE50, trunk", 30_950_080, "the projects' own module", lambda: IRSE50().parameters()),
    _count(
        "encoder of pSp and e4e",
        267_136_704,
        "the projects' own module",
        _encoder(lambda: _style_heads(18, pyramid=True)),
    ),
    _count(
        "encoder of ReStyle",
        205_585_792,
        "ReStyle's own module",
        _encoder(lambda: _style_heads(18, pyramid=False), 6),
    ),
    _count(
        "encoder into W", 31_212_736, "pSp's own module", _encoder(lambda: LastLayerIntoW(512, w_dim=512, num_ws=18))
    ),
]
