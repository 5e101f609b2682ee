"""Metrics of an embedding network's one-pass reconstructions, including faults that people notice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.evaluation.measure import Evaluator, rows_of
from latentloop.generators.protocol import Generator
from latentloop.images import resample

Encode = Callable[[Tensor], Tensor]
"""Function from images (N, 3, R, R) in [-1, 1] to codes (N, num_ws, w_dim)."""
# Regions of FFHQ-aligned faces, (top, bottom, left, right) in shares of the side.
FACE = (0.25, 0.875, 0.22, 0.78)
CHEEKS = ((0.56, 0.64, 0.30, 0.38), (0.56, 0.64, 0.62, 0.70))
MOUTH = (0.66, 0.76, 0.40, 0.60)
BLUR = 5
"""Window that separates fine detail, in pixels at 256 pixels."""
LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance (ITU-R BT.601)."""


@torch.inference_mode()
def measure_one_pass(
    encode: Encode, generator: Generator, photos: Tensor, evaluator: Evaluator
) -> list[dict[str, float]]:
    """Measure the one-pass reconstructions of photos.

    Args:
        encode: Embedding network.
        generator: Generator of its codes.
        photos: Aligned faces, (N, 3, R, R) in [-1, 1], at the resolution of the network.
        evaluator: Metrics of reconstructions.

    Returns:
        Metrics of `Evaluator.measure` and `seen_faults` of each photo, by name.
    """
    image = resample(generator.synthesis(encode(photos), resolution=photos.shape[-1]), photos.shape[-1]).clamp(-1, 1)
    faults = rows_of(seen_faults(image, photos))
    return [row | more for row, more in zip(evaluator.measure(image, photos), faults, strict=True)]


def seen_faults(image: Tensor, photo: Tensor) -> dict[str, Tensor]:
    """Measure faults that people notice in reconstructions of FFHQ-aligned photos, both (N, 3, S, S) in [-1, 1].

    Each value is (N,). `contrast` is the standard deviation of the face's luminance, and `detail` that of its detail
    finer than 5 of 256 pixels, both relative to the photo's. `cheeks` is how much lighter the cheeks are than the
    photo's, and `mouth` the root mean square error of the mouth, both in levels of 255.
    """
    size = image.shape[-1]
    ours, theirs = (_part(_luminance(x), FACE) for x in (image, photo))
    blur = max(3, round(BLUR * size / 256) // 2 * 2 + 1)
    lighter = [
        (_part(_luminance(image), place) - _part(_luminance(photo), place)).mean(dim=(1, 2, 3)) for place in CHEEKS
    ]
    wrong = (_part(image, MOUTH) - _part(photo, MOUTH)).square().mean(dim=(1, 2, 3)).sqrt()
    return {
        "contrast": _spread(ours) / _spread(theirs),
        "detail": _spread(_fine(ours, blur)) / _spread(_fine(theirs, blur)),
        "cheeks": 127.5 * torch.stack(lighter).mean(dim=0),
        "mouth": 127.5 * wrong,
    }


def measure_by_part(
    encode: Encode, generator: Generator, photos: Iterable[tuple[Sequence[str], Tensor]], evaluator: Evaluator
) -> dict[str, dict[str, float]]:
    """Measure the one-pass reconstructions of photos, and average the metrics over the parts of the photo set.

    Args:
        encode: Embedding network.
        generator: Generator of its codes.
        photos: Batches of names and aligned faces, (N, 3, R, R) in [-1, 1].
        evaluator: Metrics of reconstructions.

    Returns:
        Means by part, as `means_by_part` returns them.
    """
    rows: list[tuple[str, Mapping[str, float]]] = []
    for names, images in photos:
        rows += zip(names, measure_one_pass(encode, generator, images, evaluator), strict=True)
    return means_by_part(rows)


def means_by_part(rows: Iterable[tuple[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Average the metrics of photos over the parts of their set, which begin the photos' names: "celeba-12.png".

    Returns:
        The number of photos, `n`, and the mean of each metric, by part. "mean" is the mean over parts, with the total
        number of photos.
    """
    parts: dict[str, list[Mapping[str, float]]] = {}
    for name, row in rows:
        parts.setdefault(PurePath(name).name.split("-")[0], []).append(row)
    means = {part: {"n": len(of), **_means(of)} for part, of in sorted(parts.items())}
    mean = {**_means(list(means.values())), "n": sum(map(len, parts.values()))} if means else {}
    return {**means, "mean": mean}


def _means(rows: list[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _luminance(image: Tensor) -> Tensor:
    return (image * image.new_tensor(LUMINANCE)[:, None, None]).sum(dim=1, keepdim=True)


def _part(image: Tensor, place: tuple[float, float, float, float]) -> Tensor:
    top, bottom, left, right = (round(share * image.shape[-1]) for share in place)
    return image[:, :, top:bottom, left:right]


def _fine(image: Tensor, blur: int) -> Tensor:
    return image - F.avg_pool2d(image, blur, 1, blur // 2, count_include_pad=False)


def _spread(image: Tensor) -> Tensor:
    return image.flatten(1).std(dim=1).clamp_min(1e-6)  # a uniform photo has 0, which would divide by 0
