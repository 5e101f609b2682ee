"""All metrics and losses of images, a line each: the tests and the calibration page take them from here."""

import math
import tempfile
from functools import cache, partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from latentloop.features.lpips import Lpips, LpipsNet, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.features.vgg import load_lpips_vgg
from latentloop.losses import IdentityDistance, full_size_loss, iterator_loss, pixel_loss
from latentloop.losses import toward as pixels_toward
from latentloop.metrics import FACTS, MetricFacts, identity_similarity, ms_ssim, mse, periodic_pattern, psnr, ssim
from metric_tester import Array, Metric, MetricCase, plain, toward, with_canvas
from references import metrics as written_out
from vgg_tensors import linear_tensors, vgg16_tensors

NUMPY = "its definition in NumPy"
NETWORK = "the network written out in NumPy"


@cache
def faces(dtype: torch.dtype) -> MobileFaceNet:
    return load_mobilefacenet(dtype=dtype)


@cache
def lpips(net: LpipsNet, dtype: torch.dtype) -> Lpips:
    return load_lpips(net, dtype=dtype)


@cache
def lpips_vgg(dtype: torch.dtype) -> Lpips:
    """On random weights: VGG16's own are too large to ship."""
    convs = {name: tensor for name, tensor in vgg16_tensors().items() if name.startswith("features")}
    names = [f"conv.{i}.{kind}" for i in range(len(convs) // 2) for kind in ("weight", "bias")]
    tensors = dict(zip(names, convs.values(), strict=True))
    tensors |= {f"linear.{i}": tensor.flatten() for i, tensor in enumerate(linear_tensors().values())}
    with tempfile.TemporaryDirectory() as folder:
        save_file(tensors, path := Path(folder) / "vgg16.safetensors")
        return load_lpips_vgg(path, dtype=dtype)


def similarity(dtype: torch.dtype) -> Metric:
    return lambda image, target: identity_similarity(image, target, faces(dtype))


def paper_loss(image: Array, target: Array) -> float:
    """L_opt of Guan et al.: MSE + 0.8 LPIPS."""
    return written_out.mse(image, target) + 0.8 * written_out.lpips("alex", image, target)


def _metric(name: str, load: object, reference: object, source: str, **options: object) -> MetricCase:
    return MetricCase(name, load, reference, source, FACTS[name], **options)  # type: ignore[arg-type]


def _loss(name: str, load: object, reference: object, source: str, **options: object) -> MetricCase:
    facts = MetricFacts(name, higher_is_better=False, lowest=0, highest=math.inf, perfect=0)
    return MetricCase(name, load, reference, source, facts, checked=False, **options)  # type: ignore[arg-type]


def _lpips_on(net: LpipsNet) -> MetricCase:
    reference = partial(written_out.lpips, net)
    return _metric(f"lpips_{net}", partial(lpips, net), reference, NETWORK, tolerance=1e-6, single=1e-4)


def _identity_on(layers: str, first: int, end: int) -> MetricCase:
    return _loss(
        f"identity distance, {layers} layers",
        toward(lambda dtype: IdentityDistance(faces(dtype), layers).toward),  # type: ignore[arg-type]
        partial(written_out.identity_distance, first=first, end=end),
        NETWORK,
        size=256,
        square=True,
        tolerance=1e-6,
        single=1e-3,
    )


METRICS = [
    _metric("mse", plain(mse), written_out.mse, "scikit-image"),
    _metric("psnr", plain(psnr), written_out.psnr, "scikit-image"),
    _metric("ssim", plain(ssim), written_out.ssim, "scikit-image", smallest=11),
    _metric("ms_ssim", plain(ms_ssim), written_out.ms_ssim, NUMPY, size=200, smallest=176),
    _lpips_on("alex"),
    _lpips_on("squeeze"),
    _metric("lpips_vgg", lpips_vgg, partial(written_out.lpips, "vgg"), NETWORK, size=32, tolerance=1e-5, single=1e-4),
    _metric("id", similarity, written_out.similarity, NETWORK, size=256, square=True, tolerance=1e-6, single=1e-4),
    _metric(
        "pattern",
        plain(lambda image, _: periodic_pattern(image)),
        written_out.pattern,
        NUMPY,
        size=128,
        smallest=128,
        single=1e-3,
        takes_target=False,
        worse=with_canvas,
    ),
]
"""One case for each metric in `latentloop.metrics.FACTS`, but for those that are another one on other pixels."""
LOSSES = [
    _loss("pixel loss", plain(pixel_loss), written_out.mse, "scikit-image"),
    _identity_on("early", 0, 3),
    _identity_on("all", 0, 5),
    _identity_on("last", 4, 5),
    _loss(
        "full-size loss",
        plain(
            lambda image, target: full_size_loss(
                pixels_toward(pixel_loss), pixels_toward(pixel_loss), weight=2.0, working_size=64
            )(target)(image)
        ),
        partial(written_out.full_size, weight=2.0),
        NUMPY,
        size=512,
        square=True,
    ),
    _loss(
        "iterator's loss",
        toward(lambda dtype: iterator_loss(lpips=lpips("alex", dtype))),
        paper_loss,
        NETWORK,
        tolerance=1e-6,
        single=1e-4,
    ),
]
CASES = METRICS + LOSSES
